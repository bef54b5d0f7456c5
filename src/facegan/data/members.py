"""The files of a source: one of them, and a million of them in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

# Paths that are read out together.
_BLOCK = 1 << 12


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


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source.

    Attributes:
        path: where it lies inside the source, parts separated by "/".
        size: bytes, uncompressed, as declared.
        refused: why it must not be read, or None.
        stamp: when it was changed, in nanoseconds; 0 in an archive, which has a hash.
    """

    path: str
    size: int
    refused: SkippedFile | None = None
    stamp: int = 0


class Members(Sequence[Member]):
    """The files of a source, packed: the bytes of the path of each, and 16 more (24 in a folder).

    As objects, they would take some 200. What is asked for is made anew each time.

    Args:
        members: to begin with.
    """

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._text = bytearray()
        self._ends, self._sizes, self._stamps = array("q"), array("q"), array("q")
        self._refused: dict[int, SkippedFile] = {}
        for member in members:
            self.append(member)

    def append(self, member: Member) -> None:
        """Add one at the end."""
        # Names that are no valid text carry their bytes as surrogates.
        self._text += member.path.encode("utf-8", "surrogatepass")
        if member.stamp and not self._stamps:
            self._stamps.frombytes(bytes(8 * len(self._ends)))
        if member.stamp or self._stamps:
            self._stamps.append(member.stamp)
        if member.refused is not None:
            self._refused[len(self._ends)] = member.refused
        self._ends.append(len(self._text))
        self._sizes.append(member.size)

    def refuse(self, number: int, why: SkippedFile) -> None:
        """Say that a member must not be read."""
        self._refused[number] = why

    def path(self, number: int) -> str:
        """The path of a member, counted from 0."""
        begin = self._ends[number - 1] if number else 0
        return self._text[begin : self._ends[number]].decode("utf-8", "surrogatepass")

    def usable(self) -> npt.NDArray[np.int32]:
        """The numbers of those that are not refused: int32, ascending."""
        fine = np.ones(len(self), np.bool_)
        fine[list(self._refused)] = False
        return np.flatnonzero(fine).astype(np.int32)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """The size of each, in bytes: int64 [N], a copy."""
        return np.array(self._sizes, np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, key: int) -> Member: ...
    @overload
    def __getitem__(self, key: slice) -> Members: ...
    def __getitem__(self, key: int | slice) -> Member | Members:
        numbers = range(len(self))[key]
        if not isinstance(numbers, int):
            return Members(self[number] for number in numbers)
        stamp = self._stamps[numbers] if self._stamps else 0
        why = self._refused.get(numbers)
        return Member(self.path(numbers), self._sizes[numbers], why, stamp)


class Paths(Sequence[str]):
    """The paths of some members, made when they are asked for.

    Args:
        members: all of them.
        numbers: which, int [n].
    """

    def __init__(self, members: Members, numbers: npt.NDArray[np.integer]) -> None:
        self._members, self._numbers = members, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        for begin in range(0, len(self._numbers), _BLOCK):
            yield from map(self._members.path, self._numbers[begin : begin + _BLOCK].tolist())

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> Paths: ...
    def __getitem__(self, key: int | slice) -> str | Paths:
        if isinstance(key, slice):
            return Paths(self._members, self._numbers[key])
        return self._members.path(int(self._numbers[key]))

    def those(self, chosen: npt.NDArray[np.bool_]) -> Paths:
        """Some of these: where `chosen`, bool [n], is true."""
        return Paths(self._members, self._numbers[chosen])


def packed(members: Iterable[Member]) -> Members:
    """`members`, packed; themselves if they are."""
    return members if isinstance(members, Members) else Members(members)


def last_of_each_name(members: Members) -> Members:
    """`members`, refusing all but the last of those that share a path, as unpacking would."""
    # Equal paths have equal hashes: only those few are compared as text.
    numbers = members.usable()
    paths = Paths(members, numbers)
    hashes = np.fromiter(map(hash, paths), np.int64, len(paths))
    order = np.argsort(hashes, kind="stable")
    again = np.flatnonzero(np.diff(hashes[order]) == 0)
    suspects = numbers[np.sort(order[np.union1d(again, again + 1)])].tolist()
    last = {members.path(number): number for number in suspects}
    for number in suspects:
        if last[members.path(number)] != number:
            members.refuse(number, SkippedFile("duplicate name", "a later one is kept"))
    return members
