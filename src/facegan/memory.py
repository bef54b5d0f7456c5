"""How much memory and how many cores this process may use.

Memory is asked for before much of it is taken: a system that runs out kills the process,
and what it was doing is lost without a word.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.errors import DeviceError

if TYPE_CHECKING:
    import torch

_GROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> list[int]:
    """The cores of the processor that this process may use, by their numbers."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def require_memory(wanted: int, device: torch.device, what: str, advice: str) -> None:
    """Refuse what cannot fit.

    Args:
        wanted: bytes.
        device: where they are wanted.
        what: needs them, as a sentence begins: `5,000,000 pictures`.
        advice: what to do instead.

    Raises:
        DeviceError: naming what is wanted and what is free.
    """
    there = available(device)
    if there is not None and wanted > there:
        raise DeviceError(
            f"{what} would take {wanted / 1e9:,.1f} GB; {there / 1e9:,.1f} GB are free.", advice
        )


def available(device: torch.device) -> int | None:
    """Bytes that this process may still take on a device; None where nobody says."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    free = [limit - used for limit, used in _groups()]
    if (machine := _free_in_machine()) is not None:
        free.append(machine)
    return min(free, default=None)


@functools.cache
def memory_limit() -> int:
    """Bytes that this process may use at all: the machine's memory, or what a control group
    allows of it; 0 where nobody says.
    """
    found = [_of_machine(), *(limit for limit, _ in _groups())]
    return min((each for each in found if each > 0), default=0)


def _free_in_machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_machine() -> int:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0


def _groups() -> list[tuple[int, int]]:
    """Limit and use of this process's control groups and of those that they are in.

    Of both versions of control groups. Where the use cannot be read, it is taken to be 0. Files
    that the system keeps in memory are no use: they go when their room is wanted, and a dataset
    that was read once fills all that a group allows.
    """
    found = []
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text("ascii").splitlines():
            _, controllers, name = line.split(":", 2)
            if controllers == "":
                base, most, used = _GROUPS, "memory.max", "memory.current"
            elif "memory" in controllers.split(","):
                base = _GROUPS / "memory"
                most, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
            else:
                continue
            folder = base / name.lstrip("/")
            for each in (folder, *folder.parents):
                with contextlib.suppress(OSError, ValueError):
                    limit = int((each / most).read_text("ascii"))
                    found.append((limit, max(0, _number(each / used) - _files(each))))
                if each == base:
                    break
    return found


def _files(group: Path) -> int:
    """Bytes of files that a group keeps in memory and that can be dropped."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in (group / "memory.stat").read_text("ascii").splitlines():
            name, _, number = line.partition(" ")
            found[name] = int(number)
    # In version 1, those of the groups inside are in the totals alone.
    kinds = ("inactive_file", "active_file")
    return sum(found.get(f"total_{kind}", found.get(kind, 0)) for kind in kinds)


def _number(file: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(file.read_text("ascii"))
    return 0
