"""Reading ahead: while a step computes, a thread reads the rows of the next one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


class ReadAhead:
    """Rows of a dataset, those that will be asked for next read meanwhile.

    What it gives is what `read` gives, whether the guess was right or not; a wrong guess costs a
    reading. An error of a reading ahead is raised when its rows are asked for.

    Args:
        read: rows → their content.
    """

    def __init__(self, read: Callable[[Rows], npt.NDArray[Any]]) -> None:
        self._read = read
        self._pool = ThreadPoolExecutor(1, "reading ahead")
        self._waiting: tuple[Rows, Future[npt.NDArray[Any]]] | None = None

    def __call__(self, rows: Rows, following: Rows | None = None) -> npt.NDArray[Any]:
        """The content of these rows; those of `following` begin to be read."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and np.array_equal(waiting[0], rows):
            found = waiting[1].result()
        else:
            if waiting is not None:
                waiting[1].cancel()
            found = self._read(rows)
        if following is not None and len(following):
            self._waiting = following, self._pool.submit(self._read, following)
        return found
