"""Features of real pictures, computed once for each dataset and extractor.

A folder for each pair holds `features.f32`, the rows of all pictures of the dataset, and
`done.u8`, which of them have been computed: asking for other pictures later computes only
those that are missing. A row is marked as done after it was written, so that a crash costs
time and never truth.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.evaluation.extractors.base import Extractor

Features = npt.NDArray[np.float32]
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
        from filelock import FileLock

        name = hashlib.sha256(
            f"{dataset.fingerprint} {extractor.fingerprint} {mirrored}".encode()
        ).hexdigest()[:24]
        place = self._folder / "features" / f"{extractor.name.replace('/', '-')}-{name}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            with FileLock(place / ".lock"):
                rows = _Rows(place, len(dataset), extractor.dimension)
                missing = np.unique(indices[~rows.done(indices)])
                for begin in range(0, len(missing), _CHUNK):
                    some = missing[begin : begin + _CHUNK]
                    rows.write(some, extract(extractor, dataset.images, some, mirrored))
                    progress(begin + len(some), len(missing))
                return rows.read(indices)
        except OSError as error:
            warnings.warn(
                f"Features are not kept for the next time: {place}: {error.strerror or error}.",
                stacklevel=2,
            )
            return extract(extractor, dataset.images, indices, mirrored, progress)


class _Rows:
    """The two files of one dataset and extractor.

    Written with ordinary calls, not through a memory map, because a full disk must be an
    error that can be caught, and not a signal that kills the process.
    """

    def __init__(self, place: Path, rows: int, dimension: int) -> None:
        self._features, self._done = place / "features.f32", place / "done.u8"
        self._shape = (rows, dimension)
        sizes = {self._features: rows * dimension * 4, self._done: rows}
        if any(not path.exists() or path.stat().st_size != n for path, n in sizes.items()):
            self._done.unlink(missing_ok=True)
            for path, size in sizes.items():
                with path.open("wb") as file:
                    file.truncate(size)

    def done(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return np.fromfile(self._done, np.uint8)[indices] == 1

    def write(self, indices: npt.NDArray[np.int64], features: Features) -> None:
        with self._features.open("r+b") as file:
            for index, row in zip(indices, features, strict=True):
                file.seek(int(index) * features.shape[1] * 4)
                file.write(np.ascontiguousarray(row).tobytes())
        with self._done.open("r+b") as file:
            for index in indices:
                file.seek(int(index))
                file.write(b"\x01")

    def read(self, indices: npt.NDArray[np.int64]) -> Features:
        return np.asarray(np.memmap(self._features, np.float32, "r", shape=self._shape)[indices])
