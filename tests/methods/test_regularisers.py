"""Each regulariser against its formula, on networks that are small enough to do by hand."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegan.data.spec import ImageSpec
from facegan.losses.gradient_norm import Judged
from facegan.methods import REGULARISERS, Batch, Networks, Regulariser, Update
from facegan.methods.feature_matching import FeatureMatchingConfig
from facegan.networks.interfaces import Discriminator, Generator, Latent
from facegan.networks.layers.heads import Heads, HeadsConfig
from facegan.seeding import Random

SPEC = ImageSpec(4, 1)
N, Z = 6, 3


class Linear(Generator):
    """G(z) = Az, as 16 pixels."""

    def __init__(self) -> None:
        super().__init__(Latent(size=Z), SPEC)
        self.layer = nn.Linear(Z, 16, bias=False)

    def synthesise(self, code: Tensor) -> Tensor:
        return self.layer(code).view(-1, 1, 4, 4)


class Pixels(Discriminator):
    """Its features are the pixels, squared."""

    def __init__(self) -> None:
        super().__init__(SPEC)
        self.heads = Heads(HeadsConfig(), SPEC, 16)

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1).square()


def random(seed: int = 0) -> Random:
    return Random(np.random.default_rng(seed))


@pytest.fixture
def networks() -> Networks:
    torch.manual_seed(0)
    return Networks(Linear(), Pixels())


def batch_of(networks: Networks, seed: int = 0) -> Batch:
    noise = torch.Generator().manual_seed(seed)
    real = torch.randn(N, 1, 4, 4, generator=noise) + 1
    fake = networks.generator(torch.randn(N, Z, generator=noise))
    return Batch(real, fake, None, random(seed), 0)


def update_of(networks: Networks, batch: Batch, memory: dict[str, Tensor]) -> Update:
    critic, fake = networks.discriminator, batch.fake.detach()
    judged = Judged(fake, critic(fake)), Judged(batch.real, critic(batch.real))
    return Update(networks, batch, *judged, memory)


def regulariser(kind: str, **options: Any) -> Regulariser:
    return REGULARISERS[kind](kind=kind, **options)


def test_lecam_is_its_formula_with_averages_that_move(networks: Networks) -> None:
    lecam, memory = regulariser("lecam", decay=0.9), {}
    of_real = of_fake = None
    for seed in range(3):
        update = update_of(networks, batch_of(networks, seed), memory)
        real, fake = update.real.logits.detach(), update.fake.logits.detach()
        of_real = real.mean() if of_real is None else 0.9 * of_real + 0.1 * real.mean()
        of_fake = fake.mean() if of_fake is None else 0.9 * of_fake + 0.1 * fake.mean()
        expected = (real - of_fake) ** 2 + (fake - of_real) ** 2
        torch.testing.assert_close(lecam.discriminator_loss(update), expected)
    assert lecam.generator_loss(update) is None


def test_lecams_anchors_take_no_gradient(networks: Networks) -> None:
    """Only the logit is drawn to the anchor, never the anchor to the logits."""
    lecam, memory = regulariser("lecam"), {}
    update = update_of(networks, batch_of(networks), memory)
    real, fake = update.real.logits, update.fake.logits
    slopes = torch.autograd.grad(lecam.discriminator_loss(update).sum(), (real, fake))
    of_real, of_fake = memory["logits"]
    torch.testing.assert_close(slopes[0], 2 * (real - of_fake))
    torch.testing.assert_close(slopes[1], 2 * (fake - of_real))


@pytest.mark.parametrize("balanced", [False, True])
def test_consistency_is_its_formula(networks: Networks, balanced: bool) -> None:
    consistency = regulariser("consistency", balanced=balanced, shift=0.3)
    batch, again = batch_of(networks), random()
    update = update_of(networks, batch, {})
    expected = torch.zeros(N)
    for shown in (update.real, update.fake)[: 1 + balanced]:
        changed = networks.discriminator(consistency.changed(shown.images, again))
        expected = expected + (shown.logits - changed) ** 2
    torch.testing.assert_close(consistency.discriminator_loss(update), expected)
    assert expected.max() > 0


def test_a_critic_that_does_not_see_it_pays_nothing(networks: Networks) -> None:
    """The mean of the squares stays when an image is mirrored, and does not when it is shifted."""
    with torch.no_grad():
        networks.discriminator.heads.logit.weight.fill_(1 / 16)
    update = update_of(networks, batch_of(networks), {})
    for options, most in (({"shift": 0.0}, 1e-9), ({"flip": False, "shift": 0.5}, None)):
        loss = regulariser("consistency", **options).discriminator_loss(update)
        assert (loss.max() < most) if most else (loss.max() > 1e-3)


def test_consistency_mirrors_and_shifts_with_a_reflected_border() -> None:
    images = torch.arange(2 * 64.0).view(2, 1, 8, 8).repeat(300, 1, 1, 1)
    changed = regulariser("consistency", shift=0.25).changed(images, random())
    found: set[tuple[bool, int, int]] = set()
    for before, after in zip(images[:, 0].numpy(), changed[:, 0].numpy(), strict=True):
        padded = [np.pad(each, 2, mode="reflect") for each in (before, before[:, ::-1])]
        fits = [
            (mirrored, down, right)
            for mirrored, wide in zip((False, True), padded, strict=True)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if (wide[2 - down : 10 - down, 2 - right : 10 - right] == after).all()
        ]
        assert len(fits) == 1
        found |= set(fits)
    assert len(found) == 2 * 5 * 5  # all of them, in 600 images


def test_path_length_is_its_formula(networks: Networks) -> None:
    """Of Az the Jacobian is A: ‖Jᵀy‖ = ‖Aᵀy‖, the average starting at the first mean."""
    path, memory, average = regulariser("path_length", decay=0.8), {}, None
    matrix = networks.generator.layer.weight.detach()
    for seed in range(3):
        batch = batch_of(networks, seed)
        again = random(seed)
        again.normal(N, Z)
        y = again.normal(N, 16) / 4
        length = (y @ matrix).norm(dim=1)
        average = length.mean() if average is None else 0.8 * average + 0.2 * length.mean()
        loss = path.generator_loss(update_of(networks, batch, memory))
        torch.testing.assert_close(loss, (length - average) ** 2, rtol=1e-4, atol=1e-6)
    loss.mean().backward()
    assert networks.generator.layer.weight.grad.abs().max() > 0
    assert path.discriminator_loss(update_of(networks, batch, memory)) is None


def test_a_generator_that_stretches_all_ways_alike_pays_least(networks: Networks) -> None:
    """A with equal singular values against one with the same norm in one direction."""
    path = regulariser("path_length")
    costs = []
    for singular in ((1.0, 1.0, 1.0), (3**0.5, 0.0, 0.0)):
        with torch.no_grad():
            networks.generator.layer.weight.copy_(torch.eye(16, Z) * torch.tensor(singular))
        update = update_of(networks, batch_of(networks), {})
        batch = copy.copy(update.batch)
        costs.append(path.generator_loss(Update(networks, batch, update.fake, None, {})).mean())
    assert costs[0] < costs[1]


def test_feature_matching_is_its_formula(networks: Networks) -> None:
    batch = batch_of(networks)
    terms = FeatureMatchingConfig().build().generator_terms(networks, batch)
    apart = (batch.real.flatten(1) ** 2).mean(0) - (batch.fake.detach().flatten(1) ** 2).mean(0)
    assert list(terms.losses) == ["feature_matching"]
    torch.testing.assert_close(terms.losses["feature_matching"], (apart**2).sum().expand(N))


def test_feature_matching_leaves_the_discriminator_its_game(networks: Networks) -> None:
    batch = batch_of(networks)
    options = {"loss": "hinge", "penalty": {"kind": "r1"}}
    method = FeatureMatchingConfig.model_validate(options).build()
    terms = method.discriminator_terms(networks, batch)
    assert list(terms.losses) == ["adversarial", "penalty"]
