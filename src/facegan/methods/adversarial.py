"""The adversarial game: a loss from `ADVERSARIAL`, and at most one gradient penalty."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from facegan.config import Config
from facegan.losses.adversarial import ADVERSARIAL, AdversarialName
from facegan.losses.penalties import Penalty
from facegan.losses.slopes import Judged
from facegan.methods.terms import Batch, Networks, Terms


class AdversarialConfig(Config):
    """Options of the adversarial game.

    Attributes:
        loss: a name in `ADVERSARIAL`.
        penalty: a gradient penalty on the discriminator, or none.
        n_critic: discriminator updates for each generator update.
    """

    kind: Literal["adversarial"] = "adversarial"
    loss: AdversarialName = "non_saturating"
    penalty: Penalty | None = None
    n_critic: Annotated[int, Field(ge=1, le=100)] = 1

    def build(self) -> AdversarialMethod:
        """The method with these options."""
        return AdversarialMethod(self)


class AdversarialMethod:
    """Two players with opposite aims (Goodfellow et al. 2014).

    Args:
        config: with a number in the place of every schedule.
    """

    def __init__(self, config: AdversarialConfig) -> None:
        self._loss = ADVERSARIAL[config.loss]
        self._penalty = config.penalty

    def discriminator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the discriminator minimises on real images and detached generated ones.

        A lazy penalty is missing from most updates and counts `every` times in the others.

        The two pass through D separately: with batch statistics in D, one common pass lets
        D tell them apart by the statistics alone.
        """
        real = networks.discriminator(batch.real, batch.labels).float()
        fake = networks.discriminator(batch.fake, batch.labels).float()
        losses = {"adversarial": self._loss.discriminator(real, fake)}
        weights: dict[str, float] = {}
        penalty = self._penalty
        if penalty is not None and batch.update % penalty.every == 0:
            losses["penalty"] = penalty(
                lambda images: networks.discriminator(images, batch.labels),
                Judged(batch.real, real),
                Judged(batch.fake, fake),
                batch.random,
            )
            weights["penalty"] = penalty.every
        signals = {"logits_real": real.detach(), "logits_fake": fake.detach()}
        return Terms(losses, weights, signals)

    def generator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the generator minimises on images that are still attached to it."""
        fake = networks.discriminator(batch.fake, batch.labels).float()
        real = fake
        if self._loss.relativistic:
            with torch.no_grad():
                real = networks.discriminator(batch.real, batch.labels).float()
        return Terms({"adversarial": self._loss.generator(real, fake)})
