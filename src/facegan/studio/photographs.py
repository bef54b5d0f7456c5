"""A photograph to the latent of its face, as the page is told of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from facegan.editing.inversion import Inverted, invert
from facegan.editing.perceptual import Perceptual
from facegan.editing.photographs import Lie, Picture, laid, read_photograph
from facegan.generation.generator import OpenGenerator
from facegan.generation.png import png_bytes

# Mean absolute differences, in levels of 255, up to which a picture is close, or alike.
_CLOSE, _ALIKE = 12.0, 24.0


@dataclass(frozen=True)
class FoundFace:
    """A photograph's face and its latent.

    Attributes:
        seen: uint8 [H, W, C], the photograph as the generator's pictures are cut.
        inverted: what was found.
        faces: how many faces the photograph shows.
    """

    seen: Picture
    inverted: Inverted
    faces: int

    @property
    def difference(self) -> float:
        """Mean absolute difference of the two pictures, in levels of 255."""
        made = self.inverted.picture.astype(np.int16)
        return float(np.abs(self.seen.astype(np.int16) - made).mean())


def found_face(data: bytes, opened: OpenGenerator, lie: Lie, perceptual: Perceptual) -> FoundFace:
    """The latent of a photograph's main face.

    Args:
        data: an image file.
        opened: the generator.
        lie: how its faces lie.
        perceptual: what compares pictures.

    Raises:
        DataError: it is no picture that can be opened, or shows no face.
    """
    spec = opened.loaded.generator.spec
    seen, faces = laid(read_photograph(data), lie, spec.resolution, spec.channels)
    return FoundFace(seen, invert(opened, seen, perceptual=perceptual), faces)


def told(found: FoundFace) -> dict[str, Any]:
    """What the page is told of it."""
    latent = base64.b64encode(found.inverted.latent.astype("<f4").tobytes()).decode()
    several = f", the main one of {found.faces} faces" if found.faces > 1 else ""
    return {
        "face": {"z": latent},
        "seen": base64.b64encode(png_bytes(found.seen, single=True)).decode(),
        "found": f"As it was cut out{several}",
        "error": f"Differs by {found.difference:.0f} of 255 levels on average",
        "difference": found.difference,
        "distance": found.inverted.error,
        "verdict": _verdict(found.difference),
    }


def _verdict(difference: float) -> str:
    if difference <= _CLOSE:
        return "The generator holds this face closely."
    if difference <= _ALIKE:
        return (
            "The generator holds something like this face. What it never saw enough of (a hand, "
            "a hat, a background) it replaces, and it may be somebody else that you see."
        )
    return (
        "The generator cannot hold this face: what you see is the nearest that it has, and that "
        "is somebody else."
    )
