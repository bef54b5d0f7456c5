"""The first weights of DCGAN's networks, and of those that grew from them."""

from __future__ import annotations

import torch
from torch import nn

from facegan.networks.layers.norm import BatchNorm2d


@torch.no_grad()
def dcgan_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02²), batch-norm scales from N(1, 0.02²), no biases.

    As in Radford, Metz & Chintala 2016, section 4. For `network.apply`.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        module.weight.normal_(0.0, 0.02)
        if module.bias is not None:
            module.bias.zero_()
    elif isinstance(module, BatchNorm2d):
        module.weight.normal_(1.0, 0.02)
