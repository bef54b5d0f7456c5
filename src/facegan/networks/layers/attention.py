"""Self-attention over the places of feature maps (Zhang et al. 2019, SAGAN, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """x + γ · W_v (softmax(f(x)ᵀ g(x)) h(x)): every place looks at every other.

    f and g have an eighth of the channels, h a half. As in the authors' released code, g and h
    are pooled 2×2 first, which makes the map of attention a quarter as large. γ begins at zero:
    the network first relies on its neighbourhood.

    Args:
        channels: of the maps; a multiple of 8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.key = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.value = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.out = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → the same shape; H and W even."""
        query = self.query(x).flatten(2)  # [N, C/8, HW]
        key = F.max_pool2d(self.key(x), 2).flatten(2)  # [N, C/8, HW/4]
        value = F.max_pool2d(self.value(x), 2).flatten(2)  # [N, C/2, HW/4]
        attention = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # [N, HW, HW/4]
        seen = (value @ attention.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gamma * self.out(seen)
