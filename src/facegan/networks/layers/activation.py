"""What stands between layers, by name (IGNM 4.2: ReLU in the place of the sigmoid)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "swish"]


class Activate(nn.Module):
    """A function of each number by itself, in place where that loses nothing.

    ReLU, leaky ReLU, sigmoid, tanh, or swish: x · sigmoid(x) (Ramachandran et al. 2017,
    arXiv:1710.05941).

    Args:
        name: which.
        slope: of the leaky ReLU below zero.
        inplace: whether the input may be overwritten; it is where the gradient allows it.
    """

    def __init__(self, name: Activation, slope: float = 0.2, inplace: bool = True) -> None:
        super().__init__()
        self.name, self.slope, self.inplace = name, slope, inplace

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape, unchanged."""
        if self.name == "relu":
            return F.relu(x, inplace=self.inplace)
        if self.name == "leaky_relu":
            return F.leaky_relu(x, self.slope, inplace=self.inplace)
        if self.name == "swish":
            return F.silu(x)
        return torch.sigmoid(x) if self.name == "sigmoid" else torch.tanh(x)

    def extra_repr(self) -> str:
        """For PyTorch's own printing."""
        return self.name
