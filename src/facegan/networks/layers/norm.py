"""Batch normalisation whose statistics are those of the whole batch, over all processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from facegan.networks.layers.processes import mean_over_processes, several_processes


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation (Ioffe & Szegedy, 2015) over [N, C, H, W].

    With one process this is PyTorch's own. With several, the mean and variance are averaged
    over all of them, by an operation that can be differentiated twice, so that two processes
    with half the batch each compute what one with the whole batch would, penalties included.
    PyTorch's SyncBatchNorm runs on GPUs alone and cannot be differentiated twice.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise; shape unchanged."""
        if self.training and several_processes():
            return self._across_processes(input)
        return super().forward(input)

    def _across_processes(self, input: Tensor) -> Tensor:
        x = input.float()
        # Mean first, then the mean of squared distances: the difference of two large sums
        # would lose the digits that a comparison with one process needs.
        mean = mean_over_processes(x.mean((0, 2, 3)))
        centred = x - mean[:, None, None]
        variance = mean_over_processes(centred.square().mean((0, 2, 3)))
        count = x.numel() // x.shape[1] * dist.get_world_size()
        self._update_running(mean.detach(), variance.detach(), count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
