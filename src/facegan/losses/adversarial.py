"""Adversarial losses: pure functions from logits to one loss per sample.

Each is a pair: what the discriminator minimises and what the generator minimises. Both take
(real_logits [N], fake_logits [N]) and return [N]; losses that need only one of the two
ignore the other. Several logits of each image, [N, H], are as many games side by side: [N, H].
Logits are before the sigmoid: with σ the sigmoid, log σ(x) = −softplus(−x)
and log(1 − σ(x)) = −softplus(x), which never overflow. A loss against the batch's mean logits is
given these as well: who knows of several processes takes the mean over all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from facegan.registry import Registry

# (real_logits, fake_logits) → losses; with `averaged`, (…, mean of real, mean of fake) → losses.
Loss = Callable[..., Tensor]


class Adversarial(NamedTuple):
    """A discriminator's loss and the generator's answer to it.

    Attributes:
        relativistic: whether the generator's loss needs the logits of real images. Then only
            differences of logits mean something, and 0 is no border between real and generated.
        averaged: whether both functions take two more tensors, the means over the whole batch
            of the real and of the generated images' logits, [] (of patch logits [H]).
    """

    discriminator: Loss
    generator: Loss
    relativistic: bool = False
    averaged: bool = False


def _cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(x) − log(1 − D(G(z))): the discriminator's side of the minimax game."""
    return softplus(-real) + softplus(fake)


def _minimax_generator(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 − D(G(z))): the objective itself, whose gradient vanishes when D wins."""
    return -softplus(fake)


def _non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(G(z)): Goodfellow et al. 2014, section 3; the report's equation for L_G."""
    return softplus(-fake)


def _least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """½(D(x) − 1)² + ½D(G(z))²: Mao et al. 2017, equation 9."""
    return 0.5 * (real - 1).square() + 0.5 * fake.square()


def _least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """½(D(G(z)) − 1)²."""
    return 0.5 * (fake - 1).square()


def _hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))): Lim & Ye 2017."""
    return relu(1 - real) + relu(1 + fake)


def _wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """D(G(z)) − D(x): Arjovsky et al. 2017; needs a penalty that keeps D Lipschitz."""
    return fake - real


def _wasserstein_generator(real: Tensor, fake: Tensor) -> Tensor:
    """−D(G(z))."""
    return -fake


def _relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """−log σ(D(x) − D(G(z))), paired: Jolicoeur-Martineau 2018, equation 7 (RpGAN)."""
    return softplus(fake - real)


def _relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """−log σ(D(G(z)) − D(x))."""
    return softplus(real - fake)


def _relativistic_average_discriminator(
    real: Tensor, fake: Tensor, mean_real: Tensor, mean_fake: Tensor
) -> Tensor:
    """−log σ(D(x) − E D(G(z))) − log(1 − σ(D(G(z)) − E D(x))): each logit against the mean of
    the other kind (Jolicoeur-Martineau 2018, RaSGAN).
    """
    return softplus(mean_fake - real) + softplus(fake - mean_real)


def _relativistic_average_generator(
    real: Tensor, fake: Tensor, mean_real: Tensor, mean_fake: Tensor
) -> Tensor:
    """−log σ(D(G(z)) − E D(x)) − log(1 − σ(D(x) − E D(G(z)))): the roles exchanged."""
    return _relativistic_average_discriminator(fake, real, mean_fake, mean_real)


ADVERSARIAL = Registry[Adversarial](
    "adversarial loss",
    {
        "minimax": Adversarial(_cross_entropy, _minimax_generator),
        "non_saturating": Adversarial(_cross_entropy, _non_saturating_generator),
        "least_squares": Adversarial(_least_squares_discriminator, _least_squares_generator),
        "hinge": Adversarial(_hinge_discriminator, _wasserstein_generator),
        "wasserstein": Adversarial(_wasserstein_discriminator, _wasserstein_generator),
        "relativistic": Adversarial(
            _relativistic_discriminator, _relativistic_generator, relativistic=True
        ),
        "relativistic_average": Adversarial(
            _relativistic_average_discriminator,
            _relativistic_average_generator,
            relativistic=True,
            averaged=True,
        ),
    },
)


class Logits(NamedTuple):
    """Logits [N] of images, and the same along a discriminator's direction [N]."""

    logits: Tensor
    along: Tensor


def direction(
    loss: Adversarial,
    real: Logits,
    fake: Logits,
    mean: Callable[[Tensor], Tensor] = torch.mean,
) -> Tensor:
    """What a discriminator's direction minimises, [N]: Takida et al. 2024, section 5.

    ⟨ω, h(G(z))⟩ − ⟨ω, h(x)⟩, each image weighted by how steeply the generator's loss falls
    where its logit is, and the weights of real and of generated images divided by their means.

    Args:
        loss: the adversarial pair, which must not be relativistic.
        real: logits of real images, and along the direction, both [N].
        fake: of generated ones.
        mean: of a vector [N], over the whole batch where several processes share it.
    """
    steepness = [_steepness(loss, each.logits) for each in (real, fake)]
    real_weight, fake_weight = (each / mean(each) for each in steepness)
    return fake_weight * fake.along - real_weight * real.along


def _steepness(loss: Adversarial, logits: Tensor) -> Tensor:
    """−∂L_G/∂f at each logit f: [N], without a gradient."""
    at = logits.detach().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(loss.generator(at, at).sum(), at)
    return slope
