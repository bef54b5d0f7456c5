"""Keeping gradients in the memory layout of what they are gradients of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


def flattened(maps: Tensor) -> Tensor:
    """[N, C, H, W] → [N, C·H·W], with a gradient that arrives as the maps lie in memory.

    The gradient of `flatten` lies as [N, C, H, W]. Where the maps lie as [N, H, W, C], the
    operators before it would then walk through two layouts at once, which takes 30 times as long
    on a processor.
    """
    if maps.is_contiguous(memory_format=torch.channels_last):
        maps = _ChannelsLastGradient.apply(maps)
    return maps.flatten(1)


class _ChannelsLastGradient(Function):
    """The identity; its gradient is laid out as [N, H, W, C]. Differentiable again."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        return maps.view_as(maps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous(memory_format=torch.channels_last)
