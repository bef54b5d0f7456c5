"""Pictures that are nearly the same, found exactly over a whole dataset.

Two pictures are near duplicates where both measures say so:

- their difference hashes, 64 bits that say whether each of 8×8 cells is brighter than the one on
  its left, differ in at most 7 bits;
- the correlation of their brightness at 24×24 pixels is at least 0.97.

In LFW (crop 152, 64 pixels), all 21 pairs that fulfil both are the same photograph, in other
colours or another cut, or taken a moment later; pairs of different people begin below 0.95. Every
pair is compared that can fulfil the first: two hashes that differ in at most 7 bits are equal in
one of their 8 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.people import people_known

MOST_BITS = 7
CORRELATION = 0.97
_SIDE = 24
# Pairs compared at a time.
_BLOCK = 1 << 21
_READ = 512
# Pairs whose correlation is computed at a time, and thumbnails that are kept (75 MB).
_PAIRS = 1 << 13
_KEPT = 1 << 15
# Where a picture shows nothing, no correlation is defined: such are equal if they differ by this.
_FLAT = 2.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Duplicates:
    """Near duplicates of a dataset.

    Attributes:
        groups: rows whose pictures are nearly the same, or are connected by such; each group
            ascending, the groups in the order of their first rows.
    """

    groups: tuple[tuple[int, ...], ...]

    @property
    def pictures(self) -> int:
        """How many there are beyond one of each group."""
        return sum(len(group) - 1 for group in self.groups)

    def several_names(self, dataset: Dataset) -> list[tuple[int, ...]]:
        """The groups whose pictures have different identities; none where nobody knows who is
        shown, and each picture counts as somebody else.
        """
        if not self.groups or not people_known(dataset):
            return []
        rows = {row for group in self.groups for row in group}
        names = {row: item[1] for row, item in enumerate(dataset.items()) if row in rows}
        return [group for group in self.groups if len({names[row] for row in group}) > 1]


def near_duplicates(dataset: Dataset, progress: Progress | None = None) -> Duplicates:
    """Find all near duplicates in a dataset.

    Memory grows by some bytes a picture, not by the pictures.

    Args:
        dataset: whose pictures are compared.
        progress: called with (pictures hashed, pictures in all).
    """
    hashes, contents = np.empty(len(dataset), np.uint64), np.empty((len(dataset), 2), np.uint64)
    for start in range(0, len(dataset), _READ):
        rows = np.arange(start, min(start + _READ, len(dataset)))
        images = dataset.copied(rows)
        hashes[rows] = difference_hashes(images)
        contents[rows] = [_content(image) for image in images]
        if progress is not None:
            progress(int(rows[-1]) + 1, len(dataset))
    union, thumbnails = _Union(len(dataset)), _Thumbnails(dataset)
    # Of equal pictures one stands for all: two of them, or a thousand, compare alike.
    _, first, which = np.unique(contents, axis=0, return_index=True, return_inverse=True)
    union.join_all(first[which.reshape(-1)])
    different = np.sort(first)
    for among in close_pairs(hashes[different]):
        pairs = different[among]
        # What is known to belong together needs no look: thousands of equal pictures make millions
        # of pairs.
        unknown = pairs[union.first(pairs[:, 0]) != union.first(pairs[:, 1])]
        for start in range(0, len(unknown), _PAIRS):
            block = unknown[start : start + _PAIRS]
            block = block[union.first(block[:, 0]) != union.first(block[:, 1])]
            for a, b in block[_correlated(thumbnails, block)].tolist():
                union.join(a, b)
    return Duplicates(union.groups())


def difference_hashes(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """A hash of each picture: uint64 [N], by uint8 [N,H,W,C]."""
    import cv2

    bits = np.empty((len(images), 64), np.bool_)
    for index, image in enumerate(images):
        cells = cv2.resize(_luma(image), (9, 8), interpolation=cv2.INTER_AREA)
        bits[index] = (cells[:, 1:] > cells[:, :-1]).reshape(64)
    return np.packbits(bits, axis=1).view(np.uint64).reshape(-1)


def _content(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """A checksum of a picture: uint64 [2]."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
    return np.frombuffer(digest, np.uint64)


def close_pairs(
    hashes: npt.NDArray[np.uint64], most: int = MOST_BITS
) -> Iterator[npt.NDArray[np.int64]]:
    """All pairs of hashes that differ in at most `most` bits, of which at most 7 can be asked for.

    Yields:
        int64 [P,2], the lower row first; each pair once.
    """
    if most > MOST_BITS:
        raise ValueError(f"pairs that differ in {most} bits may share no byte")
    together = hashes.view(np.uint8).reshape(-1, 8)
    for byte in range(8):
        order = np.argsort(together[:, byte], kind="stable")
        limits = np.searchsorted(together[order, byte], np.arange(257))
        for low, high in pairwise(limits.tolist()):
            rows = order[low:high]
            some = max(1, _BLOCK // max(len(rows), 1))
            for start in range(0, len(rows), some):
                here = rows[start : start + some]
                apart = np.bitwise_count(hashes[here, None] ^ hashes[None, rows[start:]])
                first, second = np.nonzero(apart <= most)
                ordered = second > first
                # The order is stable, so that the lower row is the first.
                pairs = np.stack([here[first[ordered]], rows[start:][second[ordered]]], 1)
                # Those that are equal in an earlier byte have been found there.
                apart_in = np.bitwise_xor(*hashes[pairs].T).view(np.uint8).reshape(-1, 8)
                pairs = pairs[apart_in[:, :byte].all(1)]
                if len(pairs):
                    yield pairs.astype(np.int64, copy=False)


class _Thumbnails:
    """Brightness of a dataset's pictures at 24×24 pixels.

    Where many pictures have close hashes, each is met again and again: it is kept for a while.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._kept: dict[int, npt.NDArray[np.float32]] = {}

    def of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Of some rows: float32 [N,576]."""
        missing = np.array([row for row in rows.tolist() if row not in self._kept], np.int64)
        if len(self._kept) + len(missing) > _KEPT:
            self._kept.clear()
            missing = rows
        for start in range(0, len(missing), _READ):
            some = missing[start : start + _READ]
            found = _thumbnails(self._dataset.copied(some))
            self._kept.update(zip(some.tolist(), found, strict=True))
        return np.stack([self._kept[row] for row in rows.tolist()])


def _correlated(thumbnails: _Thumbnails, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which pairs of pictures correlate: bool [P]."""
    if not len(pairs):
        return np.zeros(0, np.bool_)
    rows, places = np.unique(pairs, return_inverse=True)
    small = thumbnails.of(rows)
    one, two = places.reshape(-1, 2).T
    around = small - small.mean(1, keepdims=True)
    length = np.sqrt((around**2).sum(1))
    shows = length > _SIDE  # a standard deviation of 1
    around /= np.where(shows, length, 1)[:, None]
    alike = np.einsum("ij,ij->i", around[one], around[two]) >= CORRELATION
    flat = np.flatnonzero(~(shows[one] & shows[two]))
    alike[flat] = np.abs(small[one[flat]] - small[two[flat]]).max(1, initial=0) <= _FLAT
    return alike


def _thumbnails(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Brightness at 24×24 pixels: float32 [N,576]."""
    import cv2

    small = [
        cv2.resize(_luma(image).astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        for image in images
    ]
    return np.stack(small).reshape(len(images), -1).astype(np.float32)


def _luma(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    import cv2

    if image.shape[2] == 1:
        return image[:, :, 0]
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


class _Union:
    """Sets that grow together (union–find)."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def first(self, items: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The first of the set that each item is in: int64 [n]."""
        found = self._parent[items]
        while not np.array_equal(further := self._parent[found], found):
            found = further
        self._parent[items] = found
        return found

    def join(self, a: int, b: int) -> None:
        """Make one set of two."""
        first, second = np.sort(self.first(np.array([a, b])))
        self._parent[second] = first

    def join_all(self, firsts: npt.NDArray[np.int64]) -> None:
        """Put each item into the set of another, the first of its set; before all else."""
        self._parent[:] = firsts

    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The sets of two and more."""
        members: dict[int, list[int]] = {}
        others = np.flatnonzero(self._parent != np.arange(len(self._parent)))
        for item, first in zip(others.tolist(), self.first(others).tolist(), strict=True):
            members.setdefault(first, []).append(item)
        return tuple((first, *rest) for first, rest in sorted(members.items()))
