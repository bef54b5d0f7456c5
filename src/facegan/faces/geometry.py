"""Squares that lie at any angle in a picture, and what is in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Border = Literal["reflect", "edge"]
# A square is first cut at the picture's own scale, then averaged down: no larger than this.
_LARGEST = 4096
# Pixels of a side that OpenCV can sample from.
_WIDEST = 32_000


@dataclass(frozen=True)
class Square:
    """A square in a picture.

    Attributes:
        x: of its centre, in pixels from the left edge of the picture.
        y: of its centre, in pixels from the top.
        side: in pixels.
        angle: by which its upper edge falls to the right, in radians; 0 is upright.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def to_picture(self, size: int) -> npt.NDArray[np.float64]:
        """The map from its cut to the picture: [2,3], from points in [0, size]² to pixels."""
        step = self.side / size
        cosine, sine = step * math.cos(self.angle), step * math.sin(self.angle)
        matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
        matrix[:, 2] = np.array([self.x, self.y]) - matrix[:, :2] @ [size / 2, size / 2]
        return matrix

    def corners(self) -> npt.NDArray[np.float64]:
        """Its corners in the picture, from the upper left one clockwise: [4,2]."""
        return mapped(self.to_picture(1), np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64))

    def outside(self, height: int, width: int) -> float:
        """The share of its area that lies outside of a picture of this size, in [0,1]."""
        corners = self.corners()
        if ((corners >= 0) & (corners <= (width, height))).all():
            return 0.0  # exactly, whatever rounding makes of its area
        inside = _clipped(corners, float(width), float(height))
        return min(max(1.0 - _area(inside) / self.side**2, 0.0), 1.0)


def mapped(
    matrix: npt.NDArray[np.float64], points: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Points under an affine map: [N,2], by a [2,3] matrix."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def cut(
    picture: npt.NDArray[np.uint8], square: Square, size: int, border: Border = "reflect"
) -> npt.NDArray[np.uint8]:
    """What is in a square, upright.

    Where the square is larger than its cut, it is sampled at about the picture's own scale and then
    averaged, so that nothing is lost between samples.

    Args:
        picture: uint8 [H,W] or [H,W,C].
        square: where to look.
        size: of the result, in pixels.
        border: what there is outside of the picture: the picture "reflect"ed, or its "edge".

    Returns:
        uint8 [size,size] or [size,size,C].
    """
    import cv2

    mode = {"reflect": cv2.BORDER_REFLECT_101, "edge": cv2.BORDER_REPLICATE}[border]
    if max(picture.shape[:2]) > _WIDEST:
        picture, square = _around(picture, square)
    times = min(max(1, math.ceil(square.side / size)), max(1, _LARGEST // size))
    matrix = square.to_picture(size * times)
    # Pixels are points for OpenCV, with the first at 0; here they are areas, with its middle at ½.
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    enlarged = square.side < size
    sampled = cv2.warpAffine(
        picture,
        matrix,
        (size * times, size * times),
        flags=(cv2.INTER_CUBIC if enlarged else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
        borderMode=mode,
    )
    if times > 1:
        sampled = cv2.resize(sampled, (size, size), interpolation=cv2.INTER_AREA)
    return sampled.astype(np.uint8, copy=False)


def _around(picture: npt.NDArray[np.uint8], square: Square) -> tuple[npt.NDArray[np.uint8], Square]:
    """A part of a picture that has a square and what is reflected in it, and the square there."""
    reach = min(1.5 * square.side + 2, _WIDEST / 2 - 1)
    ranges = []
    for middle, size in ((square.y, picture.shape[0]), (square.x, picture.shape[1])):
        low = min(max(math.floor(middle - reach), 0), size - 1)
        ranges.append((low, min(max(math.ceil(middle + reach), low + 1), size)))
    (top, bottom), (left, right) = ranges
    part = np.ascontiguousarray(picture[top:bottom, left:right])
    return part, Square(square.x - left, square.y - top, square.side, square.angle)


def _clipped(
    polygon: npt.NDArray[np.float64], width: float, height: float
) -> npt.NDArray[np.float64]:
    """The part of a convex polygon inside [0,width]×[0,height] (Sutherland and Hodgman 1974)."""
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        kept: list[npt.NDArray[np.float64]] = []
        for here, there in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            a, b = sign * (here[axis] - limit), sign * (there[axis] - limit)
            if a >= 0:
                kept.append(here)
            if (a >= 0) != (b >= 0):
                kept.append(here + (there - here) * (a / (a - b)))
        polygon = np.array(kept).reshape(-1, 2)
    return polygon


def _area(polygon: npt.NDArray[np.float64]) -> float:
    x, y = polygon.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
