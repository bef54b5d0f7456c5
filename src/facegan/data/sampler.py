"""The order in which training sees the images: a new shuffle each epoch, and no state."""

from __future__ import annotations

import numpy as np

from facegan.seeding import ORDER, random


class Sampler:
    """Maps positions in the run (images seen so far) to indices of the training images.

    Every epoch shows each image once, in an order that depends on (seed, epoch) alone.

    Args:
        indices: int [M], the dataset's indices to train on; M ≥ 1.
        seed: the run's seed.
    """

    def __init__(self, indices: np.ndarray, seed: int) -> None:
        self._indices = np.asarray(indices, dtype=np.int64)
        self._seed = seed
        self._epoch = -1
        self._order = self._indices

    def batch(self, position: int, size: int) -> np.ndarray:
        """The indices at positions [position, position + size): int64 [size]."""
        parts = []
        while size > 0:
            epoch, within = divmod(position, len(self._indices))
            part = self._epoch_order(epoch)[within : within + size]
            parts.append(part)
            position, size = position + len(part), size - len(part)
        return np.concatenate(parts)

    def _epoch_order(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            shuffle = random(self._seed, ORDER, epoch).permutation(len(self._indices))
            self._epoch, self._order = epoch, self._indices[shuffle]
        return self._order
