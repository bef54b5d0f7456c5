"""Mean and covariance of features, gathered batch by batch."""

from __future__ import annotations

import numpy as np

from facegan.errors import FaceganError
from facegan.evaluation.matrices import Features, Floats, blocks, checked, same_dimension


class Moments:
    """Streaming mean and covariance in float64 (Chan, Golub & LeVeque 1979).

    Batches of any size give what one pass over everything gives, up to rounding: each is
    centred on its own mean before anything is squared, so a large common offset costs no
    digits.

    Args:
        dimension: D, the length of a feature vector.

    Attributes:
        count: N, vectors seen.
        mean: float64 [D]; zeros while nothing was seen.
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self.mean: Floats = np.zeros(dimension)
        self._scatter: Floats = np.zeros((dimension, dimension))

    @classmethod
    def of(cls, features: Features) -> Moments:
        """Of a matrix [N, D], N ≥ 2. Raises FaceganError as `matrices.checked` does."""
        moments = cls(checked(features, "given").shape[1])
        moments.add(features)
        return moments

    @property
    def dimension(self) -> int:
        """D, the length of a vector of features."""
        return len(self.mean)

    @property
    def covariance(self) -> Floats:
        """Unbiased (divided by N − 1), float64 [D, D]. Raises FaceganError where N < 2."""
        if self.count < 2:
            raise FaceganError(
                f"A covariance needs two pictures or more; there are {self.count}.",
                "Add features first.",
            )
        return self._scatter / (self.count - 1)

    def add(self, features: Features) -> None:
        """Take in a batch [N, D], N ≥ 1. Raises FaceganError as `matrices.checked` does."""
        features = checked(features, "added", least=1)
        same_dimension(features.shape[1], self.dimension)
        for rows in blocks(len(features)):
            batch = features[rows].astype(np.float64)
            mean = batch.mean(axis=0)
            batch -= mean
            self._combine(len(batch), mean, batch.T @ batch)

    def _combine(self, count: int, mean: Floats, scatter: Floats) -> None:
        total = self.count + count
        apart = mean - self.mean
        # New arrays, so that an array handed out earlier never changes under its reader.
        self._scatter = (
            self._scatter + scatter + np.outer(apart, apart) * (self.count * count / total)
        )
        self.mean = self.mean + apart * (count / total)
        self.count = total
