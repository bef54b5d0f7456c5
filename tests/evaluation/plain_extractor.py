"""An extractor without a network, for tests of what happens around extractors."""

from __future__ import annotations

import hashlib

import numpy as np

from facegan.evaluation.extractors.base import Extractor


class PlainExtractor(Extractor):
    """Random projections of the pixels, counting how many pictures it was shown."""

    def __init__(self, dimension: int = 12, seed: int = 0) -> None:
        self.name = f"plain{seed}"
        self.dimension = dimension
        self.resizer = "none"
        self.fingerprint = hashlib.sha256(f"{dimension} {seed}".encode()).hexdigest()
        self.seen = 0
        self._seed = seed

    def features(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        flat = images.reshape(len(images), -1).astype(np.float64) / 255
        weights = np.random.default_rng(self._seed).standard_normal((flat.shape[1], self.dimension))
        return (flat @ weights / np.sqrt(flat.shape[1])).astype(np.float32)
