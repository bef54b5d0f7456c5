"""Another background around the face (IGNM, 4.1: scenes)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from facegan.augment.transform import TRANSFORMS, Transform, places, range_of
from facegan.data.pixels import Pixels
from facegan.device import to_device
from facegan.seeding import Random


@TRANSFORMS.register
class Scene(Transform):
    """Outside an ellipse about the middle, blurs the picture and mixes in a colour.

    For aligned or centred faces, which the ellipse holds; its edge is soft. How much colour and
    how much blur is uniform between none and all that is allowed.

    Attributes:
        kind: `scene`.
        colour: share of the background that a colour, uniform in RGB, may take.
        blur: width of the blur as a share of the side.
        width: half the ellipse's width, as a share of half the picture's.
        height: half its height, likewise.
    """

    kind: Literal["scene"]
    colour: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.7
    blur: Annotated[float, Field(ge=0.0, le=0.5)] = 0.15
    width: Annotated[float, Field(gt=0.0, le=1.0)] = 0.65
    height: Annotated[float, Field(gt=0.0, le=1.0)] = 0.85

    leaks = "too few pictures keep their background to tell the right one"

    def __call__(
        self, images: Tensor, random: Random, probability: float, pixels: Pixels
    ) -> Tensor:
        """See `Transform.__call__`."""
        n, channels = images.shape[:2]
        draws = random.uniform(n, 3 + 3)
        applies = (draws[:, 0] < probability).float()
        amounts = torch.stack((applies * draws[:, 1], applies * self.colour * draws[:, 2]), 1)
        told = to_device(torch.cat((amounts, draws[:, 3 : 3 + channels]), 1), images.device)
        told = told.to(images.dtype)[:, :, None, None]
        blurred, mixed, colour = told[:, :1], told[:, 1:2], told[:, 2:]
        black, span = range_of(pixels, images)
        background = images
        if self.blur:
            background = images + blurred * (_blurred(images, self.blur) - images)
        background = background + mixed * (black + span * colour - background)
        inside = self.inside(images)
        return torch.lerp(background, images, inside.expand_as(images))

    def inside(self, images: Tensor) -> Tensor:
        """1 in the ellipse, 0 well outside, smooth between, [1, 1, H, W]."""
        x, y = places(images)
        radius = ((x / self.width).square() + (y / self.height).square()).sqrt()
        t = ((1.15 - radius) / 0.3).clamp(0, 1)
        return (t * t * (3 - 2 * t))[None, None]


def _blurred(images: Tensor, share: float) -> Tensor:
    """Means over squares, interpolated."""
    height, width = images.shape[2:]
    places = max(round(1 / share), 1)
    small = F.adaptive_avg_pool2d(images, (min(places, height), min(places, width)))
    return F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
