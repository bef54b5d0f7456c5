"""A feature space of one's own: the picture itself, as small as a stamp.

facegan evaluate runs/any --data portraits --plugin extractor.py --extractor stamp@8
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import numpy.typing as npt
import torch

from facegan.errors import FaceganError
from facegan.evaluation.extractors import EXTRACTORS
from facegan.evaluation.extractors.base import Extractor


class Stamp(Extractor):
    """Mean colours of side × side fields, as 3 · side² numbers in [0, 1].

    Args:
        side: of the stamp, in pixels.
    """

    def __init__(self, side: int) -> None:
        self.name, self.dimension = f"stamp@{side}", 3 * side * side
        self.resizer = f"area means, {side}×{side}"
        self.fingerprint = hashlib.sha256(f"{self.name} 1".encode()).hexdigest()
        self._side = side

    def features(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See `Extractor.features`."""
        size = (self._side, self._side)
        small = []
        for image in images:
            colour = np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.float32) / 255
            small.append(cv2.resize(colour, size, interpolation=cv2.INTER_AREA))
        return np.stack(small).reshape(len(images), -1).astype(np.float32)


@EXTRACTORS.named("stamp")
def open_stamp(option: str, device: torch.device | str) -> Extractor:
    """`stamp`, or `stamp@SIDE`."""
    if option and not option.isdecimal():
        raise FaceganError(f"stamp@{option} is no feature space.", "Write stamp, or stamp@8.")
    return Stamp(int(option or 4))
