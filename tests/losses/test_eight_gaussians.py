"""Eight Gaussians on a circle, the classic test for collapse, learnt by every kind of game.

Points in the plane stand for images of two channels and one pixel.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facegan.data.spec import ImageSpec
from facegan.losses.adversarial import ADVERSARIAL
from facegan.methods import AdversarialConfig, Batch, Networks
from facegan.networks.interfaces import Discriminator, Generator, Latent
from facegan.seeding import Random, step_random

ANGLES = torch.arange(8) * (2 * math.pi / 8)
MODES = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)
SPREAD = 0.05
STEPS, BATCH, WIDTH, LR = 400, 128, 64, 4e-3
SPEC = ImageSpec(1)  # which the networks here ignore

DIFFERENCE = {"kind": "finite_difference", "sigma": 0.03}
GAMES: dict[str, dict[str, Any]] = {
    "non_saturating": {"penalty": {"kind": "r1", "gamma": 0.3}},
    "non_saturating, approximated": {
        "penalty": {"kind": "r1", "gamma": 0.3, "estimate": DIFFERENCE}
    },
    "least_squares, lazy": {"penalty": {"kind": "r2", "gamma": 0.3, "every": 4}},
    "hinge": {"penalty": {"kind": "r1", "gamma": 0.3}},
    "wasserstein": {"penalty": {"kind": "gradient_penalty", "weight": 1.0}, "n_critic": 2},
    "wasserstein, approximated": {
        # At a weight of 1, the noise of one direction a sample drowns what the critic learns.
        "penalty": {"kind": "gradient_penalty", "weight": 0.2, "estimate": DIFFERENCE},
        "n_critic": 2,
    },
    "relativistic": {"penalty": {"kind": "r1r2", "gamma": 0.3}},
    "relativistic_average, approximated": {
        "penalty": {"kind": "r1r2", "gamma": 0.3, "estimate": DIFFERENCE}
    },
}


def layers(activation: nn.Module, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Linear(2, WIDTH), activation),
        *(nn.Linear(WIDTH, WIDTH), activation),
        nn.Linear(WIDTH, outputs),
    )


class Points(Generator):
    def __init__(self) -> None:
        super().__init__(Latent(size=2), SPEC)
        self.layers = layers(nn.ReLU(), 2)

    def synthesise(self, code: Tensor) -> Tensor:
        return self.layers(code)[:, :, None, None]


class Judge(Discriminator):
    def __init__(self) -> None:
        super().__init__(SPEC)
        self.layers = layers(nn.LeakyReLU(0.2), 1)

    def features(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.features(images).squeeze(1)


def real_points(random: Random) -> Tensor:
    chosen = (random.uniform(BATCH) * 8).long()
    return (MODES[chosen] + SPREAD * random.normal(BATCH, 2))[:, :, None, None]


def played(config: AdversarialConfig, seed: int = 0) -> Generator:
    """The generator after the game."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = Networks(Points(), Judge())
    method = config.build()
    generator, discriminator = networks.generator, networks.discriminator
    adam = {"lr": LR, "betas": (0.0, 0.9), "fused": True}
    adam_g = torch.optim.Adam(generator.parameters(), **adam)
    adam_d = torch.optim.Adam(discriminator.parameters(), **adam)
    for step in range(STEPS):
        for group in (*adam_g.param_groups, *adam_d.param_groups):
            group["lr"] = LR * (1 - step / STEPS)
        for update in range(step * config.n_critic, (step + 1) * config.n_critic):
            random = step_random(seed, update)
            real, fake = real_points(random), generator(random.normal(BATCH, 2))
            batch = Batch(real, fake.detach(), None, random, update)
            adam_d.zero_grad()
            method.discriminator_terms(networks, batch).total().backward()
            adam_d.step()
        batch = Batch(real, fake, None, random, update)
        adam_g.zero_grad()
        discriminator.requires_grad_(False)
        method.generator_terms(networks, batch).total().backward()
        discriminator.requires_grad_(True)
        adam_g.step()
    return generator


def test_every_loss_but_the_saturating_one_is_played() -> None:
    assert {name.partition(",")[0] for name in GAMES} == ADVERSARIAL.keys() - {"minimax"}


@pytest.mark.parametrize("game", GAMES)
def test_all_eight_are_found(game: str) -> None:
    values = {"loss": game.partition(",")[0], **GAMES[game]}
    generator = played(AdversarialConfig.model_validate(values))
    with torch.no_grad():
        points = generator(step_random(1, 0).normal(1000, 2))[:, :, 0, 0]
    distance, nearest = torch.cdist(points, MODES).min(1)
    close = distance < 4 * SPREAD
    counts = torch.bincount(nearest[close], minlength=8)
    # A cloud over the whole disc has a fifth of its points so close to a mode.
    assert close.float().mean() > 0.5
    assert counts.min() > 25, f"points near each mode: {counts.tolist()}"
