"""A photograph's face, cut out as the faces of a generator lie in its pictures.

Generators are trained on pictures that were cut in different ways, and none says how in numbers.
So the generator's own faces are looked at: the middle place, size and tilt of the FFHQ square in
them say where the face of a photograph must come to lie.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegan.data.align import aligned
from facegan.data.decode import Shape, decode_whole
from facegan.data.members import SkippedFile
from facegan.errors import DataError
from facegan.faces import Square, cut
from facegan.generation.generator import OpenGenerator

Picture = npt.NDArray[np.uint8]

# Faces of the generator that are looked at, enlarged for the detector, and how many must be found.
_LOOKED_AT, _SIDE, _FEWEST, _TRUNCATION = 48, 256, 12, 0.8
# Photographs are averaged down to this before anything is looked for.
_LARGEST = 1600


@dataclass(frozen=True)
class Lie:
    """How the faces of a generator lie in its pictures, in shares of the picture's side.

    Attributes:
        x: middle of the FFHQ square.
        y: the same.
        side: of the square.
    """

    x: float
    y: float
    side: float


def lie_of(opened: OpenGenerator) -> Lie:
    """Measure how a generator's faces lie, on those of seeds 0 to 47.

    Raises:
        DataError: too few of its pictures show a face that can be found.
    """
    import cv2

    squares = []
    for group in opened.pictures(range(_LOOKED_AT), _TRUNCATION):
        for picture in group:
            colour = np.repeat(picture, 3, 2) if picture.shape[2] == 1 else picture
            large = cv2.resize(colour, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
            found, _ = aligned(large.astype(np.uint8, copy=False), _SIDE)
            if found:
                squares.append(found[0].square)
    if len(squares) < _FEWEST:
        raise DataError(
            f"A face is found in {len(squares)} of {_LOOKED_AT} of this generator's pictures.",
            "Photographs can be laid as its faces lie only where more of them show one. Give the "
            "picture as it is cut out already.",
        )
    x, y, side = np.median([(s.x, s.y, s.side) for s in squares], axis=0) / _SIDE
    return Lie(float(x), float(y), float(side))


def laid(photograph: Picture, lie: Lie, resolution: int, channels: int = 3) -> tuple[Picture, int]:
    """The main face of a photograph, turned, scaled and cut as a generator's faces lie.

    Args:
        photograph: uint8 [H, W, 3].
        lie: how the generator's faces lie.
        resolution: of the result.
        channels: of the result: 3, or 1 for grey (ITU-R 601 luma).

    Returns:
        uint8 [resolution, resolution, channels], and how many faces the photograph shows.

    Raises:
        DataError: it shows no face that can be used.
    """
    found, left_out = aligned(photograph, _SIDE)
    if not found:
        detail = f" ({left_out[0].detail})" if left_out and left_out[0].detail else ""
        reason = left_out[0].reason if left_out else "none is found"
        raise DataError(
            f"The photograph shows no face that can be used: {reason}{detail}.",
            "Give one in which a face looks into the camera, large enough and whole.",
        )
    square = found[0].square
    side = square.side / lie.side
    # From the middle of the face to that of the picture, turned as the face is.
    right, down = (0.5 - lie.x) * side, (0.5 - lie.y) * side
    cosine, sine = math.cos(square.angle), math.sin(square.angle)
    whole = Square(
        square.x + right * cosine - down * sine,
        square.y + right * sine + down * cosine,
        side,
        square.angle,
    )
    return _in_channels(cut(photograph, whole, resolution, "edge"), channels), len(found) + len(
        left_out
    )


def cut_out(photograph: Picture, crop: int | None, resolution: int, channels: int = 3) -> Picture:
    """A centred square of a photograph, resized as an import does.

    Args:
        photograph: uint8 [H, W, 3].
        crop: its side in pixels; the largest one by default.
        resolution: of the result.
        channels: of the result.

    Raises:
        DataError: the photograph is smaller than the square.
    """
    import cv2

    height, width = photograph.shape[:2]
    side = crop or min(height, width)
    if not 1 <= side <= min(height, width):
        raise DataError(
            f"A square of {side} pixels does not fit into {width}×{height}.",
            f"Give a side from 1 to {min(height, width)}.",
        )
    top, left = (height - side) // 2, (width - side) // 2
    square = np.ascontiguousarray(photograph[top : top + side, left : left + side])
    if side != resolution:
        interpolation = cv2.INTER_AREA if side > resolution else cv2.INTER_CUBIC
        size = (resolution, resolution)
        square = cv2.resize(square, size, interpolation=interpolation).astype(np.uint8, copy=False)
    return _in_channels(square, channels)


def read_photograph(data: bytes, what: str = "This") -> Picture:
    """A picture file as uint8 [H, W, 3], upright, at most 1,600 pixels long.

    Raises:
        DataError: it is none that can be opened; `what` names it.
    """
    import cv2

    try:
        photograph, _ = decode_whole(data, Shape(resolution=1, crop="full", channels=3))
    except SkippedFile as why:
        detail = f" ({why.detail})" if why.detail else ""
        raise DataError(
            f"{what} is no photograph that can be opened: {why.reason}{detail}.",
            "Give a JPEG, PNG, WebP or another usual picture file.",
        ) from why
    longest = max(photograph.shape[:2])
    if longest <= _LARGEST:
        return photograph
    height, width = (max(1, round(n * _LARGEST / longest)) for n in photograph.shape[:2])
    small = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


def open_photograph(path: Path) -> Picture:
    """`read_photograph` of a file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}).", "Name a picture file."
        ) from error
    return read_photograph(data, str(path))


def _in_channels(picture: Picture, channels: int) -> Picture:
    if channels == 3:
        return picture
    grey = picture.astype(np.float64) @ (0.299, 0.587, 0.114)
    return grey.round().astype(np.uint8)[:, :, None]
