"""Consistency regularisation: D should say the same of an image that is mirrored or shifted.

CR of real images alone (Zhang et al. 2020, arXiv:1910.12027, equation 3), or balanced, of
generated ones too (bCR: Zhao et al. 2020, arXiv:2002.04724, section 3.1), without which G may
learn to make the shifts themselves.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from facegan.device import to_device
from facegan.losses.gradient_norm import Judged
from facegan.methods.regulariser import REGULARISERS, Regulariser, Update
from facegan.schedule import PositiveSchedule
from facegan.seeding import Random


@REGULARISERS.register
class Consistency(Regulariser):
    """‖D(x) − D(T(x))‖², and the same of G(z) where it is balanced. T mirrors and shifts.

    Attributes:
        weight: λ: 10 in both papers.
        balanced: whether generated images count too.
        flip: whether T mirrors, half of all images.
        shift: T moves an image along each axis by whole pixels, at most this share of its side.
            The border is filled with the picture's reflection.
    """

    kind: Literal["consistency"] = "consistency"
    weight: PositiveSchedule = 10.0
    balanced: bool = True
    flip: bool = True
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.125

    def discriminator_loss(self, update: Update) -> Tensor:
        """See `Regulariser.discriminator_loss`."""
        assert update.real is not None  # as in every update of the discriminator
        loss = self._of(update, update.real)
        return loss + self._of(update, update.fake) if self.balanced else loss

    def _of(self, update: Update, shown: Judged) -> Tensor:
        changed = update.critic(self.changed(shown.images.detach(), update.batch.random))
        return (shown.logits - changed.float()).square()

    def changed(self, images: Tensor, random: Random) -> Tensor:
        """T(x), of the same shape."""
        n, channels, height, width = images.shape
        draws = random.uniform(n, 3)
        most = torch.tensor([int(self.shift * height), int(self.shift * width)])
        offsets = ((2 * most + 1) * draws[:, :2]).long().minimum(2 * most) - most
        down, right = to_device(offsets, images.device)[:, :, None].unbind(1)
        mirrored = to_device(draws[:, 2:] < 0.5, images.device)
        rows = _reflected(torch.arange(height, device=images.device) - down, height)
        columns = _reflected(torch.arange(width, device=images.device) - right, width)
        if self.flip:
            columns = torch.where(mirrored, width - 1 - columns, columns)
        index = (rows[:, :, None] * width + columns[:, None, :]).view(n, 1, -1)
        return images.flatten(2).gather(2, index.expand(n, channels, -1)).view(images.shape)


def _reflected(positions: Tensor, size: int) -> Tensor:
    """Positions beyond either end of [0, size) mirrored at it."""
    return size - 1 - (size - 1 - positions.abs()).abs()
