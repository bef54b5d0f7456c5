"""What the figures were taken on, and whether others were using it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

_STAT = Path("/proc/stat")


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


class Neighbours:
    """How many processors others kept busy, between its making and `cores`.

    The load average would count what was measured a moment ago. This subtracts the time of this
    process and of the ones that it has waited for.
    """

    def __init__(self) -> None:
        self._begin = self._now()

    def cores(self) -> float:
        """Mean number of processors that others used since the beginning; 0 where unknown."""
        if self._begin is None or (now := self._now()) is None:
            return 0.0
        wall, busy, own = (b - a for a, b in zip(self._begin, now, strict=True))
        return max((busy - own) / wall, 0.0) if wall > 0 else 0.0

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        if not _STAT.exists():
            return None
        # user nice system idle iowait irq softirq steal, in ticks, over all processors
        ticks = [int(field) for field in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
        busy = sum(ticks) - ticks[3] - ticks[4]
        return time.perf_counter(), busy / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


def neighbours_now(seconds: float = 1.0) -> float:
    """Processors that others keep busy at this moment, watched for some seconds."""
    neighbours = Neighbours()
    time.sleep(seconds)
    return neighbours.cores()
