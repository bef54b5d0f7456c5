"""Noise maps: a generator's second source of chance, for what has no place in z.

Where single hairs lie, or pores, matters to no face; without noise, a generator must make such
detail out of z (Karras, Laine & Aila 2019, arXiv:1812.04948, section 3.2).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function


class NoiseMap(nn.Module):
    """y + gain · noise: one map of normal numbers, with a learned gain for each channel.

    Gains begin at 0: at first, there is no noise.

    Args:
        channels: of the maps.
        side: of the maps.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(channels))
        self._side = side

    @property
    def numbers(self) -> int:
        """How many numbers the map takes for each image."""
        return self._side**2

    def forward(self, maps: Tensor, noise: Tensor) -> Tensor:
        """Maps [N, C, S, S], noise [N, S²] → [N, C, S, S]."""
        added: Tensor = _Added.apply(maps, noise.to(maps.dtype), self.gain.to(maps.dtype))
        return added


class _Added(Function):
    """maps + gain · noise, and its gradient in the gain, as matrix products.

    Where channels are few, a processor takes several times as long for the same with broadcasting.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, noise: Tensor, gain: Tensor) -> Tensor:
        ctx.save_for_backward(noise, gain)
        added = torch.empty_like(maps, memory_format=torch.channels_last)
        torch.addmm(_rows(maps), noise.reshape(-1, 1), gain[None], out=_rows(added))
        return added

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        noise, gain = ctx.saved_tensors
        rows = _rows(gradient)
        return (
            gradient,
            (rows @ gain).view_as(noise) if ctx.needs_input_grad[1] else None,
            noise.reshape(-1) @ rows if ctx.needs_input_grad[2] else None,
        )


def _rows(maps: Tensor) -> Tensor:
    """[N, C, H, W] → [N · H · W, C]; a view, if they lie in memory so."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
