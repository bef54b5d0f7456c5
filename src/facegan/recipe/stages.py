"""The stages that a run goes through, each with its optimizers and, if it likes, its method."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Annotated, Any

from pydantic import Field

from facegan.config import Config
from facegan.methods.method import METHODS, MethodConfig
from facegan.optimizers import Adam, Optimizer, Player, Positive


class Stage(Config):
    """A part of the run with its own optimizers and rates, and its own players.

    Attributes:
        share: how much of the budget this stage takes, relative to the other stages.
        generator: its optimizer.
        discriminator: its optimizer.
        train: which networks learn; the others stay as they are.
        method: what they minimise in this stage; the recipe's method where nothing is said.
            Reconstruction (IGNM 4.3), for one, makes a stage that trains both beforehand.
        freeze_discriminator: how many of its blocks stay as they are, counted from the image;
            its heads always learn (FreezeD: Mo, Cho & Shin 2020, arXiv:2002.10964).
        freeze_generator: how many of its blocks do, counted from the latent.
    """

    share: Positive = 1.0
    method: Annotated[MethodConfig, METHODS] | None = None
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


def as_today(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recipe's values, with what earlier versions wrote said as it is said today.

    A stage had an `objective`: `game`, the recipe's method, or `reconstruction`.
    """
    stages = values.get("stages")
    if not isinstance(stages, list):
        return values
    methods = {"game": {}, "reconstruction": {"method": {"kind": "reconstruction"}}}
    return {
        **values,
        "stages": [
            {key: value for key, value in stage.items() if key != "objective"}
            | methods[stage["objective"]]
            if isinstance(stage, dict) and stage.get("objective") in methods
            else stage
            for stage in stages
        ],
    }
