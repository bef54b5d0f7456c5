"""Sums and means over all processes, differentiable any number of times."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function


class _Sum(Function):
    """The sum over all processes. Its gradient is again one, so it differentiates any number
    of times.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


_apart = False


def several_processes() -> bool:
    """Whether the batch is shared by more than one process."""
    return not _apart and dist.is_initialized() and dist.get_world_size() > 1


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """In the block, this process computes with its own part of the batch, as if it were alone."""
    global _apart
    before, _apart = _apart, True
    try:
        yield
    finally:
        _apart = before


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean of x over all processes, shape unchanged; x itself where there is only one."""
    return _Sum.apply(x) / dist.get_world_size() if several_processes() else x
