"""Fixed random mixtures of a network's maps (Sauer et al. 2021, arXiv:2111.01007, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.networks.layers.resample import Upsample


class Mixing(nn.Module):
    """Fixed random mixtures of maps of halving resolution: over channels, then over scales.

    Linear, and as wide as what goes in, so that nothing is lost. The random numbers belong
    to the network's state.

    Args:
        channels: of the maps, shallow to deep.
        spread: standard deviation of each, by which they are divided.
    """

    def __init__(self, channels: Sequence[int], spread: Sequence[float]) -> None:
        super().__init__()
        for level, (width, deviation) in enumerate(zip(channels, spread, strict=False)):
            self.register_buffer(f"channels_{level}", _kaiming(width, width, 1) / deviation)
        for level, (shallow, deep) in enumerate(pairwise(channels)):
            self.register_buffer(f"scales_{level}", _kaiming(shallow, deep, 3))
        self.upsample = Upsample()

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """[N, C, H, W], then half the resolution each → mixtures of the same shapes."""
        mixed: list[Tensor] = []
        for level in reversed(range(len(maps))):
            here = F.conv2d(maps[level], self.get_buffer(f"channels_{level}"))
            if mixed:
                deeper = F.conv2d(mixed[-1], self.get_buffer(f"scales_{level}"), padding=1)
                here = here + self.upsample(deeper)
            mixed.append(here)
        return mixed[::-1]


def _kaiming(outputs: int, inputs: int, kernel: int) -> Tensor:
    """Random weights of a linear layer that keeps the variance (He et al. 2015)."""
    weight = torch.empty(outputs, inputs, kernel, kernel)
    return nn.init.kaiming_normal_(weight, nonlinearity="linear")
