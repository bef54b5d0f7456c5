"""How far a face has become somebody else, as far as a network can tell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.evaluation import dlib_models
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.extractors.base import Extractor

Pictures = npt.NDArray[np.uint8]
# Without dlib's network of identities: what EfficientNet-Lite0 sees in the whole picture.
_OTHERWISE = "efflite0@96"


class Identity:
    """Distances between faces in dlib's space of identities, or in efflite0 without it.

    Attributes:
        name: of the space: `faces` or `efflite0@96`. In the second, clothes and background count
            as much as who is shown.
    """

    def __init__(self) -> None:
        self.name = "faces" if dlib_models.installed() else _OTHERWISE
        self._extractor: Extractor = open_extractor(self.name)

    def vectors(self, images: Pictures) -> npt.NDArray[np.float64]:
        """uint8 [N, H, W, C] → float64 [N, D]."""
        return self._extractor.features(images).astype(np.float64)

    @staticmethod
    def between(vectors: npt.NDArray[np.float64]) -> float:
        """The mean distance between any two of N ≥ 2 faces: the unit of how far one moved."""
        squares = (vectors**2).sum(1)
        products = vectors @ vectors.T
        distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0.0))
        return float(distances[np.triu_indices(len(vectors), 1)].mean())
