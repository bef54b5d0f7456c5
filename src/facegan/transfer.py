"""Tensors on their way to the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the processor's on the device, without waiting for what it has still to do.

    By default PyTorch waits for a GPU until all work given to it is done. Here CUDA has taken its
    own copy of ordinary memory when the call returns, so that the tensor may go.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")
