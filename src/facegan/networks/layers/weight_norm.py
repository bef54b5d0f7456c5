"""Weight normalisation (Salimans & Kingma 2016, arXiv:1602.07868), begun so that signals keep
their size from layer to layer.

Each output's weights v are used as g · v / ‖v‖, with a learned gain g. As under batch
normalisation, the length of v changes nothing, so that steps turn it less and less the longer it
grows; but no image depends on the others of its batch, which zero-centred gradient penalties and
relativistic losses take for granted (Huang et al. 2024, arXiv:2501.05441, section 3).
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

Network = TypeVar("Network", bound=nn.Module)


def leaky_gain(slope: float) -> float:
    """What a layer must gain for a leaky ReLU of this slope to keep the mean square (He 2015)."""
    return math.sqrt(2 / (1 + slope**2))


def weight_norm(network: Network, gain: float = 1.0) -> Network:
    """Normalise the weight of every linear layer and convolution in a network.

    Args:
        network: also a single layer; changed in place, its weights already initialised.
        gain: the first g of every output: of independent inputs whose mean square is 1, that
            of the outputs is g².

    Returns:
        The same network.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d):
            by_length = WeightNorm(layer.weight, gain)
            # Unchecked: the shape stays, and the check does not work on the meta device.
            parametrize.register_parametrization(layer, "weight", by_length, unsafe=True)
    return network


class WeightNorm(nn.Module):
    """v → g · v / ‖v‖ for each output.

    Args:
        weight: v, [outputs, …].
        gain: the first g.
    """

    def __init__(self, weight: Tensor, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.full((len(weight),), gain).to(weight))

    def forward(self, weight: Tensor) -> Tensor:
        """In the precision of v; the gradient goes through its length too."""
        with torch.autocast(weight.device.type, enabled=False):
            others = tuple(range(1, weight.dim()))
            length = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
            return weight * (self.gain.view_as(length) / length)
