"""How much memory there is, asked before much of it is taken.

A system that runs out kills the process, and what it was doing is lost without a word.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from facegan.errors import DeviceError


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
        return int(torch.cuda.mem_get_info(device)[0])
    found = [_machine(), _group("memory.max", "memory.current")]
    known = [each for each in found if each is not None]
    return min(known) if known else None


def _machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _group(most: str, used: str) -> int | None:
    """What is left of the limit of this process's control group, where there is one."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        name = Path("/proc/self/cgroup").read_text("ascii").strip().rpartition("::")[2]
        for folder in (Path("/sys/fs/cgroup") / name.lstrip("/"), Path("/sys/fs/cgroup")):
            if (folder / most).exists() and (limit := (folder / most).read_text().strip()) != "max":
                return int(limit) - int((folder / used).read_text())
    return None
