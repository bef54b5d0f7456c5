"""Rows of an array in a file, read when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError
from facegan.memory import memory_limit


class RowReader:
    """Copies rows out of a memory-mapped array, past the map.

    What is read through a map counts as this process's memory for as long as the system likes;
    what is read from the file is the caller's alone. The file stays open, so that a dataset may
    be replaced while it is in use.

    Args:
        array: [N, …], C-contiguous, as `numpy.load(path, mmap_mode="r")` gives it. Of an array
            in memory, or where the system has no such reading, rows are copied as usual.

    Raises:
        DataError: the file cannot be opened any more.
    """

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._array = array
        self._file = None
        if isinstance(array, np.memmap) and array.filename and hasattr(os, "preadv"):
            self._path, self._start = Path(array.filename), array.offset
            try:
                self._file = self._path.open("rb", buffering=0)
            except OSError as error:
                raise self._unreadable(error) from error
            self._ask_for_all()

    def __call__(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        """A copy of these rows: [len(rows), …].

        Raises:
            DataError: the file cannot be read any more, or was cut short.
        """
        if self._file is None:
            return np.asarray(self._array[rows])
        out = np.empty((len(rows), *self._array.shape[1:]), self._array.dtype)
        descriptor, size = self._file.fileno(), self._array[0].nbytes
        # Views of the whole, as bytes: making them one by one would take as long as reading.
        places = out.reshape(-1).view(np.uint8).data
        for number, row in enumerate(rows.tolist()):
            place = places[number * size : (number + 1) * size]
            try:
                read = os.preadv(descriptor, [place], self._start + row * size)
            except OSError as error:
                raise self._unreadable(error) from error
            if read != size:
                raise DataError(
                    f"{self._path} was cut short while it was in use: row {row} is missing.",
                    "Import the dataset again, and go on with the run.",
                )
        return out

    def _unreadable(self, error: OSError) -> DataError:
        return DataError(
            f"{self._path} cannot be read ({error.strerror}).",
            "Look after its disk, and run the same command again.",
        )

    def _ask_for_all(self) -> None:
        """Have the system read all of it ahead, if that fits into its cache: not row by row."""
        length = self._array.nbytes
        if 2 * length > memory_limit() > 0:
            return
        if hasattr(os, "posix_fadvise") and self._file is not None:
            os.posix_fadvise(self._file.fileno(), self._start, length, os.POSIX_FADV_WILLNEED)
