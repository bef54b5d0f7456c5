"""Changing the resolution of feature maps with a [1, 2, 1] low-pass, by average pooling alone.

The average of two neighbours, taken twice, is the filter [1, 2, 1] / 4. Pooling is fast on
every device, in every memory layout, and can be differentiated twice.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Downsample(nn.Module):
    """Half the resolution: each value is the [1, 2, 1] average around every second one."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C, H/2, W/2], H and W even. Beyond the edge are zeros."""
        return F.avg_pool2d(F.avg_pool2d(x, 2, stride=1, padding=1), 2)


class Upsample(nn.Module):
    """Twice the resolution: every second value stays, those between are averages."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C, 2H, 2W]. Beyond the edge the last value is repeated."""
        doubled = F.pad(F.interpolate(x, scale_factor=2.0), (0, 1, 0, 1), mode="replicate")
        return F.avg_pool2d(doubled, 2, stride=1)
