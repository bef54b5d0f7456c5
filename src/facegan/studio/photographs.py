"""A photograph to the latent of its face: found, laid as the generator's own faces lie, inverted.

Generators are trained on pictures that were cut in different ways, and none says how in numbers.
So the generator's own faces are looked at: the mean place, size and tilt of the FFHQ square in
them says where the face of a photograph must come to lie.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.align import aligned
from facegan.data.decode import Shape, decode_whole
from facegan.data.skipped import SkippedFile
from facegan.editing.inversion import Inverted, invert
from facegan.editing.perceptual import Perceptual
from facegan.errors import DataError
from facegan.faces import Square, cut
from facegan.generation.generator import OpenGenerator
from facegan.generation.png import png_bytes

Picture = npt.NDArray[np.uint8]

# Faces of the generator that are looked at, enlarged for the detector, and how many must be found.
_LOOKED_AT, _SIDE, _FEWEST = 48, 256, 12
# Photographs are averaged down to this before anything is looked for.
_LARGEST = 1600
# Mean absolute differences, in levels of 255, up to which a picture is close, or alike.
_CLOSE, _ALIKE = 12.0, 24.0


@dataclass(frozen=True)
class Lie:
    """How the faces of a generator lie in its pictures, in shares of the picture's side.

    Attributes:
        x: middle of the FFHQ square.
        y: the same.
        side: of the square.
        faces: how many were found, of those looked at.
    """

    x: float
    y: float
    side: float
    faces: int


def lie_of(opened: OpenGenerator) -> Lie:
    """Measure how a generator's faces lie.

    Raises:
        DataError: too few of its pictures show a face that can be found.
    """
    import cv2

    squares = []
    for group in opened.pictures(range(_LOOKED_AT), truncation=0.8):
        for picture in group:
            colour = np.repeat(picture, 3, 2) if picture.shape[2] == 1 else picture
            large = cv2.resize(colour, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
            found, _ = aligned(large.astype(np.uint8, copy=False), _SIDE)
            if found:
                squares.append(found[0].square)
    if len(squares) < _FEWEST:
        raise DataError(
            f"A face is found in {len(squares)} of {_LOOKED_AT} of this generator's pictures.",
            "Photographs can be laid as its faces lie only where more of them show one.",
        )
    x, y, side = np.median([(s.x, s.y, s.side) for s in squares], axis=0) / _SIDE
    return Lie(float(x), float(y), float(side), len(squares))


@dataclass(frozen=True)
class FoundFace:
    """A photograph's face and its latent.

    Attributes:
        seen: uint8 [H, W, C], the photograph as the generator's pictures are cut.
        inverted: what was found.
        difference: mean absolute difference of the two pictures, in levels of 255.
        faces: how many faces the photograph shows.
    """

    seen: Picture
    inverted: Inverted
    difference: float
    faces: int


def found_face(
    data: bytes, opened: OpenGenerator, lie: Lie, perceptual: Perceptual, steps: int = 150
) -> FoundFace:
    """The latent of a photograph's main face.

    Args:
        data: an image file.
        opened: the generator.
        lie: how its faces lie.
        perceptual: what compares pictures.
        steps: of the optimisation.

    Raises:
        DataError: it is no picture that can be opened, or shows no face.
    """
    photograph = _decoded(data)
    found, left_out = aligned(photograph, _SIDE)
    if not found:
        detail = f" ({left_out[0].detail})" if left_out[0].detail else ""
        raise DataError(
            f"The photograph shows no face that can be used: {left_out[0].reason}{detail}.",
            "Give one in which a face looks into the camera, large enough and whole.",
        )
    square = found[0].square
    side = square.side / lie.side
    # From the middle of the face to that of the picture, turned as the face is.
    right, down = (0.5 - lie.x) * side, (0.5 - lie.y) * side
    cosine, sine = np.cos(square.angle), np.sin(square.angle)
    whole = Square(
        square.x + right * cosine - down * sine,
        square.y + right * sine + down * cosine,
        side,
        square.angle,
    )
    spec = opened.loaded.generator.spec
    seen = cut(photograph, whole, spec.resolution, "edge")
    if spec.channels == 1:
        grey = seen.astype(np.float64) @ (0.299, 0.587, 0.114)
        seen = grey.round().astype(np.uint8)[:, :, None]
    inverted = invert(opened, seen, steps=steps, perceptual=perceptual)
    difference = np.abs(seen.astype(np.int16) - inverted.picture.astype(np.int16)).mean()
    return FoundFace(seen, inverted, float(difference), len(found) + len(left_out))


def told(found: FoundFace, labels: int) -> dict[str, Any]:
    """What the page is told of it."""
    latent = base64.b64encode(found.inverted.latent.astype("<f4").tobytes()).decode()
    if found.difference <= _CLOSE:
        verdict = "The generator holds this face closely."
    elif found.difference <= _ALIKE:
        verdict = (
            "The generator holds something like this face. What it never saw enough of (a hand, "
            "a hat, a background) it replaces, and it may be somebody else that you see."
        )
    else:
        verdict = (
            "The generator cannot hold this face: what you see is the nearest that it has, and "
            "that is somebody else."
        )
    several = f", the main one of {found.faces} faces" if found.faces > 1 else ""
    return {
        "face": {"z": latent},
        "seen": base64.b64encode(png_bytes(found.seen, single=True)).decode(),
        "found": f"As it was cut out{several}",
        "error": f"Differs by {found.difference:.0f} of 255 levels on average",
        "difference": found.difference,
        "distance": found.inverted.error,
        "verdict": verdict,
    }


def _decoded(data: bytes) -> Picture:
    import cv2

    try:
        photograph, _ = decode_whole(data, Shape(resolution=1, crop="full", channels=3))
    except SkippedFile as why:
        detail = f" ({why.detail})" if why.detail else ""
        raise DataError(
            f"This is no photograph that can be opened: {why.reason}{detail}.",
            "Give a JPEG, PNG, WebP or another usual picture file.",
        ) from why
    longest = max(photograph.shape[:2])
    if longest <= _LARGEST:
        return photograph
    height, width = (max(1, round(n * _LARGEST / longest)) for n in photograph.shape[:2])
    small = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
