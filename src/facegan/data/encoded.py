"""Pictures of a dataset as PNGs in one file: a third to a half of the bytes, for large ones.

    images.bin     the PNGs, one after another
    offsets.npy    int64 [N+1]: where each begins, and where the last one ends

Nothing is lost: PNG keeps every value. A picture is decoded each time that it is asked for, a few
at a time side by side.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.append import HashedFile
from facegan.data.pictures import MAX_PIXELS, open_picture, png_bytes
from facegan.errors import DataError, one_line
from facegan.memory import usable_cores

ENCODED, OFFSETS = "images.bin", "offsets.npy"
# From so many pixels a side on, datasets are written like this.
FROM_RESOLUTION = 512
_LEVEL = 2
_START, _END = b"\x89PNG\r\n\x1a\n", b"IEND"
_THREADS = 8


class EncodedImages:
    """The pictures, as an array of uint8 [N,H,W,C] would give them: by number, slice or numbers.

    Args:
        path: the file of PNGs.
        offsets: int64 [N+1].
        resolution: height and width of each.
        channels: 1 or 3.

    Attributes:
        shape: [N,H,W,C].
        offsets: as given.

    Raises:
        DataError: the offsets do not fit the file, or it cannot be opened.
    """

    ndim = 4
    dtype = np.dtype(np.uint8)

    def __init__(
        self, path: Path, offsets: npt.NDArray[np.int64], resolution: int, channels: int
    ) -> None:
        self.path = path
        self.shape = (len(offsets) - 1, resolution, resolution, channels)
        self.offsets = offsets
        try:
            self._file = path.open("rb", buffering=0)
            size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}).",
                "Look after its disk, and run the same command again.",
            ) from error
        fits = len(offsets) > 1 and offsets[0] == 0 and offsets[-1] == size
        if not fits or (np.diff(offsets) < 1).any():
            raise DataError(
                f"{path} is damaged or cut short: its size does not fit {OFFSETS}.",
                "Import it again.",
            )
        workers = min(_THREADS, len(usable_cores()))
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes of all pictures, decoded."""
        return math.prod(self.shape)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all pictures in the file."""
        return int(self.offsets[-1])

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            found = self(np.array([range(len(self))[int(first)]]))[0]
        else:
            found = self(np.arange(len(self))[first])
            rest = [slice(None), *rest]
        return found[tuple(rest)] if rest else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("encoded pictures cannot be given without a copy")
        found = self(np.arange(len(self)))
        return found if dtype is None else found.astype(dtype)

    def __call__(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """The pictures of these rows, decoded: uint8 [len(rows),H,W,C].

        Raises:
            DataError: one of them is damaged, or the file cannot be read any more.
        """
        out = np.empty((len(rows), *self.shape[1:]), np.uint8)
        places = list(enumerate(rows.tolist()))

        def fill(place: tuple[int, int]) -> None:
            out[place[0]] = self._decoded(place[1])

        if self._pool is not None and len(places) > 1:
            list(self._pool.map(fill, places))
        else:
            for each in places:
                fill(each)
        return out

    def blocks(self, size: int = 1 << 24) -> Iterator[bytes]:
        """The bytes of the file, in order."""
        for begin in range(0, self.stored_bytes, size):
            yield self._read(begin, min(size, self.stored_bytes - begin), 0)

    def _read(self, begin: int, size: int, row: int) -> bytes:
        try:
            if hasattr(os, "pread"):
                data = os.pread(self._file.fileno(), size, begin)
            else:
                with self.path.open("rb") as file:
                    file.seek(begin)
                    data = file.read(size)
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read ({error.strerror}).",
                "Look after its disk, and run the same command again.",
            ) from error
        if len(data) != size:
            raise DataError(
                f"{self.path} was cut short while it was in use: row {row} is missing.",
                "Import the dataset again, and go on with the run.",
            )
        return data

    def _decoded(self, row: int) -> npt.NDArray[np.uint8]:
        begin, end = int(self.offsets[row]), int(self.offsets[row + 1])
        _, height, width, channels = self.shape
        try:
            with open_picture(io.BytesIO(self._read(begin, end - begin, row)), ("PNG",)) as picture:
                if picture.size != (width, height) or width * height > MAX_PIXELS:
                    raise ValueError(f"it has {picture.width}×{picture.height} pixels")
                if picture.mode != ("L" if channels == 1 else "RGB"):
                    raise ValueError(f"it is {picture.mode}")
                return np.asarray(picture).reshape(height, width, channels)
        except DataError:
            raise
        except Exception as error:  # decoders meet damaged bytes and let out whatever they please
            raise DataError(
                f"{self.path}: row {row} is damaged ({one_line(error)}).", "Import it again."
            ) from error


def read_offsets(path: Path) -> npt.NDArray[np.int64]:
    """The offsets of a dataset.

    Raises:
        DataError: the file cannot be read, or is none.
    """
    try:
        offsets = np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy evaluates headers, and lets out whatever that gives
        raise DataError(
            f"{path} is missing, damaged or cut short ({one_line(error)}).", "Import it again."
        ) from error
    if offsets.dtype != np.int64 or offsets.ndim != 1:
        raise DataError(f"{path} holds {offsets.dtype} {list(offsets.shape)}.", "Import it again.")
    return offsets


class EncodedFile(HashedFile):
    """The file of PNGs in the making.

    Args:
        path: the file.
        shape: of one picture.
        rows: of a file that is to go on: how many pictures stay.
        length: of such a file: their bytes.

    Raises:
        OSError: the file is shorter than that, or holds other pictures.
    """

    header_length = 0

    def __init__(
        self, path: Path, shape: Sequence[int], rows: int | None = None, length: int = 0
    ) -> None:
        self._path, self._shape = path, tuple(shape)
        super().__init__(path, None if rows is None else length)
        self._ends = [0] if rows is None else [0, *_ends(path)]
        if rows is not None and (len(self._ends) != rows + 1 or self._ends[-1] != length):
            raise OSError(f"{path} holds {len(self._ends) - 1} pictures, not {rows}")
        self._pool = ThreadPoolExecutor(min(_THREADS, len(usable_cores())))

    def append(self, images: npt.NDArray[np.uint8]) -> None:
        """Append pictures, uint8 [n,*shape]."""
        for data in self._pool.map(partial(png_bytes, level=_LEVEL), images):
            self.write(data)
            self._ends.append(self._ends[-1] + len(data))

    def rows(self, begin: int, end: int) -> npt.NDArray[np.uint8]:
        """Pictures that were written, decoded."""
        self._file.flush()
        resolution, _, channels = self._shape
        images = EncodedImages(self._path, np.array(self._ends, np.int64), resolution, channels)
        return images(np.arange(begin, end))

    def complete(self, count: int) -> None:
        """Write the offsets, and close both files."""
        assert len(self._ends) == count + 1
        buffer = io.BytesIO()
        np.save(buffer, np.array(self._ends, np.int64))
        with self._path.with_name(OFFSETS).open("wb") as file:
            file.write(buffer.getvalue())
            file.flush()
            os.fsync(file.fileno())
        self.close()

    @property
    def sha256(self) -> str:
        """The hash of the pictures and of where they are; see `encoded_hash`."""
        return encoded_hash(super().sha256, np.array(self._ends, np.int64))


def encoded_hash(images_sha256: str, offsets: npt.NDArray[np.int64]) -> str:
    """What stands for the pictures in a dataset's fingerprint."""
    return f"png:{images_sha256}:{hashlib.sha256(offsets.tobytes()).hexdigest()}"


def _ends(path: Path) -> Iterator[int]:
    """Where each PNG of a file ends, by the lengths of its chunks."""
    with path.open("rb") as file:
        while True:
            start = file.read(len(_START))
            if not start:
                return
            if start != _START:
                raise OSError(f"{path} holds something else than PNGs")
            kind = b""
            while kind != _END:
                head = file.read(8)
                if len(head) < 8:
                    raise OSError(f"{path} ends in the middle of a picture")
                length, kind = struct.unpack(">I4s", head)
                file.seek(length + 4, os.SEEK_CUR)
            yield file.tell()
