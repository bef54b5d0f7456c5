"""Pictures from a generator as people write it by hand, where a peer has no way of its own."""

from __future__ import annotations

# mypy: disable-error-code="import-not-found"
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from peers.protocol import BATCH, Job, Measured

if TYPE_CHECKING:
    from torch import Tensor

    # How many → float [n, 3, 64, 64] in [−1, 1], from a network in evaluation mode.
    Draw = Callable[[int], Tensor]

_LATENCY_ROUNDS = 30


def measured(job: Job, draw: Draw) -> Measured:
    """What the task asks of a generator."""
    ways = {"sample": in_memory, "sample-png": as_files, "latency": one}
    return ways[job.task](job, draw)


def in_memory(job: Job, draw: Draw) -> Measured:
    """Images a second, from latents to uint8 arrays [n, H, W, C]."""
    to_bytes(draw(BATCH))
    begin = time.perf_counter()
    for _ in range(_batches(job)):
        to_bytes(draw(BATCH))
    return Measured(_batches(job) * BATCH / (time.perf_counter() - begin))


def as_files(job: Job, draw: Draw) -> Measured:
    """Images a second, from latents to PNG files, one for each."""
    from torchvision.utils import save_image

    to_bytes(draw(BATCH))
    folder = Path(job.scratch, "pictures")
    folder.mkdir()
    begin = time.perf_counter()
    for batch in range(_batches(job)):
        for number, image in enumerate(draw(BATCH), batch * BATCH):
            save_image(image, folder / f"{number:06}.png", normalize=True, value_range=(-1, 1))
    return Measured(_batches(job) * BATCH / (time.perf_counter() - begin))


def one(job: Job, draw: Draw) -> Measured:
    """Median milliseconds for one image, from its latent to uint8."""
    return Measured(median_ms(lambda: to_bytes(draw(1))))


def median_ms(call: Callable[[], Any]) -> float:
    """Median milliseconds of a call, after five others."""
    times = []
    for _ in range(_LATENCY_ROUNDS + 5):
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times[5:])


def to_bytes(images: Tensor) -> npt.NDArray[np.uint8]:
    """[−1, 1] to uint8 [n, H, W, C]."""
    scaled = images.add(1).mul(127.5).round().clamp(0, 255)
    return scaled.byte().permute(0, 2, 3, 1).cpu().numpy()


def _batches(job: Job) -> int:
    return max(job.pictures // BATCH, 1)
