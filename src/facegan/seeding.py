"""Random numbers that depend on (seed, stream, counter) alone.

There is no generator state to save: a step asks for its randomness by its own position in
the run, so a resumed run continues exactly as an uninterrupted one. NumPy draws, whatever
the device, so that a seed means the same pictures everywhere. With several processes, each
draws for the whole batch and keeps its own part: two processes see what one would see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

# One number per use, so that no two uses share random numbers. Never renumber them.
INITIAL_WEIGHTS = 0
STEP = 1
ORDER = 2
IMAGE_LATENT = 3
REAL_CHOICE = 4
BOOTSTRAP = 5
READER = 6
RESERVE = 7
MIX = 8
MIRROR = 9
EDITING = 10
TUNING = 11
COMPONENTS = 12


def random(seed: int, stream: int, counter: int) -> np.random.Generator:
    """NumPy's default generator for one (seed, stream, counter); all non-negative."""
    return np.random.default_rng([seed, stream, counter])


def step_random(seed: int, images_seen: int, rank: int = 0, world: int = 1) -> Random:
    """The random numbers of the update that begins after `images_seen` images."""
    return Random(random(seed, STEP, images_seen), rank, world)


def image_random(seed: int) -> Random:
    """The random numbers of the generated picture with this seed: the same in any batch."""
    return Random(random(seed, IMAGE_LATENT, 0))


@contextmanager
def torch_seed(seed: int, stream: int, counter: int = 0) -> Iterator[None]:
    """Seed torch's default CPU generator inside the block and restore it afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(random(seed, stream, counter).integers(2**63 - 1)))
        yield


class Random:
    """Random tensors for this process's part of a batch.

    Args:
        generator: draws for the whole batch.
        rank: this process's number, of `world` processes that share the batch.
    """

    def __init__(self, generator: np.random.Generator, rank: int = 0, world: int = 1) -> None:
        self._generator, self._rank, self._world = generator, rank, world

    def normal(self, n: int, *shape: int) -> torch.Tensor:
        """Standard normal numbers, float32 [n, *shape], for the n samples of this process."""
        return self._mine(self._generator.standard_normal((n * self._world, *shape), np.float32))

    def uniform(self, n: int, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Uniform numbers in [low, high), float32 [n, *shape], for this process's samples."""
        values = self._generator.random((n * self._world, *shape), np.float32)
        return self._mine(values * np.float32(high - low) + np.float32(low))

    def repeatable(self) -> Callable[[], Random]:
        """Random numbers that can be had again: those of each call's result are the same."""
        key = int(self._generator.integers(2**63))
        return lambda: Random(np.random.default_rng(key), self._rank, self._world)

    def _mine(self, whole: np.ndarray) -> torch.Tensor:
        import torch

        n = len(whole) // self._world
        # Cloned into PyTorch's own memory: its kernels round differently on less aligned input.
        return torch.from_numpy(whole[self._rank * n : (self._rank + 1) * n]).clone()
