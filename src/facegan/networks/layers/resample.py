"""Changing the resolution of feature maps with a [1, 2, 1] low-pass.

The average of two neighbours, taken twice, is the filter [1, 2, 1] / 4. Elsewhere than on the
CPU that is average pooling. There, PyTorch's pooling takes several times as long as adding
whole rows and columns of maps that lie in memory as [N, H, W, C]. Both forms can be
differentiated twice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Downsample(nn.Module):
    """Half the resolution: each value is the [1, 2, 1] average around every second one."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C, H/2, W/2], H and W even. Beyond the edge are zeros."""
        if not _by_rows(x):
            return F.avg_pool2d(F.avg_pool2d(x, 2, stride=1, padding=1), 2)
        return _down(_down(x.permute(0, 2, 3, 1), 1), 2).permute(0, 3, 1, 2)


class Upsample(nn.Module):
    """Twice the resolution: every second value stays, those between are averages."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C, 2H, 2W]. Beyond the edge the last value is repeated."""
        if not _by_rows(x):
            doubled = F.pad(F.interpolate(x, scale_factor=2.0), (0, 1, 0, 1), mode="replicate")
            return F.avg_pool2d(doubled, 2, stride=1)
        return _up(_up(x.permute(0, 2, 3, 1), 1), 2).permute(0, 3, 1, 2)


def _by_rows(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last)


def _down(x: Tensor, axis: int) -> Tensor:
    """Along one axis of even length: out[i] = (x[2i − 1] + 2 x[2i] + x[2i + 1]) / 4."""
    even, odd = x.unflatten(axis, (-1, 2)).unbind(axis + 1)
    before = torch.zeros_like(odd.narrow(axis, 0, 1))
    before = torch.cat([before, odd.narrow(axis, 0, odd.shape[axis] - 1)], axis)
    return (before + odd).mul_(0.25).add_(even, alpha=0.5)


def _up(x: Tensor, axis: int) -> Tensor:
    """Along one axis: out[2i] = x[i], out[2i + 1] = (x[i] + x[i + 1]) / 2."""
    length = x.shape[axis]
    after = torch.cat([x.narrow(axis, 1, length - 1), x.narrow(axis, length - 1, 1)], axis)
    return torch.stack([x, (x + after).mul_(0.5)], axis + 1).flatten(axis, axis + 1)
