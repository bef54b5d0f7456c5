r"""An augmentation of one's own: some pictures lose their colour.

facegan train dcgan --data portraits --run runs/grey --plugin augmentation.py \
    --set "augment={probability=0.3, flip=true, transforms=[{kind='grey'}]}"
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from facegan.augment import TRANSFORMS, Transform
from facegan.data.pixels import Pixels
from facegan.device import to_device
from facegan.seeding import Random


@TRANSFORMS.register
class Grey(Transform):
    """Every channel becomes the mean of all."""

    kind: Literal["grey"]

    def __call__(
        self, images: Tensor, random: Random, probability: float, pixels: Pixels
    ) -> Tensor:
        """See `Transform.__call__`."""
        applies = to_device(random.uniform(len(images), 1, 1, 1) < probability, images.device)
        return torch.where(applies, images.mean(1, keepdim=True), images)
