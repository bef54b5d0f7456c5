"""What the arrangement of a source tells about its pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from facegan.data.labels import LabelTable

UNKNOWN = "unknown: each picture counts as a person of its own"


@dataclass(frozen=True)
class Layout:
    """What the arrangement of a source tells about its pictures.

    Attributes:
        name: what the arrangement is called.
        identities_from: where identities come from, in words.
        identities: path → person; a path that is not in it is a person of its own.
        splits: path → split, where the dataset has an official one.
        labels: the labels that come along, or None.
        labels_note: what is known of these labels.
        used: side files that were used → for what. Those inside the source by their paths, those
            beside it by their names.
        unused: files of the source that are no pictures to train on → why not.
        counted: name → what is to be counted over the pictures that are kept, by path; such as
            licences.
        notes: what a person should know of what was not found or not used, a sentence each.
    """

    name: str
    identities_from: str = UNKNOWN
    identities: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    labels: LabelTable | None = None
    labels_note: str = ""
    used: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def identity(self, path: str) -> str:
        """Who is shown at `path`."""
        return self.identities.get(path, path)

    def split(self, path: str, holdout: float, seed: int) -> str:
        """The official split of `path`; else one that its identity's hash decides.

        Equal identities share a split, and pictures added later change nobody's.
        """
        if path in self.splits:
            return self.splits[path]
        digest = hashlib.sha256(f"{seed}:{self.identity(path)}".encode("utf-8", "backslashreplace"))
        share = int.from_bytes(digest.digest()[:8], "big") / 2**64
        return "holdout" if share < holdout else "train"
