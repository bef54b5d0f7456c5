"""Gradient penalties on the discriminator: one value per sample, by double backward.

Each is a recipe section and a function in one: `Penalty(...)(critic, real, fake, random)`.
`critic` maps images to logits; the images need not require gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from facegan.config import Config
from facegan.seeding import Random

Critic = Callable[[Tensor], Tensor]
Weight = Annotated[float, Field(gt=0)]


def input_gradient(critic: Critic, images: Tensor) -> Tensor:
    """∂ΣD(x)/∂x, [N, C, H, W], itself differentiable with respect to D's weights.

    Computed in float32: squared gradients of many pixels lose too much in bfloat16.
    """
    # Generated images come in bfloat16 from under autocast.
    images = images.detach().to(torch.promote_types(images.dtype, torch.float32))
    images.requires_grad_(True)
    with torch.autocast(images.device.type, enabled=False):
        logits = critic(images)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient


def squared_norm(gradient: Tensor) -> Tensor:
    """‖g‖² of each sample, [N]."""
    return gradient.square().flatten(1).sum(1)


class R1(Config):
    """γ/2 · ‖∇D(x)‖² on real images (Mescheder, Geiger & Nowozin 2018, equation 9)."""

    kind: Literal["r1"]
    gamma: Weight = 1.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, random: Random) -> Tensor:
        """Penalty [N]."""
        return self.gamma / 2 * squared_norm(input_gradient(critic, real))


class R1R2(Config):
    """γ/2 · ‖∇D‖² on real and on generated images: R1 and R2 of the same paper."""

    kind: Literal["r1r2"]
    gamma: Weight = 1.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, random: Random) -> Tensor:
        """Penalty [N]; the two kinds of image pass separately, for batch statistics' sake."""
        on_real = squared_norm(input_gradient(critic, real))
        return self.gamma / 2 * (on_real + squared_norm(input_gradient(critic, fake)))


class GradientPenalty(Config):
    """λ · (‖∇D(x̂)‖ − 1)² between real and generated (Gulrajani et al. 2017, equation 3)."""

    kind: Literal["gradient_penalty"]
    weight: Weight = 10.0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, random: Random) -> Tensor:
        """Penalty [N], at x̂ = εx + (1 − ε)G(z) with ε uniform on [0, 1] for each sample."""
        epsilon = random.uniform(len(real), 1, 1, 1).to(real.device)
        between = epsilon * real + (1 - epsilon) * fake.detach()
        # The norm's derivative is infinite at a gradient of exactly zero.
        norm = torch.sqrt(squared_norm(input_gradient(critic, between)) + 1e-12)
        return self.weight * (norm - 1).square()


Penalty = Annotated[R1 | R1R2 | GradientPenalty, Field(discriminator="kind")]
