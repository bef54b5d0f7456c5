"""Light from one side (IGNM, 4.1: lighting conditions)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from facegan.augment.transform import TRANSFORMS, Transform, places, range_of
from facegan.data.pixels import Pixels
from facegan.device import to_device
from facegan.seeding import Random


@TRANSFORMS.register
class Light(Transform):
    """Multiplies the picture by exp(a · (cos θ · x + sin θ · y)), x and y in [−1, 1].

    The direction θ is uniform and a is uniform in [0, amount): one side grows brighter, the other
    darker, and the middle stays. Black stays black.

    Attributes:
        kind: `light`.
        amount: 0.7 makes the lit edge up to twice as bright, and the other half as bright.
    """

    kind: Literal["light"]
    amount: Annotated[float, Field(gt=0.0, le=2.0)] = 0.7

    leaks = "too few pictures keep their light to tell which one is right"

    def __call__(
        self, images: Tensor, random: Random, probability: float, pixels: Pixels
    ) -> Tensor:
        """See `Transform.__call__`."""
        draws = random.uniform(len(images), 3)
        strength = self.amount * draws[:, 1] * (draws[:, 0] < probability)
        angle = 2 * torch.pi * draws[:, 2]
        slopes = torch.stack((strength * angle.cos(), strength * angle.sin()), 1)
        slopes = to_device(slopes, images.device).to(images.dtype)[:, :, None, None, None]
        x, y = places(images)
        factor = torch.exp(slopes[:, 0] * x + slopes[:, 1] * y)
        black, _ = range_of(pixels, images)
        return black + (images - black) * factor
