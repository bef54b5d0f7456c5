"""Minibatch standard deviation (Karras et al. 2018, arXiv:1710.10196, section 3).

A discriminator that sees how much the images of a batch differ from one another can tell a
generator off that makes the same face again and again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# As in the authors' later networks: large batches would hide a collapse in part of them.
_GROUP = 4


class MinibatchDeviation(nn.Module):
    """The standard deviation over a group of images, averaged over all channels and places.

    Groups are of four, or of the largest number below that divides the batch.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """[N, C, H, W] → [N, 1], equal within a group."""
        n = len(maps)
        group = next(size for size in range(min(_GROUP, n), 0, -1) if n % size == 0)
        groups = maps.float().reshape(n // group, group, -1)
        # `var` over a middle dimension takes ten times as long on the CPU.
        variance = (groups - groups.mean(1, keepdim=True)).square().mean(1)
        deviation = torch.sqrt(variance + 1e-8).mean(1)
        return deviation.repeat_interleave(group)[:, None].to(maps.dtype)
