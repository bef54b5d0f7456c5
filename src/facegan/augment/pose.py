"""The picture seen from a little to the side, above or below (IGNM, 4.1: pose)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from facegan.augment.geometry import sample
from facegan.augment.transform import TRANSFORMS, Transform, places
from facegan.data.pixels import Pixels
from facegan.device import to_device
from facegan.seeding import Random


@TRANSFORMS.register
class Pose(Transform):
    """Perspective and shear of the flat picture: all that pose can be without a third dimension.

    The pixel at (x, y), both in [−1, 1], comes from (x + s·y, y) / (1 + p·x + q·y), with s uniform
    in ±shear, and p and q in ±perspective. It is interpolated (bilinear: a slight blur), and fills
    the border with the picture's reflection.

    Attributes:
        kind: `pose`.
        perspective: 0.15 makes one side up to 1.35 times as large as the other.
        shear: of the top against the bottom, as a share of the height.
    """

    kind: Literal["pose"]
    perspective: Annotated[float, Field(ge=0.0, le=0.3)] = 0.15
    shear: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1

    leaks = "too few pictures keep their pose to tell the right one"

    def __call__(
        self, images: Tensor, random: Random, probability: float, pixels: Pixels
    ) -> Tensor:
        """See `Transform.__call__`."""
        draws = random.uniform(len(images), 4)
        which = (draws[:, 0] < probability).nonzero()[:, 0]
        if len(which) == 0:
            return images
        limits = torch.tensor([self.shear, self.perspective, self.perspective])
        amounts = to_device((2 * draws[which, 1:] - 1) * limits, images.device)
        shear, side, up = amounts.to(images.dtype)[:, :, None, None].unbind(1)
        x, y = places(images)
        depth = 1 + side * x + up * y
        grid = torch.stack(((x + shear * y) / depth, y / depth), 3)
        index = to_device(which, images.device)
        return images.index_copy(0, index, sample(images[index], grid))
