"""Penalties on the discriminator's slopes: one value per sample.

Each is a recipe section and a function in one: `Penalty(...)(critic, real, fake, random)`.
`critic` maps images to logits; `real` and `fake` are the images of the update with the
logits that it has already computed. How a slope is found is the penalty's `estimate`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from facegan.config import Config
from facegan.device import to_device
from facegan.losses.gradient_norm import Critic, Estimate, Exact, Judged
from facegan.registry import Kinds
from facegan.schedule import PositiveSchedule, constant
from facegan.seeding import Random

# Lazy regularisation (Karras et al. 2020, StyleGAN2): on every k-th update of the discriminator
# only, and then k times as strong. Who adds up the losses does both; they share one optimizer
# step, so that Adam's settings need no correction.
Every = Annotated[int, Field(ge=1, le=1000)]
# Of so many of the batch's images the penalty is asked: evenly spaced ones, at least one. Who adds
# up the losses chooses them. Lin et al. 2025 (AFM, arXiv:2511.22475) lose nothing with a quarter.
Share = Annotated[float, Field(gt=0, le=1)]
# Where the slope is taken: at what D sees, or at the pictures before augmentation, through it, as
# Karras et al. 2020 (ADA) and Huang et al. 2024 (R3GAN) do, so that their γ means the same.
At = Literal["seen", "plain"]


class Penalty(Config, ABC):
    """What is added to the discriminator's loss at given images: `method.penalty` in a recipe.

    Attributes:
        kind: its name in recipes, a Literal.
        every: on each k-th update of the discriminator, k times as strong.
        share: of the batch's images that it is asked of.
        at: the augmented images that D has `seen`, or the `plain` ones, through the augmentation;
            the n-th real and generated image are then augmented in the same way.
    """

    kind: str
    every: Every = 1
    share: Share = 1.0
    at: At = "seen"

    @abstractmethod
    def __call__(self, critic: Critic, real: Judged, fake: Judged, random: Random) -> Tensor:
        """One value for each image, [N].

        Args:
            critic: images [N, C, H, W] → logits [N].
            real: real images, as the discriminator saw them, with its logits.
            fake: generated ones.
            random: further random numbers of this update.
        """


PENALTIES = Kinds[Penalty]("penalty")


class _ZeroCentred(Penalty):
    """γ/2 · ‖∇D‖², from the first update on.

    Attributes:
        gamma: its strength γ, or a schedule of it over the run.
        estimate: how ‖∇D‖² is found: `exact` or `finite_difference`.
        every: on each k-th update of the discriminator, k times as strong.
    """

    gamma: PositiveSchedule = 1.0
    estimate: Estimate = Exact(kind="exact")

    def _on(self, critic: Critic, judged: Judged, random: Random) -> Tensor:
        squared = self.estimate.squared_norm(critic, judged, random)
        return constant(self.gamma) / 2 * squared


@PENALTIES.register
class R1(_ZeroCentred):
    """γ/2 · ‖∇D(x)‖² on real images (Mescheder, Geiger & Nowozin 2018, equation 9)."""

    kind: Literal["r1"]

    def __call__(self, critic: Critic, real: Judged, fake: Judged, random: Random) -> Tensor:
        """Penalty [N]."""
        return self._on(critic, real, random)


@PENALTIES.register
class R2(_ZeroCentred):
    """γ/2 · ‖∇D(G(z))‖² on generated images: R2 of the same paper."""

    kind: Literal["r2"]

    def __call__(self, critic: Critic, real: Judged, fake: Judged, random: Random) -> Tensor:
        """Penalty [N]."""
        return self._on(critic, fake, random)


@PENALTIES.register
class R1R2(_ZeroCentred):
    """γ/2 · ‖∇D‖² on real and on generated images, as R3GAN has it (Huang et al. 2024)."""

    kind: Literal["r1r2"]

    def __call__(self, critic: Critic, real: Judged, fake: Judged, random: Random) -> Tensor:
        """Penalty [N]; the two kinds of image pass separately, for batch statistics' sake."""
        return self._on(critic, real, random) + self._on(critic, fake, random)


@PENALTIES.register
class GradientPenalty(Penalty):
    """λ · (‖∇D(x̂)‖ − 1)² between real and generated (Gulrajani et al. 2017, equation 3).

    Attributes:
        weight: its strength λ, or a schedule of it over the run.
        estimate: how (‖∇D‖ − 1)² is found: `exact` or `finite_difference`.
        every: on each k-th update of the discriminator, k times as strong.
    """

    kind: Literal["gradient_penalty"]
    weight: PositiveSchedule = 10.0
    estimate: Estimate = Exact(kind="exact")

    def __call__(self, critic: Critic, real: Judged, fake: Judged, random: Random) -> Tensor:
        """Penalty [N], at x̂ = εx + (1 − ε)G(z) with ε uniform on [0, 1] for each sample."""
        epsilon = to_device(random.uniform(len(real.images), 1, 1, 1), real.images.device)
        between = epsilon * real.images + (1 - epsilon) * fake.images.detach()
        distance = self.estimate.distance_from_one(critic, between, random)
        return constant(self.weight) * distance
