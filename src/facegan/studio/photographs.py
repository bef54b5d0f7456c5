"""A photograph to the latent of its face, as the page is told of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from facegan.data.pictures import png_bytes
from facegan.editing.encoder import encoder_of
from facegan.editing.inversion import Inverted, invert
from facegan.editing.perceptual import Perceptual
from facegan.editing.photographs import Lie, Picture, laid, read_photograph
from facegan.generation.generator import OpenGenerator


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


def find_face(data: bytes, opened: OpenGenerator, lie: Lie, perceptual: Perceptual) -> FoundFace:
    """The latent of a photograph's main face.

    The encoder that makes the first guess is fitted when a generator's first photograph comes, and
    kept in the cache.

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
    encoder = encoder_of(opened, perceptual)
    return FoundFace(seen, invert(opened, seen, encoder=encoder, perceptual=perceptual), faces)


def as_json(found: FoundFace) -> dict[str, Any]:
    """The same for the page."""
    inverted = found.inverted
    latent = base64.b64encode(inverted.latent.astype("<f4").tobytes()).decode()
    several = f", the main one of {found.faces} faces" if found.faces > 1 else ""
    error = f"Differs by {found.difference:.0f} of 255 levels on average"
    if inverted.share is not None:
        error += f"; its distance is {inverted.share:.0%} of that between two faces"
    return {
        "face": {"z": latent},
        "seen": base64.b64encode(png_bytes(found.seen, single=True)).decode(),
        "found": f"As it was cut out{several}",
        "error": error,
        "difference": found.difference,
        "distance": inverted.error,
        "verdict": inverted.verdict,
    }
