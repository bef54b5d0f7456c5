"""Decisions taken once, before the first step: how to compute, and how many images to show.

Both are measured on a throwaway copy of the state, and written down with the run, so that
going on later neither measures again nor decides otherwise.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import torch

from facegan.budget import parse_budget
from facegan.data.spec import ImageSpec
from facegan.device import Execution, any_process, from_main, has_bf16, synchronise
from facegan.errors import DeviceError
from facegan.networks.meta_device import on_meta_device
from facegan.recipe import Recipe, Stage, stage_starts
from facegan.training.batch_source import BatchSource
from facegan.training.state import TrainingState
from facegan.training.step import Trainer
from facegan.training.watch import Measure

# How long two ways of computing are compared: long enough that a busy moment touches both,
# and that the fastest step of each is an undisturbed one; less where one is so far ahead that
# no moment explains it. A part of a batch and one update of each network are enough to tell,
# and take less time and memory.
_PROBE_SECONDS = 6.0
_PROBE_ROUNDS = (2, 12)
_CLEARLY = 1.4
_PROBE_BATCH = 16

# The share of a run's time that measuring the generator may take.
_EVALUATION_SHARE = 0.05


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        images: images to show to the discriminator in all; a whole number of steps.
        speed: measured images a second, all stages together; None where nothing was measured.
        evaluations: how often the generator is measured on the way.
        asked: images that the budget's time alone comes to, where the run takes more.
    """

    images: int
    speed: float | None
    evaluations: int = 0
    asked: int | None = None


def choose_precision(
    recipe: Recipe, spec: ImageSpec, batch_source: BatchSource, execution: Execution
) -> Execution:
    """Settle precision and memory layout: as the recipe says, or as this machine gains."""
    wanted = recipe.training.precision
    convolutional = _has_convolutions(recipe, spec)
    # Convolutions gain from channels_last on processors in any precision; GPUs in bf16 only.
    on_cpu = execution.device.type == "cpu"
    plain = execution.with_("fp32", channels_last=convolutional and on_cpu)
    fast = execution.with_("bf16", channels_last=convolutional)
    if wanted == "fp32":
        return plain
    if wanted == "bf16":
        return fast
    if not bf16_hardware(execution):
        return plain
    batch = min(recipe.training.batch, _PROBE_BATCH * execution.world)
    part = recipe.override(f"training.batch={batch}", "method.n_critic=1")
    ways = (plain, fast)
    trainers = _trainers(part, spec, batch_source, ways)
    for trainer in trainers:
        _step(trainer)
    fastest = [math.inf, math.inf]
    begun, rounds = time.perf_counter(), 0
    while True:
        for way, trainer in enumerate(trainers):
            begin = time.perf_counter()
            _step(trainer)
            fastest[way] = min(fastest[way], time.perf_counter() - begin)
        rounds += 1
        late = time.perf_counter() - begun > _PROBE_SECONDS
        clear = max(fastest) > _CLEARLY * min(fastest)
        enough = late or rounds >= _PROBE_ROUNDS[1] or (clear and rounds >= _PROBE_ROUNDS[0])
        if not any_process(not enough, execution):
            break
    # One decision for all processes: bf16 if any gains from it.
    return fast if any_process(fastest[1] < fastest[0], execution) else plain


def bf16_hardware(execution: Execution) -> bool:
    """Whether the device multiplies bfloat16 natively: otherwise there is nothing to try."""
    return has_bf16(execution.device)


def make_plan(
    recipe: Recipe, spec: ImageSpec, batch_source: BatchSource, execution: Execution
) -> Plan:
    """Turn the budget into a whole number of steps."""
    budget = parse_budget(recipe.training.budget)
    step = recipe.training.batch * (recipe.method.n_critic or 1)
    if budget.images is not None:
        return Plan(math.ceil(budget.images / step) * step, None)
    assert budget.seconds is not None
    speed = from_main(measure_speed(recipe, spec, batch_source, execution), execution)
    in_time = max(round(budget.seconds * speed / step), 1) * step
    least = math.ceil(recipe.training.at_least * 1000 / step) * step
    return Plan(max(in_time, least), speed, asked=in_time if least > in_time else None)


def plan_evaluations(
    plan: Plan,
    recipe: Recipe,
    spec: ImageSpec,
    batch_source: BatchSource,
    execution: Execution,
    measure: Measure | None,
) -> Plan:
    """Decide how often the generator is measured.

    Args:
        plan: the length of the run.
        recipe: says how often, or leaves it to the time that one measurement takes here.
        spec: shape of the images.
        batch_source: the real images.
        execution: where and how.
        measure: measures a generator; None in all processes but the main one, and where
            nothing can be measured.
    """
    times = recipe.evaluation.times
    if times == "auto" and any_process(measure is not None, execution):
        trainer = _trainer(recipe, spec, batch_source, execution)
        begin = time.perf_counter()
        if measure is not None:
            measure(trainer.state.average, 0)
        seconds = from_main(time.perf_counter() - begin, execution)
        speed = plan.speed or from_main(
            measure_speed(recipe, spec, batch_source, execution, seconds=1.0), execution
        )
        affordable = int(_EVALUATION_SHARE * plan.images / speed / seconds)
        times = min(max(affordable, 1), recipe.training.snapshots)
    if times == "auto" or not any_process(measure is not None, execution):
        times = 0
    return replace(plan, evaluations=times)


def measure_speed(
    recipe: Recipe,
    spec: ImageSpec,
    batch_source: BatchSource,
    execution: Execution,
    seconds: float = 5.0,
) -> float:
    """Images a second over the whole run: each stage measured, weighted by its share.

    Args:
        recipe: what to train.
        spec: shape of the images.
        batch_source: the real images.
        execution: where and how.
        seconds: to spend on each stage, after two steps of warm-up; at least three steps. Of
            steps that take longer than this, the first one is enough: what warms up is small
            beside it.
    """
    trainer = _trainer(recipe, spec, batch_source, execution)
    whole = sum(stage.share for stage in recipe.stages)
    seconds_per_image = 0.0
    for stage, start in zip(recipe.stages, stage_starts(recipe.stages), strict=True):
        # Of lazy terms, whole rounds: the steps that have one are the slow ones.
        length = round_of(recipe, stage)
        trainer.state.images_seen = math.ceil(start * trainer.total)
        begin = time.perf_counter()
        _step(trainer)
        elapsed = time.perf_counter() - begin
        long = any_process(elapsed > seconds, execution)
        steps = 1
        if not long:
            _step(trainer)
            steps, begin = 0, time.perf_counter()
        while any_process(
            steps % length > 0 or not (long or (steps >= 3 and elapsed >= seconds)), execution
        ):
            _step(trainer)
            steps += 1
            elapsed = time.perf_counter() - begin
        seconds_per_image += stage.share / whole * elapsed / (steps * trainer.step_images)
    return 1.0 / seconds_per_image


def round_of(recipe: Recipe, stage: Stage) -> int:
    """The steps of a stage after which what they cost repeats: lazy terms are in some alone."""
    return recipe.method_in(stage).round(recipe.n_critic_in(stage))


def check_batch(recipe: Recipe, world: int) -> None:
    """Refuse a batch that so many processes cannot share equally."""
    if recipe.training.batch % world:
        raise DeviceError(
            f"A batch of {recipe.training.batch} cannot be shared by {world} processes.",
            f"Choose a multiple, such as `training.batch={world * 16}`.",
        )


def _trainer(
    recipe: Recipe, spec: ImageSpec, batch_source: BatchSource, execution: Execution
) -> Trainer:
    """A throwaway trainer whose run is so long that measuring never leaves a stage."""
    state = TrainingState(recipe, spec, execution, batch_source.label_rows())
    return Trainer(recipe, state, batch_source, execution, total=10**12)


def _trainers(
    recipe: Recipe, spec: ImageSpec, batch_source: BatchSource, ways: tuple[Execution, Execution]
) -> list[Trainer]:
    """One for each way; of one state where both lay it out alike, which takes half the memory."""
    first = _trainer(recipe, spec, batch_source, ways[0])
    if ways[0].channels_last != ways[1].channels_last:
        return [first, _trainer(recipe, spec, batch_source, ways[1])]
    return [first, Trainer(recipe, first.state, batch_source, ways[1], first.total)]


def _step(trainer: Trainer) -> None:
    trainer.step()
    synchronise(trainer.execution.device)


def _has_convolutions(recipe: Recipe, spec: ImageSpec) -> bool:
    with on_meta_device():
        discriminator = recipe.discriminator.build(spec, recipe.data.range)
    return any(isinstance(m, torch.nn.Conv2d) for m in discriminator.modules())
