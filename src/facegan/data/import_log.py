"""What became of each file of a source, for the card and for dropped.csv."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Container, Sequence

import numpy as np

from facegan.data.skipped import SkippedFile
from facegan.data.sources import Member
from facegan.data.writer import printable

# Characters of a detail: some decoders quote what they could not read.
_LONGEST = 300


class ImportLog:
    """Keeps account while an import goes on.

    Args:
        members: every file of the source.
        described: paths of files that describe the dataset and are no pictures.

    Attributes:
        readable: the numbers of the members worth reading.
        kept: the numbers of those that became images, so far; once for each image.
        conversions: how many images needed which change.
        done: how many readable members have been dealt with.
    """

    def __init__(self, members: Sequence[Member], described: Container[str]) -> None:
        self._members = members
        self._dropped = {i: [m.refused] for i, m in enumerate(members) if m.refused is not None}
        self._described = sum(member.path in described for member in members)
        self.readable = [
            index
            for index, member in enumerate(members)
            if member.refused is None and member.path not in described
        ]
        self.kept: list[int] = []
        self.conversions: Counter[str] = Counter()
        # Members that were dealt with, and those that gave an image.
        self._settled = np.zeros(len(members), np.bool_)
        self._gave = np.zeros(len(members), np.bool_)
        self.done = 0

    def keep(self, index: int, conversions: Sequence[str]) -> None:
        """Note that member `index` became an image."""
        self._settle(index)
        self._gave[index] = True
        self.kept.append(index)
        self.conversions.update(conversions)

    def drop(self, index: int, unusable: SkippedFile) -> None:
        """Note that member `index`, or one of the faces in it, is left out."""
        # Raised, it holds the frames that it came through, and they the bytes of the file.
        self._settle(index)
        noted = SkippedFile(unusable.reason, unusable.detail[:_LONGEST])
        self._dropped.setdefault(index, []).append(noted)

    def _settle(self, index: int) -> None:
        self.done += not self._settled[index]
        self._settled[index] = True

    @property
    def counts(self) -> dict[str, int]:
        """Files looked at and files of which nothing was kept."""
        nothing_of = sum(not self._gave[index] for index in self._dropped)
        return {"read": len(self._members) - self._described, "dropped": nothing_of}

    @property
    def reasons(self) -> dict[str, int]:
        """How many files or faces were left out for which reason, the commonest first."""
        statistics = Counter(why.reason for each in self._dropped.values() for why in each)
        return dict(sorted(statistics.items(), key=lambda item: (-item[1], item[0])))

    def dropped_csv(self) -> str:
        """Every file or face left out: name, reason, detail, in the source's order."""
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(("name", "reason", "detail"))
        for index in sorted(self._dropped):
            for why in self._dropped[index]:
                row = (self._members[index].path, why.reason, why.detail)
                writer.writerow([printable(value) for value in row])
        return buffer.getvalue()
