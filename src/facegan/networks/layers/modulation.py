"""Self-modulation: z reaches every resolution of a generator, not its first layer alone.

Chen, Lučić, Houlsby & Gelly 2019, "On Self Modulation for Generative Adversarial Networks",
arXiv:1810.01365, section 2.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE = 0.2


class SelfModulation(nn.Module):
    """(1 + γ) · y + β for each channel of normalised maps y, with γ and β of each image's own.

    γ and β are linear in z, or in what a `Mapping` makes of it, and in the label embedding where
    there is one; the paper has a hidden layer of 32 numbers before them. They begin small: at
    first every image has the normalisation's own scale and shift.

    Args:
        latent: numbers in z.
        labels: numbers in the label embedding; 0 without labels.
        channels: of the maps.
    """

    def __init__(self, latent: int, labels: int, channels: int) -> None:
        super().__init__()
        self._latent = latent
        self.linear = nn.Linear(latent, 2 * channels)
        # By itself, so that what z learned without labels can be taken over.
        self.labels = nn.Linear(labels, 2 * channels, bias=False) if labels else None

    def forward(self, maps: Tensor, code: Tensor) -> Tensor:
        """Maps [N, C, H, W], z and beside it the embedding [N, Z + E] → [N, C, H, W]."""
        amounts = self.linear(code[:, : self._latent])
        if self.labels is not None:
            amounts = amounts + self.labels(code[:, self._latent :])
        gain, shift = amounts[:, :, None, None].to(maps.dtype).chunk(2, 1)
        return (maps * (1 + gain)).add_(shift)


class Mapping(nn.Module):
    """z → w: a few fully connected layers with leaky ReLUs, common to all modulations.

    What decides a face need not be distributed as z is (Karras, Laine & Aila 2019,
    arXiv:1812.04948, section 2). Their weights begin so that w is as large as z.

    Args:
        latent: numbers in z.
        width: numbers in w, and between the layers.
        layers: how many.
    """

    def __init__(self, latent: int, width: int, layers: int) -> None:
        super().__init__()
        self._latent = latent
        sizes = [latent, *[width] * layers]
        dense = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        for layer in dense:
            nn.init.kaiming_normal_(layer.weight, _SLOPE)
            nn.init.zeros_(layer.bias)
        self.dense = nn.ModuleList(dense)

    def forward(self, code: Tensor) -> Tensor:
        """z and beside it the label embedding [N, Z + E] → w and the embedding [N, W + E]."""
        w = code[:, : self._latent]
        for layer in self.dense:
            w = F.leaky_relu(layer(w), _SLOPE)
        return torch.cat([w, code[:, self._latent :].to(w.dtype)], 1)
