"""The adversarial game: a loss from `ADVERSARIAL`, and what may be added to it.

A gradient penalty on D, the supervision of labels that D predicts, and regularisers of either.

Where D gives several logits for each image, patch logits, each plays the game by itself, and the
losses are averaged over them. Signals and penalties are of their mean, D's logit.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from facegan.config import Config
from facegan.data.spec import Label
from facegan.errors import RecipeError
from facegan.losses.adversarial import ADVERSARIAL, Adversarial, Logits, Loss, direction
from facegan.losses.auxiliary import classification, regression
from facegan.losses.gradient_norm import Judged
from facegan.losses.penalties import PENALTIES, Penalty
from facegan.methods.method import METHODS, MethodConfig, Needs
from facegan.methods.regulariser import REGULARISERS, Regulariser, Update
from facegan.methods.terms import Batch, Networks, Terms
from facegan.networks.interfaces import Discriminator, DiscriminatorConfig, GeneratorConfig
from facegan.networks.layers.heads import Assessment
from facegan.networks.layers.processes import mean_over_processes
from facegan.optimizers import Player
from facegan.schedule import NonNegativeSchedule, constant


class Auxiliary(Config):
    """The discriminator learns to predict the labels of real images; the generator to make
    images of which it predicts the labels that were asked for (AC-GAN; IGNM 4.4).

    Attributes:
        classification: weight of the binary labels' cross-entropy, or a schedule of it.
        regression: weight of the quantities' squared error, or a schedule of it.
        generator: how much of both counts for the generator, relative to the discriminator.
    """

    classification: NonNegativeSchedule = 1.0
    regression: NonNegativeSchedule = 1.0
    generator: NonNegativeSchedule = 1.0

    def terms(self, predicted: Tensor, labels: Tensor, kinds: tuple[Label, ...]) -> Terms:
        """Losses [N] by name, with their weights."""
        found = Terms()
        binary = [column for column, label in enumerate(kinds) if label.binary]
        quantities = [column for column, label in enumerate(kinds) if not label.binary]
        if binary:
            loss = classification(predicted[:, binary], labels[:, binary])
            found.losses["classification"] = loss
            found.weights["classification"] = constant(self.classification)
        if quantities:
            loss = regression(predicted[:, quantities], labels[:, quantities])
            found.losses["regression"] = loss
            found.weights["regression"] = constant(self.regression)
        return found


class Game(MethodConfig):
    """What every kind of adversarial game may have.

    Attributes:
        loss: a name in `ADVERSARIAL`.
        penalty: a gradient penalty on the discriminator, or none.
        n_critic: discriminator updates for each generator update.
        auxiliary: supervision by the labels, which the discriminator must then predict
            (`discriminator.heads.auxiliary`); or none.
        regularisers: what else either player minimises, each kind at most once.
    """

    loss: Annotated[str, ADVERSARIAL] = "non_saturating"
    penalty: Annotated[Penalty, PENALTIES] | None = None
    n_critic: Annotated[int, Field(ge=1, le=100)] = 1
    auxiliary: Auxiliary | None = None
    regularisers: tuple[Annotated[Regulariser, REGULARISERS], ...] = ()

    @field_validator("regularisers")
    @classmethod
    def _each_once(cls, listed: tuple[Regulariser, ...]) -> tuple[Regulariser, ...]:
        kinds = [each.kind for each in listed]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is listed more than once; each kind once")
        return listed

    @property
    def centred(self) -> bool:
        """See `MethodConfig.centred`: not with a loss of differences of logits."""
        return not ADVERSARIAL[self.loss].relativistic

    def round(self, n_critic: int) -> int:
        """See `MethodConfig.round`."""
        every = 1 if self.penalty is None else self.penalty.every
        return math.lcm(
            every // math.gcd(every, n_critic), *(each.every for each in self.regularisers)
        )

    def check(self, generator: GeneratorConfig, discriminator: DiscriminatorConfig) -> None:
        """See `MethodConfig.check`: labels that D must predict need a head that does."""
        if self.auxiliary is not None and not discriminator.heads.auxiliary:
            raise RecipeError(
                "method.auxiliary needs a discriminator that predicts labels, and this one "
                "does not.",
                "Set discriminator.heads.auxiliary=true, or leave method.auxiliary out.",
            )
        if discriminator.heads.direction and not self.centred:
            raise RecipeError(
                f"discriminator.heads.direction learns from single logits, and of the loss "
                f"{self.loss!r} only their differences mean something.",
                "Set method.loss=hinge, or discriminator.heads.direction=false.",
            )
        # Most networks say the same of an image in any batch.
        mixes = getattr(discriminator, "mixes_batch", False)
        if self.penalty is not None and self.penalty.share < 1 and mixes:
            raise RecipeError(
                f"method.penalty.share is {self.penalty.share:g}, but this discriminator judges "
                "each image by its batch too, and a part of a batch would be judged otherwise.",
                "Set method.penalty.share=1, or give the discriminator a norm without batch "
                "statistics.",
            )


@METHODS.register
class AdversarialConfig(Game):
    """Options of the adversarial game."""

    kind: Literal["adversarial"] = "adversarial"

    def build(self) -> AdversarialMethod:
        """The method with these options."""
        return AdversarialMethod(self)


class AdversarialMethod:
    """Two players with opposite aims (Goodfellow et al. 2014).

    Args:
        config: with a number in the place of every schedule.
    """

    needs = Needs()

    def __init__(self, config: Game) -> None:
        self._loss = ADVERSARIAL[config.loss]
        self._penalty = config.penalty
        self._auxiliary = config.auxiliary
        self._regularisers = config.regularisers

    def discriminator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the discriminator minimises on real images and detached generated ones.

        A lazy penalty is missing from most updates and counts `every` times in the others.
        Penalties ask for the slope where D looks, at the augmented images, or at the plain ones.

        The two pass through D separately: with batch statistics in D, one common pass lets
        D tell them apart by the statistics alone.
        """
        critic, labels = networks.discriminator, batch.labels
        penalty = self._penalty
        plain = penalty is not None and penalty.at == "plain"
        augment = batch.fixed() if plain else batch.augment
        real_images, fake_images = augment(batch.real), augment(batch.fake)
        predicts = self._auxiliary is not None
        of_real = _assess(critic, real_images, labels, predicts)
        of_fake = _assess(critic, fake_images, labels)
        real, fake = of_real.logits.float(), of_fake.logits.float()
        played = _played(self._loss, self._loss.discriminator, of_real, of_fake)
        terms = Terms({"adversarial": played})
        if of_real.along is not None and of_fake.along is not None:
            theirs = (Logits(real, of_real.along.float()), Logits(fake, of_fake.along.float()))
            terms.losses["direction"] = direction(self._loss, *theirs, mean=_batch_mean)
        if penalty is not None and batch.update % penalty.every == 0:
            step = round(1 / penalty.share)
            asked = None if labels is None else labels[::step]

            def judge(images: Tensor) -> Tensor:
                if plain:  # each in its own place, where its change is
                    images = augment(images.repeat_interleave(step, 0)[: len(real)])[::step]
                return critic(images, asked)

            at = (batch.real, batch.fake) if plain else (real_images, fake_images)
            terms.losses["penalty"] = penalty(
                judge,
                Judged(at[0][::step], real[::step]),
                Judged(at[1][::step], fake[::step]),
                batch.random,
            )
            terms.weights["penalty"] = penalty.every
        if self._auxiliary is not None:
            self._supervise(terms, self._auxiliary, of_real, batch, critic)
        shown = Judged(fake_images, fake), Judged(real_images, real)
        self._regularise("discriminator", terms, networks, batch, *shown)
        terms.signals = {"logits_real": real.detach(), "logits_fake": fake.detach()}
        terms.signals["sign_real"] = real.detach().sign()
        if batch.held_out is not None:
            images, known = batch.held_out
            with torch.no_grad():
                terms.signals["logits_held_out"] = critic(batch.augment(images), known).float()
        return terms

    def generator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the generator minimises on images that are still attached to it."""
        critic, labels = networks.discriminator, batch.labels
        predicts = self._auxiliary is not None
        fake_images = batch.augment(batch.fake)
        of_fake = _assess(critic, fake_images, labels, predicts)
        of_real, real = of_fake, None
        if self._loss.relativistic:
            with torch.no_grad():
                real_images = batch.augment(batch.real)
                of_real = _assess(critic, real_images, labels)
                real = Judged(real_images, of_real.logits.float())
        terms = Terms({"adversarial": _played(self._loss, self._loss.generator, of_real, of_fake)})
        if self._auxiliary is not None:
            share = constant(self._auxiliary.generator)
            self._supervise(terms, self._auxiliary, of_fake, batch, critic, share)
        fake = Judged(fake_images, of_fake.logits.float())
        self._regularise("generator", terms, networks, batch, fake, real)
        return terms

    def _regularise(
        self,
        player: Player,
        terms: Terms,
        networks: Networks,
        batch: Batch,
        fake: Judged,
        real: Judged | None,
    ) -> None:
        """Add what the regularisers ask of a player in this update."""
        number = batch.update if player == "discriminator" else batch.step
        for each in self._regularisers:
            if number % each.every:
                continue
            memory = batch.memory.setdefault(each.kind, {})
            update = Update(networks, batch, fake, real, memory)
            on_d = player == "discriminator"
            loss = each.discriminator_loss(update) if on_d else each.generator_loss(update)
            if loss is not None:
                terms.losses[each.kind] = loss
                terms.weights[each.kind] = constant(each.weight) * each.every

    @staticmethod
    def _supervise(
        terms: Terms,
        auxiliary: Auxiliary,
        found: Assessment,
        batch: Batch,
        critic: Discriminator,
        share: float = 1.0,
    ) -> None:
        """Add what D's predictions of the labels cost, with this share of its weights."""
        if batch.labels is not None and found.labels is not None:
            added = auxiliary.terms(found.labels, batch.labels, critic.spec.labels)
            terms.losses |= added.losses
            terms.weights |= {name: share * weight for name, weight in added.weights.items()}


def _assess(
    critic: Discriminator, images: Tensor, labels: Tensor | None, predicts: bool = False
) -> Assessment:
    """What D says: by its ordinary call, unless that leaves out what is asked."""
    if predicts or critic.patch_logits or getattr(critic, "directed", False):
        return critic.assess(images, labels)
    return Assessment(critic(images, labels))


def _played(pair: Adversarial, loss: Loss, real: Assessment, fake: Assessment) -> Tensor:
    """A player's loss of each image [N]: the mean over its patch logits, where there are any."""
    logits = real.judgements.float(), fake.judgements.float()
    means: tuple[Tensor, ...] = ()
    if pair.averaged:
        means = tuple(mean_over_processes(torch.stack([one.mean(0) for one in logits])))
    found = loss(*logits, *means)
    return found if real.patch_logits is None else found.mean(1)


def _batch_mean(values: Tensor) -> Tensor:
    """Over the whole batch, whichever processes share it."""
    return mean_over_processes(values.mean(0))
