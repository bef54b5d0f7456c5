"""The adversarial game with a discriminator that gives several logits for each image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from facegan.data.spec import ImageSpec
from facegan.methods.adversarial import AdversarialConfig
from facegan.methods.terms import Batch, Networks, Terms
from facegan.networks.interfaces import Discriminator, Generator, Latent
from facegan.networks.layers.heads import Heads, HeadsConfig, Places
from facegan.seeding import Random

SPEC = ImageSpec(2, 1)
# Patch logits of two single pixels, one image a row: by hand, logit = pixel.
REAL = torch.tensor([[3.0, 0.5], [-1.0, 2.0]])
FAKE = torch.tensor([[0.0, -2.0], [-3.0, 1.0]])


class Constant(Generator):
    def __init__(self) -> None:
        super().__init__(Latent(size=1), SPEC)

    def synthesise(self, code: Tensor) -> Tensor:
        return code[:, :, None, None].expand(-1, 1, 2, 2)


class Voter(Discriminator):
    """Patch logits of the upper two pixels, as they are; the lower two are not looked at."""

    patch_logits = True

    def __init__(self) -> None:
        super().__init__(SPEC)
        self.heads = Heads(HeadsConfig(), SPEC, [Places(1, 1), Places(1, 1)])
        for linear in self.heads.logit.parts:
            nn.init.ones_(linear.weight)
            nn.init.zeros_(linear.bias)

    def features(self, images: Tensor) -> Tensor:
        return images[:, 0, 0]


def images(patch_logits: Tensor) -> Tensor:
    return torch.stack([patch_logits, torch.zeros_like(patch_logits)], 1)[:, None]


def played(**options: Any) -> tuple[Terms, Terms]:
    """What the discriminator and what the generator minimise."""
    networks = Networks(Constant(), Voter())
    method = AdversarialConfig(**options).build()
    batch = Batch(images(REAL), images(FAKE), None, Random(np.random.default_rng(0)), 0)
    return method.discriminator_terms(networks, batch), method.generator_terms(networks, batch)


def test_each_vote_has_its_own_hinge() -> None:
    """[relu(1 − 3) + relu(1 + 0) + relu(1 − ½) + relu(1 − 2)] / 2 = ¾: unlike the mean's, 0."""
    critic, generator = played(loss="hinge")
    assert critic.losses["adversarial"].tolist() == [0.75, 2.0]
    assert generator.losses["adversarial"].tolist() == [1.0, 1.0]


def test_each_vote_is_compared_with_its_own_mean() -> None:
    critic, generator = played(loss="relativistic_average")
    for found, (these, those) in ((critic, (REAL, FAKE)), (generator, (FAKE, REAL))):
        expected = softplus(those.mean(0) - these) + softplus(those - these.mean(0))
        torch.testing.assert_close(found.losses["adversarial"], expected.mean(1))


def test_signals_are_of_the_mean() -> None:
    critic, _ = played(loss="hinge")
    assert critic.signals["logits_real"].tolist() == [1.75, 0.5]
    assert critic.signals["logits_fake"].tolist() == [-1.0, -1.0]
    assert critic.signals["sign_real"].tolist() == [1.0, 1.0]


def test_penalties_are_of_the_mean() -> None:
    """D = (x₁ + x₂)/2 has ‖∇D‖² = ½ everywhere."""
    for kind, expected in (("r1", 0.25), ("r1r2", 0.5)):
        critic, _ = played(penalty={"kind": kind, "gamma": 1.0})
        assert critic.losses["penalty"].tolist() == pytest.approx([expected] * 2)
