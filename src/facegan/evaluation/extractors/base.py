"""What every feature extractor is: pictures in, one vector for each out."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt


def fingerprint(**parts: object) -> str:
    """SHA-256 (hex) of everything that decides features, by name."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Extractor(ABC):
    """Maps pictures to vectors in which distances mean something.

    Scores in the spaces of two extractors are never compared: `name`, `resizer` and
    `fingerprint` go wherever a score goes.

    Attributes:
        name: what users write, such as `efflite0` or `efflite0@64`.
        dimension: D, the length of a vector.
        resizer: how a picture of any size reaches the network's, in words.
        fingerprint: SHA-256 (hex) of all that decides the features: weights, preprocessing,
            size. The same picture has the same features wherever it is the same, up to
            rounding.
        costly: whether a picture takes so long that it is looked at only where it must be; copies
            are then not looked for in this space.
    """

    name: str
    dimension: int
    resizer: str
    fingerprint: str
    costly: bool = False

    @abstractmethod
    def features(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The vectors of a few pictures.

        Args:
            images: uint8 [N, H, W, C] with C = 3 (RGB) or 1 (grey, taken as RGB with three
                equal channels); N ≥ 1. Callers pass a few dozen at a time.

        Returns:
            float32 [N, D], finite, the same for a picture whatever the others beside it, up
            to rounding.
        """
