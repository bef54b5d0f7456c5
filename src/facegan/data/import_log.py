"""What became of each file of a source, for the card and for dropped.csv."""

from __future__ import annotations

import csv
import io
from array import array
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from posixpath import basename
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.kinds import DATA, side_kind
from facegan.data.members import Member, SkippedFile, packed
from facegan.data.writer import escaped

# Characters of a detail: some decoders quote what they could not read.
_LONGEST = 300
# Side files that the card names one by one.
_MOST_NAMED = 20


class ImportLog:
    """Keeps account while an import goes on.

    Args:
        members: every file of the source.
        used: paths of side files that were used.
        unused: paths of files that are no pictures to train on → why not.
        holds_files: whether the names of members tell what is no picture.

    Attributes:
        readable: the numbers of the members worth reading.
        side_files: paths of files that are no pictures, and of no use here.
        kept: the numbers of those that became images, so far; once for each image.
        conversions: how many images needed which change.
        done: how many readable members have been dealt with.
    """

    def __init__(
        self,
        members: Iterable[Member],
        used: Container[str] = (),
        unused: Mapping[str, str] | None = None,
        holds_files: bool = True,
    ) -> None:
        self._members = packed(members)
        self._described = 0
        self._dropped: dict[int, list[SkippedFile]] = {}
        self.side_files: list[str] = []
        readable = array("i")
        # Million-fold, a reason is one object.
        reasons: dict[str, SkippedFile] = {}
        known = {
            why: SkippedFile("side file, not used", why) for why in set((unused or {}).values())
        }
        for index, member in enumerate(self._members):
            if member.refused is not None:
                self._dropped[index] = [member.refused]
            elif member.path in used:
                self._described += 1
            elif unused and member.path in unused:
                self._dropped[index] = [known[unused[member.path]]]
                self.side_files.append(member.path)
            elif holds_files and (kind := side_kind(member.path)) is not None:
                if kind == DATA:
                    kind = f".{member.path.rpartition('.')[2].lower()}"
                if kind not in reasons:
                    reasons[kind] = SkippedFile(f"{kind}, not used")
                self._dropped[index] = [reasons[kind]]
                self.side_files.append(member.path)
            else:
                readable.append(index)
        self.readable = np.array(readable, np.int32)
        self.kept = array("i")
        self._last = -1
        self._noted = 0
        self._new_dropped: list[tuple[int, str, str]] = []
        self._new_conversions: Counter[str] = Counter()
        self.conversions: Counter[str] = Counter()
        # Members that were dealt with, and those that gave an image.
        self._settled = np.zeros(len(self._members), np.bool_)
        self._gave = np.zeros(len(self._members), np.bool_)
        self.done = 0

    @property
    def kept_paths(self) -> Iterator[str]:
        """The paths of those that became images; once for each image."""
        return (self._members.path(index) for index in self.kept)

    def keep(self, index: int, conversions: Sequence[str]) -> None:
        """Note that member `index` became an image."""
        self._settle(index)
        self._gave[index] = True
        self.kept.append(index)
        self.conversions.update(conversions)
        self._new_conversions.update(conversions)

    def drop(self, index: int, unusable: SkippedFile) -> None:
        """Note that member `index`, or one of the faces in it, is left out."""
        # Raised, it holds the frames that it came through, and they the bytes of the file.
        self._settle(index)
        noted = SkippedFile(unusable.reason, unusable.detail[:_LONGEST])
        self._dropped.setdefault(index, []).append(noted)
        self._new_dropped.append((index, noted.reason, noted.detail))

    def to_do(self) -> npt.NDArray[np.bool_]:
        """Which members are to be read still: bool [members]."""
        chosen = np.zeros(len(self._members), np.bool_)
        chosen[self.readable[self.readable > self._last]] = True
        return chosen

    def news(self) -> dict[str, Any]:
        """What was noted since this was asked last, as JSON has it; see `replay`."""
        found = {
            "last": self._last,
            "kept": self.kept[self._noted :].tolist(),
            "dropped": self._new_dropped,
            "conversions": dict(self._new_conversions),
        }
        self._noted, self._new_dropped = len(self.kept), []
        self._new_conversions = Counter()
        return found

    def replay(self, news: Mapping[str, Any]) -> None:
        """Note again what an import that was killed noted."""
        for index in news["kept"]:
            self.keep(int(index), ())
        for index, reason, detail in news["dropped"]:
            self.drop(int(index), SkippedFile(str(reason), str(detail)))
        self.conversions.update(news["conversions"])
        self._last = int(news["last"])
        self.news()

    def _settle(self, index: int) -> None:
        self._last = max(self._last, index)
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
                row = (self._members.path(index), why.reason, why.detail)
                writer.writerow([escaped(value) for value in row])
        return buffer.getvalue()


def summary(files: Mapping[str, str]) -> dict[str, str]:
    """Side files by name, with what is said of each; many alike by their extension.

    Args:
        files: path → for what it was used, or why not; "" where its name says enough.
    """
    if len(files) <= _MOST_NAMED:
        return {
            escaped(path): said or f"{side_kind(path) or 'a file'}" for path, said in files.items()
        }
    groups = Counter(
        (f"*.{basename(path).rpartition('.')[2].lower()}", said or side_kind(path) or "a file")
        for path, said in files.items()
    )
    return {
        escaped(f"{count:,} × {name}"): said
        for (name, said), count in groups.most_common(_MOST_NAMED)
    }
