"""What became of each file of a source, for the card and for dropped.csv."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Container, Sequence

from facegan.data.skipped import SkippedFile
from facegan.data.sources import Member
from facegan.data.writer import printable


class ImportLog:
    """Keeps account while an import goes on.

    Args:
        members: every file of the source.
        described: paths of files that describe the dataset and are no pictures.

    Attributes:
        readable: the numbers of the members worth reading.
        kept: the numbers of those that became images, so far.
        conversions: how many images needed which change.
    """

    def __init__(self, members: Sequence[Member], described: Container[str]) -> None:
        self._members = members
        self._dropped = {i: m.refused for i, m in enumerate(members) if m.refused is not None}
        self._described = sum(member.path in described for member in members)
        self.readable = [
            index
            for index, member in enumerate(members)
            if member.refused is None and member.path not in described
        ]
        self.kept: list[int] = []
        self.conversions: Counter[str] = Counter()
        self._refused = len(self._dropped)

    @property
    def done(self) -> int:
        """How many readable members have been dealt with."""
        return len(self.kept) + len(self._dropped) - self._refused

    def keep(self, index: int, conversions: Sequence[str]) -> None:
        """Note that member `index` became an image."""
        self.kept.append(index)
        self.conversions.update(conversions)

    def drop(self, index: int, unusable: SkippedFile) -> None:
        """Note that member `index` is left out."""
        self._dropped[index] = unusable

    @property
    def counts(self) -> dict[str, int]:
        """Files looked at and files left out."""
        return {"read": len(self._members) - self._described, "dropped": len(self._dropped)}

    @property
    def reasons(self) -> dict[str, int]:
        """How many files were left out for which reason, the commonest first."""
        statistics = Counter(unusable.reason for unusable in self._dropped.values())
        return dict(sorted(statistics.items(), key=lambda item: (-item[1], item[0])))

    def dropped_csv(self) -> str:
        """Every file left out: name, reason, detail, in the source's order."""
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(("name", "reason", "detail"))
        for index, unusable in sorted(self._dropped.items()):
            row = (self._members[index].path, unusable.reason, unusable.detail)
            writer.writerow([printable(value) for value in row])
        return buffer.getvalue()
