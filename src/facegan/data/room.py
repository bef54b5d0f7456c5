"""How much memory this process may use at all: the machine's, or less where a group limits it."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


@functools.cache
def memory_limit() -> int:
    """Bytes; 0 where nobody says."""
    found = [_machine(), *_groups()]
    return min((each for each in found if each > 0), default=0)


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
