"""Room for pictures that would take much of the memory."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from facegan.memory import memory_limit


def picture_array(shape: Sequence[int]) -> npt.NDArray[np.uint8]:
    """A new uint8 array: in memory, or where it would take much of that, in a file without a name.

    The system writes such a file to the disk when it needs the room, and it is gone when the array
    is.
    """
    size = math.prod(shape)
    if not 8 * size > memory_limit() > 0:
        return np.empty(tuple(shape), np.uint8)
    with tempfile.TemporaryFile(prefix="facegan-") as file:
        file.truncate(size)
        return np.memmap(file, np.uint8, "r+", shape=tuple(shape))
