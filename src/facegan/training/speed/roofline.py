"""What a machine can do at best, measured: matrix products and copies, both large."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from facegan.device import Precision, synchronise

# [m, k] × [k, n]; no library is at its best with the same shape everywhere.
_CPU_PRODUCTS = ((2048, 2048, 2048), (16384, 1024, 512), (4096, 2048, 512))
_GPU_PRODUCTS = ((8192, 8192, 8192), (16384, 4096, 4096))
_CPU_BYTES, _GPU_BYTES = 1 << 28, 1 << 31
_ROUNDS = 5


@dataclass(frozen=True)
class Roofline:
    """The best of several tries.

    Attributes:
        flops: of a matrix product in the precision asked for, a second.
        bytes: read and written by a copy, a second.
    """

    flops: float
    bytes: float

    def seconds(self, flops: float, bytes: float) -> float:
        """The least time for so much arithmetic and traffic (Williams et al. 2009, roofline)."""
        return max(flops / self.flops, bytes / self.bytes)


@torch.no_grad()
def measure_roofline(device: torch.device, precision: Precision) -> Roofline:
    """Measure, with the threads that PyTorch uses now. Seconds on a processor, less on a GPU."""
    gpu = device.type != "cpu"
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    flops = 0.0
    for m, k, n in _GPU_PRODUCTS if gpu else _CPU_PRODUCTS:
        a = torch.randn(m, k, device=device).to(dtype)
        b = torch.randn(k, n, device=device).to(dtype)
        flops = max(flops, 2 * m * k * n / _least(partial(torch.matmul, a, b), device))
    source = torch.ones((_GPU_BYTES if gpu else _CPU_BYTES) // 4, device=device)
    target = torch.empty_like(source)
    seconds = _least(lambda: target.copy_(source), device)
    return Roofline(flops, 2 * source.nbytes / seconds)


def _least(work: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(_ROUNDS + 1):  # the first try warms up
        begin = time.perf_counter()
        work()
        synchronise(device)
        times.append(time.perf_counter() - begin)
    return min(times[1:])
