"""Optimizers as recipe sections, and the stages that a run goes through."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, Field

from facegan.config import Config
from facegan.schedule import Cosine, Linear, Schedule, bounds, constant, resolve

Positive = Annotated[float, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


def _rate(rate: float | Linear | Cosine) -> float | Linear | Cosine:
    """Refuse what would climb instead of descend, or not fit into a float32."""
    low, high = bounds(rate)
    if low < 0 or high > 3.4e38:
        raise ValueError(
            f"a rate stays between 0 and 3.4e38 (float32); this goes {low:g} to {high:g}"
        )
    return rate


def _decay(beta: float | Linear | Cosine) -> float | Linear | Cosine:
    low, high = bounds(beta)
    if low < 0 or high >= 1:
        raise ValueError("It should be at least 0 and less than 1")
    return beta


Rate = Annotated[Schedule, AfterValidator(_rate)]
Decay = Annotated[Schedule, AfterValidator(_decay)]
Player = Literal["discriminator", "generator"]
PLAYERS: tuple[Player, Player] = ("discriminator", "generator")


class Adam(Config):
    """Adam (Kingma & Ba 2015).

    Attributes:
        lr: learning rate, or a schedule of it over the stage.
        betas: decay of the two moments; each may be a schedule over the stage.
        eps: added to the denominator.
    """

    kind: Literal["adam"]
    lr: Rate = 2e-4
    betas: tuple[Decay, Decay] = (0.5, 0.999)
    eps: Positive = 1e-8

    def build(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""
        fused = parameters[0].device.type in ("cpu", "cuda", "mps")
        return torch.optim.Adam(parameters, **_first(self), eps=self.eps, fused=fused)

    def options(self) -> dict[str, Any]:
        """What schedules may change, as its parameter groups name it. Of a resolved section."""
        return {"lr": constant(self.lr), "betas": tuple(map(constant, self.betas))}


class Sgd(Config):
    """Stochastic gradient descent.

    Attributes:
        lr: learning rate, or a schedule of it over the stage.
        momentum: 0 for none.
    """

    kind: Literal["sgd"]
    lr: Rate = 1e-2
    momentum: Beta = 0.0

    def build(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""
        return torch.optim.SGD(parameters, **_first(self), momentum=self.momentum, foreach=True)

    def options(self) -> dict[str, Any]:
        """See `Adam.options`."""
        return {"lr": constant(self.lr)}


class RmsProp(Config):
    """RMSProp (Tieleman & Hinton 2012).

    Attributes:
        lr: learning rate, or a schedule of it over the stage.
        alpha: decay of the squared gradient's average.
    """

    kind: Literal["rmsprop"]
    lr: Rate = 5e-5
    alpha: Beta = 0.99

    def build(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""
        return torch.optim.RMSprop(parameters, **_first(self), alpha=self.alpha, foreach=True)

    def options(self) -> dict[str, Any]:
        """See `Adam.options`."""
        return {"lr": constant(self.lr)}


def _first(optimizer: Adam | Sgd | RmsProp) -> dict[str, Any]:
    """The options at the beginning of a stage."""
    return resolve(optimizer, 0.0)[0].options()


Optimizer = Annotated[Adam | Sgd | RmsProp, Field(discriminator="kind")]


class Stage(Config):
    """A part of the run with its own optimizers and rates, and its own players.

    Attributes:
        share: how much of the budget this stage takes, relative to the other stages.
        generator: its optimizer.
        discriminator: its optimizer.
        train: which networks learn; the others stay as they are.
        objective: what they learn: the recipe's `game`, or `reconstruction` of real images
            by the generator with the discriminator's trunk as encoder (IGNM 4.3), for which
            `discriminator.heads.code` must be the generator's latent size.
        freeze_discriminator: how many of its blocks stay as they are, counted from the image;
            its heads always learn (FreezeD: Mo, Cho & Shin 2020, arXiv:2002.10964).
        freeze_generator: how many of its blocks do, counted from the latent.
    """

    share: Positive = 1.0
    objective: Literal["game", "reconstruction"] = "game"
    freeze_discriminator: Annotated[int, Field(ge=0)] = 0
    freeze_generator: Annotated[int, Field(ge=0)] = 0
    generator: Optimizer = Adam(kind="adam")
    discriminator: Optimizer = Adam(kind="adam")
    train: Annotated[tuple[Player, ...], Field(min_length=1, max_length=2)] = (
        "discriminator",
        "generator",
    )


def stage_starts(stages: tuple[Stage, ...]) -> list[float]:
    """Where in the run each stage begins, as progress in [0, 1); the first at 0."""
    whole = sum(stage.share for stage in stages)
    return list(accumulate((stage.share / whole for stage in stages[:-1]), initial=0.0))


def stage_at(stages: tuple[Stage, ...], progress: float) -> tuple[int, float]:
    """Which stage a run is in, and how far through it.

    Args:
        stages: the stages in order.
        progress: of the whole run, in [0, 1].

    Returns:
        The stage's index, and the progress within it, in [0, 1].
    """
    starts = stage_starts(stages)
    index = bisect_right(starts, progress) - 1
    part = stages[index].share / sum(stage.share for stage in stages)
    return index, min((progress - starts[index]) / part, 1.0)
