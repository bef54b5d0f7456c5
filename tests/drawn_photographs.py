"""Drawn portraits on flat grey: photographs of nobody, in which it is known where the faces are."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from facegan import portraits
from facegan.faces.geometry import Square


def portrait(seed: int = 0, size: int = 256) -> npt.NDArray[np.uint8]:
    """One portrait, uint8 [size,size,3]."""
    return portraits.draw(portraits.sample(1, seed=seed), size)[0]


def photograph(
    width: int, height: int, *places: tuple[Square, int], level: int = 128
) -> npt.NDArray[np.uint8]:
    """A photograph of flat grey with portraits (by seed) in these squares."""
    picture = np.full((height, width, 3), level, np.uint8)
    for square, seed in places:
        size = 256
        drawn = portrait(seed, size)
        matrix = square.to_picture(size)
        # Pixels are points for OpenCV; see `facegan.faces.geometry.cut`.
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
        turned = cv2.warpAffine(drawn, matrix, (width, height), flags=cv2.INTER_AREA)
        inside = cv2.warpAffine(np.full((size, size), 255, np.uint8), matrix, (width, height))
        picture = np.where(inside[:, :, None] > 127, turned, picture)
    return picture
