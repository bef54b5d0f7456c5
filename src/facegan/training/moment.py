"""A recipe at one moment of its run: the one place where schedules become numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facegan.augment import Adaptive
from facegan.methods import MethodConfig
from facegan.optimizers import Player
from facegan.recipe import Recipe, stage_at
from facegan.schedule import constant, resolve


@dataclass(frozen=True)
class Moment:
    """What one step computes with.

    Attributes:
        stage: the number of the stage, from 0.
        method: what the players minimise, without schedules.
        n_critic: the discriminator's updates in this step.
        options: for each player that learns, what its optimizer's parameter groups shall have.
        shares: of further datasets in a batch.
        probability: of augmentation; Adaptive where it follows what the step finds; None without.
        half_life: of the averaged generator, in kimg.
        values: for the journal: what each schedule gives, by its path in the recipe.
    """

    stage: int
    method: MethodConfig
    n_critic: int
    options: dict[Player, dict[str, Any]]
    shares: tuple[float, ...]
    probability: float | Adaptive | None
    half_life: float
    values: dict[str, float]

    @classmethod
    def of(cls, recipe: Recipe, progress: float) -> Moment:
        """The moment at this progress of the run, in [0, 1].

        Optimizers' schedules run over their stage, all others over the run.
        """
        number, within = stage_at(recipe.stages, progress)
        stage = recipe.stages[number]
        method, scheduled = resolve(recipe.method_in(stage), progress)
        values = _prefixed("method", scheduled)
        options: dict[Player, dict[str, Any]] = {}
        for player in stage.train:
            optimizer, scheduled = resolve(getattr(stage, player), within)
            options[player] = optimizer.options()
            values |= _prefixed(player, {"lr": constant(optimizer.lr)} | scheduled)
        training, scheduled = resolve(recipe.training, progress)
        if "generator" in stage.train:  # otherwise its average stays as it is
            values |= _prefixed("training", scheduled)
        probability: float | Adaptive | None = None
        if recipe.augment is not None:
            resolved = resolve(recipe.augment, progress)[0].probability
            probability = resolved if isinstance(resolved, Adaptive) else constant(resolved)
        return cls(
            number,
            method,
            recipe.n_critic_in(stage),
            options,
            tuple(map(constant, resolve(recipe.data, progress)[0].mix)),
            probability,
            constant(training.ema_half_life),
            values,
        )


def _prefixed(prefix: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": value for name, value in values.items()}
