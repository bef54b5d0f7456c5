"""Colours turned about the grey axis."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from facegan.augment.transform import TRANSFORMS, Transform, range_of
from facegan.data.pixels import Pixels
from facegan.device import to_device
from facegan.seeding import Random


@TRANSFORMS.register
class Hue(Transform):
    """Turns the vector (red, green, blue) about (1, 1, 1); grey pictures and pixels stay.

    The angle is uniform in ±degrees. Karras et al. 2020 (ADA), appendix B, turn by any angle;
    faces keep a plausible skin within some twenty degrees.

    Attributes:
        kind: `hue`.
        degrees: at most this, either way.
    """

    kind: Literal["hue"]
    degrees: Annotated[float, Field(gt=0.0, le=180.0)] = 15.0

    leaks = "too few pictures keep their colours to tell the right ones"

    def __call__(
        self, images: Tensor, random: Random, probability: float, pixels: Pixels
    ) -> Tensor:
        """See `Transform.__call__`."""
        draws = random.uniform(len(images), 2)
        if images.shape[1] == 1:
            return images
        amount = (2 * draws[:, 1] - 1) * (draws[:, 0] < probability)
        turn = to_device(turns(torch.deg2rad(self.degrees * amount)), images.device)
        black, span = range_of(pixels, images)
        colours = ((images - black) / span).flatten(2)
        return (turn.to(images.dtype) @ colours).view(images.shape) * span + black


def turns(angles: Tensor) -> Tensor:
    """Rotations about the grey axis, float32 [N, 3, 3] (Rodrigues' formula), of [N] radians."""
    ones = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    return cos * torch.eye(3) + (1 - cos) * ones + sin * cross
