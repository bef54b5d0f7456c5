"""Features of real pictures, computed once for each dataset and extractor.

A folder for each pair holds `features.f32`, the rows of all pictures of the dataset, and
`sums.u64`, a checksum of each row that has been computed: asking for other pictures later
computes only those that are missing. A row whose checksum differs was torn, or damaged since,
and is computed again, so that a crash costs time and never truth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from facegan.cache import keep_array, not_kept, read_array
from facegan.data.dataset import Dataset
from facegan.disk import sync
from facegan.evaluation.extractors.base import Extractor
from facegan.locks import Lock

Features = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

# Pictures between two calls of `progress`: a second or so.
_CHUNK = 64


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


def extract(
    extractor: Extractor,
    images: npt.NDArray[np.uint8],
    indices: npt.NDArray[np.int64] | None = None,
    mirrored: bool = False,
    progress: Progress = silent,
) -> Features:
    """The features of many pictures, a few at a time.

    Args:
        extractor: from pictures to vectors.
        images: uint8 [M, H, W, C], in memory or memory-mapped.
        indices: which of them; all by default.
        mirrored: whether each is mirrored, left to right, first.
        progress: called with (pictures done, pictures in all).

    Returns:
        float32 [N, D], in the order of `indices`.
    """
    chosen = np.arange(len(images)) if indices is None else indices
    found = np.empty((len(chosen), extractor.dimension), np.float32)
    for begin in range(0, len(chosen), _CHUNK):
        rows = chosen[begin : begin + _CHUNK]
        some = np.asarray(images[rows])
        found[begin : begin + len(rows)] = extractor.features(_mirror(some) if mirrored else some)
        progress(begin + len(rows), len(chosen))
    return found


def _mirror(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(images[:, :, ::-1])


class FeatureCache:
    """Keeps what `extract` found for the pictures of datasets.

    Args:
        folder: where; made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def features(
        self,
        extractor: Extractor,
        dataset: Dataset,
        indices: npt.NDArray[np.int64],
        mirrored: bool = False,
        progress: Progress = silent,
    ) -> Features:
        """The features of some pictures of a dataset: float32 [N, D], in the order of `indices`.

        Where the folder cannot be written, they are computed and not kept, with a warning.
        Another process that computes the same is waited for.
        """
        name = hashlib.sha256(
            f"{dataset.fingerprint} {extractor.fingerprint} {mirrored}".encode()
        ).hexdigest()[:24]
        place = self._folder / "features" / f"{extractor.name.replace('/', '-')}-{name}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            with Lock(place / ".lock", patience=None):
                rows = _Rows(place, len(dataset), extractor.dimension)
                found, whole = rows.read(indices)
                missing = np.unique(indices[~whole])
                for begin in range(0, len(missing), _CHUNK):
                    some = missing[begin : begin + _CHUNK]
                    rows.write(some, extract(extractor, dataset.images, some, mirrored))
                    progress(begin + len(some), len(missing))
                if not len(missing):
                    return found
                rows.sync()
                found, whole = rows.read(indices)
                if not whole.all():
                    raise OSError("the disk does not give back what was written")
                return found
        except OSError as error:
            not_kept("features", f"{place}: {error.strerror or error}.")
            return extract(extractor, dataset.images, indices, mirrored, progress)

    def array(self, name: str, make: Callable[[], Numbers]) -> Numbers:
        """An array of numbers that is made once.

        Args:
            name: all that decides its content.
            make: makes it, where it is not there or was damaged.
        """
        digest = hashlib.sha256(name.encode()).hexdigest()[:24]
        path = self._folder / "arrays" / f"{digest}.npy"
        known = read_array(path)
        if known is not None:
            return cast(Numbers, known)
        found = cast(Numbers, np.ascontiguousarray(make()))
        keep_array(path, found, "statistics of features")
        return found


class _Rows:
    """The two files of one dataset and extractor.

    Written with ordinary calls, not through a memory map, because a full disk must be an
    error that can be caught, and not a signal that kills the process.
    """

    def __init__(self, place: Path, rows: int, dimension: int) -> None:
        self._features, self._sums = place / "features.f32", place / "sums.u64"
        self._shape = (rows, dimension)
        sizes = {self._features: rows * dimension * 4, self._sums: rows * 8}
        if any(not path.exists() or path.stat().st_size != n for path, n in sizes.items()):
            self._sums.unlink(missing_ok=True)
            for path, size in sizes.items():
                with path.open("wb") as file:
                    file.truncate(size)

    def write(self, indices: npt.NDArray[np.int64], features: Features) -> None:
        with self._features.open("r+b") as file, self._sums.open("r+b") as sums:
            for index, row in zip(indices, features, strict=True):
                file.seek(int(index) * features.shape[1] * 4)
                file.write(np.ascontiguousarray(row).tobytes())
                sums.seek(int(index) * 8)
                sums.write(_sum(row).tobytes())

    def sync(self) -> None:
        for path in (self._features, self._sums):
            sync(path)

    def read(self, indices: npt.NDArray[np.int64]) -> tuple[Features, npt.NDArray[np.bool_]]:
        """These rows, and which of them are there and as they were written."""
        found = np.asarray(np.memmap(self._features, np.float32, "r", shape=self._shape)[indices])
        sums = np.fromfile(self._sums, np.uint64)[indices]
        whole = np.fromiter(
            (known != 0 and known == _sum(row) for known, row in zip(sums, found, strict=True)),
            np.bool_,
            len(indices),
        )
        return found, whole


def _sum(row: npt.NDArray[np.float32]) -> np.uint64:
    """A checksum of a row of features; never 0, which stands for none."""
    digest = hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little") | 1)
