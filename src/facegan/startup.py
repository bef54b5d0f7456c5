"""Settings of the whole process, applied before anything heavy is imported."""

from __future__ import annotations


def tune_process() -> None:
    """Nothing yet."""
