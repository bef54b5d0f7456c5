"""Files that only grow and know the hash of what they hold: the parts of a dataset in the making."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt


class HashedFile:
    """A file that is only appended to, and its SHA-256."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._digest = hashlib.sha256()

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
    """A .npy file whose length is known at the end; the hash leaves its header out."""

    def __init__(self, path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
        super().__init__(path)
        self._dtype, self._shape = np.dtype(dtype), shape
        self._file.write(self._header(0))

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Append `rows`, [n,*shape]."""
        block = np.ascontiguousarray(rows, self._dtype)
        if block.size:  # memoryview refuses to cast nothing
            self.write(block.data.cast("B"))

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
