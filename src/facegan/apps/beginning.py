"""How a run begins, and how it goes on: what must be settled before the first step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.apps.trained_space import caveat
from facegan.data.dataset import Dataset
from facegan.device import Execution
from facegan.errors import RunError
from facegan.models.file import GeneratorFile
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.directory import RunDirectory
from facegan.runs.provenance import provenance
from facegan.runs.warm_start import WarmStart
from facegan.training.batch_source import BatchSource
from facegan.training.loop import Reporter
from facegan.training.plan import Plan, choose_precision, make_plan, plan_evaluations
from facegan.training.state import TrainingState
from facegan.training.watch import Measure


@dataclass(frozen=True)
class Job:
    """What was asked for.

    Attributes:
        recipe: what to train.
        dataset: the main dataset.
        batch_source: its images, and those of the datasets that are mixed in.
        identity: what the run says of its data.
        run: the folder.
        reporter: told what happens.
    """

    recipe: Recipe
    dataset: Dataset
    batch_source: BatchSource
    identity: dict[str, Any]
    run: RunDirectory
    reporter: Reporter


@dataclass(frozen=True)
class Ready:
    """What a run needs for its next step."""

    state: TrainingState
    execution: Execution
    plan: Plan
    measure: Measure | None


def begin(job: Job, execution: Execution, start_from: str | Path | None) -> Ready:
    """Settle how to compute and for how long, and write down what the run is made from."""
    recipe, batch_source, spec = job.recipe, job.batch_source, job.batch_source.spec
    warm = None if start_from is None else WarmStart.read(start_from, job.reporter.say)
    execution = choose_precision(recipe, spec, batch_source, execution)
    measure = _monitor(job, execution)
    if measure is not None and (said := caveat(recipe, [recipe.evaluation.extractor])):
        job.reporter.say(said)
    plan = make_plan(recipe, spec, batch_source, execution)
    plan = plan_evaluations(plan, recipe, spec, batch_source, execution, measure)
    state = TrainingState(recipe, spec, execution, batch_source.label_rows())
    begun_from = None if warm is None else _warm_start(warm, state, execution, job)
    if execution.main:
        if warm is not None:
            # Before the run counts as begun: going on must never need the source again.
            _save(job, state)
        else:
            # Another beginning may have been killed, and left one that was warm-started.
            checkpoint.discard(job.run.checkpoints, 0)
        about = {
            "images": plan.images,
            "measured_img_per_s": plan.speed,
            "evaluations": plan.evaluations,
        }
        described = provenance(job.identity, execution.described(), about, begun_from)
        job.run.begin(recipe, described)
    return Ready(state, execution, plan, measure)


def go_on(job: Job, execution: Execution, start_from: str | Path | None) -> Ready:
    """Take up a run where it was last saved."""
    run, batch_source = job.run, job.batch_source
    run.check_same(job.recipe, job.identity)
    before = run.provenance()
    if start_from is not None and "warm_start" not in before:
        raise RunError(
            f"{run.path} was begun without --from.",
            "Leave --from out to go on, or give another --run folder to begin.",
        )
    execution = _as_before(before["execution"], execution, job.reporter)
    images, evaluations = before["plan"]["images"], before["plan"].get("evaluations", 0)
    plan = Plan(int(images), None, int(evaluations))
    state = TrainingState(job.recipe, batch_source.spec, execution, batch_source.label_rows())
    _resume(run, state, execution, job.reporter)
    unfinished = plan.evaluations and state.images_seen < plan.images
    return Ready(state, execution, plan, _monitor(job, execution) if unfinished else None)


def _save(job: Job, state: TrainingState) -> None:
    """The checkpoint from which a warm-started run begins."""
    generator = GeneratorFile(state.average, job.recipe, job.batch_source.pixels, 0, job.identity)
    checkpoint.save(job.run.checkpoints, 0, state.tensors(), generator, state.extra())


def _monitor(job: Job, execution: Execution) -> Measure | None:
    """What measures the generator on the way, in the main process alone."""
    if not execution.main or job.recipe.evaluation.times == 0:
        return None
    from facegan.apps.monitor import Monitor, enough_for

    if not enough_for(job.dataset):
        job.reporter.say(
            "The generator is not measured while it trains: the dataset has too few pictures "
            "to train on for any score to mean something."
        )
        return None
    return Monitor(job.recipe, job.dataset, job.batch_source.pixels, execution)


def _warm_start(
    warm: WarmStart, state: TrainingState, execution: Execution, job: Job
) -> dict[str, Any]:
    """Give the networks what a trained model has for them, and say what."""
    networks = state.networks
    matched = warm.into(
        {
            "generator": networks.generator,
            "discriminator": networks.discriminator,
            "average": state.average,
        }
    )
    if execution.main:
        for each in matched:
            job.reporter.say(f"From {warm.source}: {each.said()}.")
    return warm.described(matched)


def threads_before(run: RunDirectory) -> int | None:
    """With how many threads a run began: another number rounds sums in another order."""
    return int(run.provenance()["execution"]["threads"]) if run.started else None


def _as_before(before: dict[str, Any], execution: Execution, reporter: Reporter) -> Execution:
    """Compute as the run began, and say so where this machine cannot do it exactly."""
    same = execution.with_(before["precision"], before["channels_last"])
    now = same.described()
    changed = [
        f"{key}: {value} → {now.get(key)}" for key, value in before.items() if now.get(key) != value
    ]
    if changed and execution.main:
        reporter.say(
            "This run goes on under other conditions than it began with, so it will not be "
            f"equal bit for bit to an uninterrupted one ({'; '.join(changed)})."
        )
    return same


def _resume(
    run: RunDirectory, state: TrainingState, execution: Execution, reporter: Reporter
) -> None:
    say = reporter.say if execution.main else lambda message: None
    last = checkpoint.latest(run.checkpoints, say)
    if last is not None:
        state.load(last.tensors(), last.images_seen, last.extra)
        say(f"Going on from {state.images_seen / 1000:g} kimg.")
    if execution.main:
        run.metrics.rewind(state.images_seen)
        run.timing.rewind(state.images_seen)
