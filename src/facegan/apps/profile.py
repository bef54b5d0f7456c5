"""`facegan train --profile`: where a step's time goes, and how far that is from the limit."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facegan.apps.datasets import open_dataset
from facegan.augment import Adaptive
from facegan.device import Execution, processes, synchronise
from facegan.recipe import Recipe
from facegan.training.augmenting import ADAPTS_EVERY
from facegan.training.batch_source import BatchSource
from facegan.training.plan import check_batch, choose_precision, round_of
from facegan.training.speed.operators import Kind, Operator, Recorder
from facegan.training.speed.roofline import Roofline, measure_roofline
from facegan.training.state import TrainingState
from facegan.training.step import Trainer

_WARM_UP = 3
_SECONDS = 5.0


@dataclass(frozen=True)
class Group:
    """Operators that are held by the same thing, in one step.

    Attributes:
        kind: see `Operator.kind`.
        seconds: in all of them.
        least: the seconds that the roofline allows for their arithmetic and traffic.
        flops: of all of them.
        bytes: of all of them.
    """

    kind: Kind
    seconds: float
    least: float
    flops: float
    bytes: float


@dataclass(frozen=True)
class StepProfile:
    """Where the time of a step goes.

    Attributes:
        recipe: resolved.
        execution: how it was computed.
        images: real images that the discriminator sees in a step.
        seconds: of a step, undisturbed: the median.
        roofline: of this machine, with the same device, threads and precision.
        operators: of one step (means, where steps differ), the longest first.
    """

    recipe: Recipe
    execution: Execution
    images: int
    seconds: float
    roofline: Roofline
    operators: tuple[Operator, ...]

    @property
    def img_per_s(self) -> float:
        """Real images a second."""
        return self.images / self.seconds

    @property
    def flops(self) -> float:
        """Of one step."""
        return sum(each.flops for each in self.operators)

    @property
    def arithmetic_share(self) -> float:
        """Of the machine's largest arithmetic rate, what the whole step reaches."""
        return self.flops / self.seconds / self.roofline.flops

    @property
    def limit_share(self) -> float:
        """Of a step's time, what it would take with every operator at its ceiling.

        Each operator is held by arithmetic or by memory traffic, whichever takes longer; that
        several could be joined into one, with less traffic, is not counted.
        """
        return sum(map(self.least, self.operators)) / self.seconds

    @property
    def between(self) -> float:
        """Seconds of a step outside its operators: Python, autograd, waiting."""
        return max(self.seconds - sum(each.seconds for each in self.operators), 0.0)

    def least(self, operator: Operator) -> float:
        """The seconds that the roofline allows for an operator's calls."""
        return self.roofline.seconds(operator.flops, operator.bytes)

    def groups(self) -> list[Group]:
        """The operators by kind, the longest first."""
        by_kind: dict[Kind, list[Operator]] = {}
        for operator in self.operators:
            by_kind.setdefault(operator.kind, []).append(operator)
        groups = [
            Group(
                kind,
                sum(each.seconds for each in members),
                sum(map(self.least, members)),
                sum(each.flops for each in members),
                sum(each.bytes for each in members),
            )
            for kind, members in by_kind.items()
        ]
        return sorted(groups, key=lambda group: group.seconds, reverse=True)


def profile(
    recipe: Recipe,
    data: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    mix: Sequence[str | Path] = (),
) -> StepProfile:
    """Take some steps on a throwaway copy: undisturbed ones, then recorded ones. Writes nothing.

    The first stage is what is profiled; steps that differ (a lazy penalty) are taken in whole
    rounds.

    Args:
        recipe: resolved.
        data: a dataset's folder, or `portraits`.
        device: `auto`, `cpu`, `cuda`, `mps`.
        threads: of the processor; all cores by default.
        mix: further datasets, one for each share in the recipe's `data.mix`.
    """
    dataset = open_dataset(data)
    with processes(device, threads) as execution:
        check_batch(recipe, execution.world)
        batch_source = BatchSource.of(
            recipe, dataset, execution, [open_dataset(each) for each in mix]
        )
        execution = choose_precision(recipe, batch_source.spec, batch_source, execution)
        state = TrainingState(recipe, batch_source.spec, execution, batch_source.label_rows())
        trainer = Trainer(recipe, state, batch_source, execution, total=10**12)
        for _ in range(_WARM_UP):
            trainer.step()
        seconds = _seconds(trainer)
        steps = _round(recipe)
        recorder = Recorder(execution.device)
        with recorder:
            for _ in range(steps):
                trainer.step()
        operators = recorder.operators
        for each in operators:
            each.seconds /= steps
            each.flops /= steps
            each.bytes /= steps
            each.calls /= steps
        roofline = measure_roofline(execution.device, execution.precision)
    return StepProfile(recipe, execution, trainer.step_images, seconds, roofline, tuple(operators))


def _round(recipe: Recipe) -> int:
    """The steps after which the costs of a step repeat."""
    stage = recipe.stages[0]
    length = round_of(recipe, stage)
    if recipe.augment is not None and isinstance(recipe.augment.probability, Adaptive):
        adapting = ADAPTS_EVERY // math.gcd(ADAPTS_EVERY, recipe.n_critic_in(stage))
        length = math.lcm(length, adapting)
    return max(length, 2)


def _seconds(trainer: Trainer) -> float:
    """Of one step, in whole rounds; the median round, which a short disturbance does not move."""
    rounds: list[float] = []
    length = _round(trainer.recipe)
    while not rounds or sum(rounds) < _SECONDS:
        begin = time.perf_counter()
        for _ in range(length):
            trainer.step()
        synchronise(trainer.execution.device)
        rounds.append(time.perf_counter() - begin)
    return sorted(rounds)[len(rounds) // 2] / length
