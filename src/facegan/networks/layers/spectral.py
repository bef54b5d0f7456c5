"""Spectral normalisation (Miyato, Kataoka, Koyama & Yoshida 2018, arXiv:1802.05957).

    self.apply(_initialise)
    spectral_norm(self)        # last, when the weights have their first values

Each weight W, as a matrix with a row for each output, is used as W/σ with σ = ‖Wᵀu‖, and
the buffer u is kept near W's first left singular vector by one power iteration after each
optimizer step (`follow`, called by the trainer): once an update, as in the paper's algorithm
1. A pass only reads u. So all passes of an update, whichever images they see and whether or
not they learn, are passes of the same network, which finite differences need; networks that
do not learn stay as they are; and processes with equal weights have equal u.

PyTorch's parametrization iterates in every pass in training mode instead, and keeps both
singular vectors; averaged over training, as the averaged generator's are, these are no longer
of length 1, and its σ too small. Here σ does not depend on the length of u.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

Network = TypeVar("Network", bound=nn.Module)

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_WEIGHTED = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
# So many make a good u of a random one: σ is then within a few per cent.
_FIRST_ITERATIONS = 15


def spectral_norm(network: Network) -> Network:
    """Normalise the weight of every linear, convolution and embedding layer in a network.

    Args:
        network: also a single layer; changed in place, its weights already initialised.

    Returns:
        The same network.
    """
    for layer in list(network.modules()):
        if isinstance(layer, _WEIGHTED):
            outputs = 1 if isinstance(layer, _TRANSPOSED) else 0
            by_norm = SpectralNorm(layer.weight, outputs)
            # Unchecked: the shape stays, and the check does not work on the meta device.
            parametrize.register_parametrization(layer, "weight", by_norm, unsafe=True)
    return network


def follow(network: nn.Module) -> None:
    """One power iteration in every normalised layer that learns: after each of its changes."""
    for weight in network.modules():
        if isinstance(weight, parametrize.ParametrizationList) and weight.original.requires_grad:
            for step in weight:
                if isinstance(step, SpectralNorm):
                    step.follow(weight.original)


class SpectralNorm(nn.Module):
    """W → W/σ(W), σ being W's largest singular value as far as u is its singular vector.

    Args:
        weight: W, of two or more dimensions.
        outputs: which dimension counts the outputs; the others together count the inputs.
    """

    u: Tensor

    def __init__(self, weight: Tensor, outputs: int) -> None:
        super().__init__()
        self._outputs = outputs
        self.register_buffer("u", torch.randn(weight.shape[outputs]).to(weight))
        self.follow(weight, _FIRST_ITERATIONS)

    def forward(self, weight: Tensor) -> Tensor:
        """W/σ(W), in the precision of W; the gradient goes through σ too, as in equation 10."""
        with torch.autocast(weight.device.type, enabled=False):
            u = normalize(self.u, dim=0)
            # ‖Wᵀu‖ is uᵀWv for v along Wᵀu, and has the same gradient, uvᵀ.
            return weight / torch.linalg.vector_norm(u @ self._matrix(weight))

    @torch.no_grad()
    def follow(self, weight: Tensor, iterations: int = 1) -> None:
        """Bring u nearer to the first left singular vector of W, by power iterations."""
        if weight.is_meta:
            return  # there are no numbers, and PyTorch would import for seconds to make none
        matrix, u = self._matrix(weight), self.u
        for _ in range(iterations):
            u = normalize(matrix @ normalize(u @ matrix, dim=0), dim=0)
        self.u.copy_(u)

    def _matrix(self, weight: Tensor) -> Tensor:
        """[outputs, inputs]; the inputs as they lie in memory, so that little is copied."""
        others = [d for d in range(weight.dim()) if d != self._outputs]
        others.sort(key=weight.stride, reverse=True)
        return weight.permute(self._outputs, *others).flatten(1)
