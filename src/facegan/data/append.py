"""Files that only grow and know the hash of what they hold: parts of a dataset in the making."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_BLOCK = 1 << 20


class HashedFile:
    """A file that is only appended to, and its SHA-256.

    Args:
        path: the file; begun anew, unless it is to go on.
        length: of a file that is to go on: bytes that stay, header included. What is behind them
            was being written when the process was killed.
        header: bytes at the beginning that are left out of the hash.

    Raises:
        OSError: the file cannot be opened, or is shorter than that.
    """

    def __init__(self, path: Path, length: int | None = None, header: int = 0) -> None:
        self._digest = hashlib.sha256()
        if length is None:
            self._file: IO[bytes] = path.open("wb")
            return
        self._file = path.open("r+b")
        if self._file.seek(0, os.SEEK_END) < length:
            self._file.close()
            raise OSError(f"{path} is shorter than it was")
        self._file.truncate(length)
        self._file.seek(header)
        while block := self._file.read(_BLOCK):
            self._digest.update(block)

    @property
    def length(self) -> int:
        """Bytes written so far, header included."""
        return self._file.tell()

    def synced(self) -> None:
        """Force to the disk what was written so far."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        self._digest.update(data)
        self._file.write(data)

    @property
    def sha256(self) -> str:
        """The hash (hex) of what was written so far."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file, its content on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close the file, whatever state it is in; do nothing if it is closed."""
        with contextlib.suppress(OSError):
            self._file.close()


class GrowingArray(HashedFile):
    """A .npy file whose length is known at the end; the hash leaves its header out.

    Args:
        path: the file.
        dtype: of its elements.
        shape: of one row.
        rows: of a file that is to go on: how many stay.
    """

    def __init__(
        self,
        path: Path,
        dtype: type[np.generic],
        shape: tuple[int, ...],
        rows: int | None = None,
    ) -> None:
        self._dtype, self._shape = np.dtype(dtype), shape
        header = self._header(0)
        if rows is None:
            super().__init__(path)
            self._file.write(header)
        else:
            size = self._dtype.itemsize * math.prod(shape)
            super().__init__(path, len(header) + rows * size, len(header))
        self.header_length = len(header)

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Append `rows`, [n,*shape]."""
        block = np.ascontiguousarray(rows, self._dtype)
        if block.size:  # memoryview refuses to cast nothing
            self.write(block.data.cast("B"))

    def rows(self, begin: int, end: int) -> npt.NDArray[Any]:
        """Rows that were written: [end - begin, *shape]."""
        self._file.flush()
        size = self._dtype.itemsize * math.prod(self._shape)
        shape = (end - begin, *self._shape)
        at = self.header_length + begin * size
        return np.array(np.memmap(self._file.name, self._dtype, "r", at, shape))

    def complete(self, count: int) -> None:
        """State in the header that there are `count` rows, and close the file."""
        # numpy pads headers so that the length can grow in place.
        self._file.seek(0)
        self._file.write(self._header(count))
        self.close()

    def _header(self, count: int) -> bytes:
        buffer = io.BytesIO()
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (count, *self._shape)}
        np.lib.format.write_array_header_1_0(buffer, header)
        return buffer.getvalue()


def write_synced(path: Path, data: bytes) -> None:
    """Write `data` to `path` and on to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
