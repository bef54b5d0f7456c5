"""What a dataset's card says of its content in numbers, gathered while the images go by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import SPLITS
from facegan.data.spec import class_groups

_HASH = 16
# Rows of labels looked at together.
_ROWS = 1 << 16


class Statistics:
    """Counts and pixel statistics, kept exactly (in integers) while images go by."""

    def __init__(self, channels: int) -> None:
        self._histogram = np.zeros((channels, 256), np.int64)
        # Of each image a hash of its pixels and one of who is shown, 32 bytes: as sets of objects,
        # they would take ten times that.
        self._pixels, self._people, self._held = bytearray(), bytearray(), bytearray()
        self._splits = dict.fromkeys(SPLITS, 0)

    def add(
        self, images: npt.NDArray[np.uint8], identities: Sequence[str], splits: Sequence[str]
    ) -> None:
        """Count n images, uint8 [n,H,W,C], of these persons and splits."""
        import cv2

        for image, identity, split in zip(images, identities, splits, strict=True):
            self._splits[split] += 1
            self._pixels += _hash(np.ascontiguousarray(image).data)
            self._people += _hash(identity.encode("utf-8", "surrogatepass"))
            self._held.append(split == "holdout")
            if split == "train":
                for channel, histogram in enumerate(self._histogram):
                    # float32 counts are exact below 2**24 pixels; one image stays below.
                    counts = cv2.calcHist([image], [channel], None, [256], [0, 256])
                    histogram += counts.reshape(-1).astype(np.int64)

    @property
    def counts(self) -> dict[str, int]:
        """Kept, train, holdout, identities and pictures equal to an earlier one."""
        different, which = _groups(self._pixels)
        held = np.frombuffer(self._held, np.bool_)
        sides = np.zeros((2, different), np.bool_)
        sides[0, which[held]] = sides[1, which[~held]] = True
        return {
            "kept": sum(self._splits.values()),
            **self._splits,
            "identities": _groups(self._people)[0],
            "duplicates": len(which) - different,
            "duplicates_across_splits": int(sides.all(0).sum()),
        }

    def mean_and_std(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each channel of the train split, values in [0,1]."""
        values = np.arange(256) / 255
        share = self._histogram / self._histogram.sum(axis=1, keepdims=True)
        mean = share @ values
        variance = (share * (values - mean[:, None]) ** 2).sum(axis=1)
        return [round(float(m), 6) for m in mean], [round(float(s), 6) for s in np.sqrt(variance)]


def _hash(data: bytes | memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=_HASH).digest()


def _groups(hashes: bytearray) -> tuple[int, npt.NDArray[np.int32]]:
    """Equal hashes: how many groups there are, and the group of each hash."""
    halves = np.frombuffer(hashes, np.uint64).reshape(-1, _HASH // 8)
    order = np.lexsort(halves.T)
    new = np.zeros(len(halves), np.bool_)
    new[:1] = True
    for half in halves.T:
        ordered = half[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    which = np.empty(len(halves), np.int32)
    which[order] = np.cumsum(new, dtype=np.int32) - 1
    return int(new.sum()), which


def describe_labels(path: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Name, missing, mean, lowest and highest of each column of labels.npy at `path`."""
    columns: list[dict[str, Any]] = []
    for name, values in zip(names, np.load(path, mmap_mode="r").T, strict=True):
        known = values[~np.isnan(values)].astype(np.float64)
        about: dict[str, Any] = {"name": name, "missing": int(values.size - known.size)}
        if known.size:
            about["mean"] = round(float(known.mean()), 6)
            about["lowest"] = round(float(known.min()), 6)
            about["highest"] = round(float(known.max()), 6)
        columns.append(about)
    return columns


def count_classes(path: Path, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many pictures are of each class, by the column of which it is one: the classes' balance.

    Labels called `COLUMN=CLASS` are classes of one column. A picture that is of several, by equal
    shares of averaged rows, counts for the first.
    """
    groups = class_groups(names)
    if not groups:
        return {}
    values = np.load(path, mmap_mode="r")
    found = {}
    for column, places in groups.items():
        counts = np.zeros(len(places), np.int64)
        missing = 0
        for begin in range(0, len(values), _ROWS):
            rows = np.asarray(values[begin : begin + _ROWS, list(places.values())])
            known = ~np.isnan(rows).all(1)
            missing += int((~known).sum())
            best = np.nan_to_num(rows[known], nan=-1).argmax(1)
            counts += np.bincount(best, minlength=len(places))
        found[column] = dict(zip(places, counts.tolist(), strict=True))
        if missing:
            found[column]["(missing)"] = missing
    return found
