"""How labels enter a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE = 0.2


class LabelEmbedding(nn.Module):
    """Labels to a vector. A missing one counts as 0, and a mask beside it says so.

    Args:
        labels: how many, L.
        width: of the vector, E.
    """

    def __init__(self, labels: int, width: int) -> None:
        super().__init__()
        self.labels = labels
        self.dense = nn.Linear(2 * labels, width)
        nn.init.kaiming_normal_(self.dense.weight, _SLOPE)
        nn.init.zeros_(self.dense.bias)

    def forward(self, labels: Tensor) -> Tensor:
        """Float [N, L], scaled, NaN where missing → [N, E]."""
        missing = torch.isnan(labels)
        known = torch.cat([labels.masked_fill(missing, 0.0), missing.to(labels.dtype)], 1)
        return F.leaky_relu(self.dense(known), _SLOPE)
