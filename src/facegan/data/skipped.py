"""Why one file of a source does not become an image."""

from __future__ import annotations


class SkippedFile(Exception):
    """One file that is left out of a dataset; the import goes on without it.

    Attributes:
        reason: the kind of trouble, one of few, counted in the card.
        detail: what exactly was found, or "".
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
