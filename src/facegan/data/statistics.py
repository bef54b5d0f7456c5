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

# Rows of labels looked at together.
_ROWS = 1 << 16


class Statistics:
    """Counts and pixel statistics, kept exactly (in integers) while images go by."""

    def __init__(self, channels: int) -> None:
        self._histogram = np.zeros((channels, 256), np.int64)
        self._identities: set[str] = set()
        self._seen: dict[bytes, str] = {}
        self._across: set[bytes] = set()
        self._splits = dict.fromkeys(SPLITS, 0)
        self._duplicates = 0

    def add(
        self, images: npt.NDArray[np.uint8], identities: Sequence[str], splits: Sequence[str]
    ) -> None:
        """Count n images, uint8 [n,H,W,C], of these persons and splits."""
        import cv2

        self._identities.update(identities)
        for image, split in zip(images, splits, strict=True):
            self._splits[split] += 1
            digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
            if digest in self._seen:
                self._duplicates += 1
                if self._seen[digest] != split:
                    self._across.add(digest)
            self._seen.setdefault(digest, split)
            if split == "train":
                for channel, histogram in enumerate(self._histogram):
                    # float32 counts are exact below 2**24 pixels; one image stays below.
                    counts = cv2.calcHist([image], [channel], None, [256], [0, 256])
                    histogram += counts.reshape(-1).astype(np.int64)

    @property
    def counts(self) -> dict[str, int]:
        """Kept, train, holdout, identities and pictures equal to an earlier one."""
        return {
            "kept": sum(self._splits.values()),
            **self._splits,
            "identities": len(self._identities),
            "duplicates": self._duplicates,
            "duplicates_across_splits": len(self._across),
        }

    def mean_and_std(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each channel of the train split, values in [0,1]."""
        values = np.arange(256) / 255
        share = self._histogram / self._histogram.sum(axis=1, keepdims=True)
        mean = share @ values
        variance = (share * (values - mean[:, None]) ** 2).sum(axis=1)
        return [round(float(m), 6) for m in mean], [round(float(s), 6) for s in np.sqrt(variance)]


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
