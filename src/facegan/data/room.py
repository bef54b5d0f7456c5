"""How much memory this process may use at all, and pictures that would take much of it.

The limit is the machine's memory, or less where a control group limits it.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

_GROUPS = Path("/sys/fs/cgroup")


@functools.cache
def memory_limit() -> int:
    """Bytes; 0 where nobody says."""
    found = [_machine(), *_groups()]
    return min((each for each in found if each > 0), default=0)


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


def _machine() -> int:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0


def _groups() -> list[int]:
    """The limits of this process's control groups and of those that they are in, both versions."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text("ascii").splitlines():
            _, controllers, name = line.split(":", 2)
            if controllers == "":
                base, file = _GROUPS, "memory.max"
            elif "memory" in controllers.split(","):
                base, file = _GROUPS / "memory", "memory.limit_in_bytes"
            else:
                continue
            folder = base / name.lstrip("/")
            for each in (folder, *folder.parents):
                with contextlib.suppress(OSError, ValueError):
                    found.append(int((each / file).read_text("ascii")))
                if each == base:
                    break
    return found
