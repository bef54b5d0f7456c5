"""How a run begins, and how it goes on: what must be settled before the first step."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facegan.apps.trained_space import caveat
from facegan.budget import parse_budget
from facegan.data.dataset import Dataset
from facegan.device import Execution, any_process, slow_bf16
from facegan.errors import RunError
from facegan.evaluation.extractors import require_shipped
from facegan.models.file import GeneratorFile
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.directory import RunDirectory
from facegan.runs.extension import (
    Extension,
    Length,
    Schedules,
    budget_of,
    extended,
    rewound,
)
from facegan.runs.journal import trained_to
from facegan.runs.provenance import provenance
from facegan.runs.warm_start import WarmStart
from facegan.training.batch_source import BatchSource
from facegan.training.footprint import require_fits
from facegan.training.loop import unmeasured
from facegan.training.plan import choose_precision, make_plan, plan_evaluations
from facegan.training.reporter import Reporter
from facegan.training.state import TrainingState
from facegan.training.watch import Measure


@dataclass(frozen=True)
class Job:
    """What a call of `train` is to do.

    Attributes:
        recipe: what to train.
        dataset: the main dataset.
        batch_source: its images, and those of the datasets that are mixed in.
        identity: what the run says of its data.
        run: the folder.
        reporter: told what happens.
        extend: what becomes of schedules where a run goes on with a larger budget.
    """

    recipe: Recipe
    dataset: Dataset
    batch_source: BatchSource
    identity: dict[str, Any]
    run: RunDirectory
    reporter: Reporter
    extend: Schedules = "keep"


@dataclass(frozen=True)
class Ready:
    """What a run needs for its next step."""

    state: TrainingState
    execution: Execution
    length: Length
    evaluations: int
    measure: Measure | None


def begin(job: Job, execution: Execution, start_from: str | Path | None) -> Ready:
    """Settle how to compute and for how long, and write down what the run is made from."""
    recipe, batch_source, spec = job.recipe, job.batch_source, job.batch_source.spec
    require_fits(recipe, spec, execution)
    warm = None if start_from is None else WarmStart.read(start_from, job.reporter.say)
    execution = choose_precision(recipe, spec, batch_source, execution)
    if execution.precision == "bf16" and (slow := slow_bf16(execution.device)):
        job.reporter.say(slow)
    measure = _monitor(job, execution)
    if measure is not None and (said := caveat(recipe, [recipe.evaluation.extractor])):
        job.reporter.say(said)
    plan = make_plan(recipe, spec, batch_source, execution)
    if plan.asked is not None and plan.speed is not None:
        job.reporter.say(
            f"At {plan.speed:,.0f} images a second, {recipe.training.budget} would be only "
            f"{plan.asked / 1000:,.3g} kimg on this machine, too few for this recipe. So it trains "
            f"on {plan.images / 1000:,.3g} kimg, about {plan.images / plan.speed / 60:,.0f} min."
        )
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
    return Ready(state, execution, Length.plain(plan.images), plan.evaluations, measure)


def go_on(job: Job, execution: Execution, start_from: str | Path | None) -> Ready:
    """Take up a run where it was last saved."""
    run, batch_source = job.run, job.batch_source
    run.check_same(job.recipe, job.identity)
    before = run.checked_provenance()
    if start_from is not None and "warm_start" not in before:
        raise RunError(
            f"{run.path} was begun without `start_from`.",
            "Leave `start_from` out to go on, or give another `run` folder to begin.",
        )
    execution = _as_before(before["execution"], execution, job.reporter)
    evaluations = int(before["plan"].get("evaluations", 0))
    longer = _longer(job, execution, before)
    state = TrainingState(job.recipe, batch_source.spec, execution, batch_source.label_rows())
    _resume(run, state, execution, job.reporter)
    before = rewound(before, state.images_seen)
    if longer is not None:
        longer = replace(longer, images_seen=state.images_seen)
        before = extended(before, longer)
    any_process(False, execution)  # all have read what the main process now writes
    if execution.main:
        begun = run.recipe()
        run.rewrite(begun.of_budget(budget_of(before, begun.training.budget)), before)
        if longer is not None:
            job.reporter.say(longer.sentence())
    length = Length.of(before)
    unfinished = evaluations and (
        state.images_seen < length.total or unmeasured(run, length, evaluations, state.images_seen)
    )
    measure = _monitor(job, execution) if unfinished else None
    return Ready(state, execution, length, evaluations, measure)


def _longer(job: Job, execution: Execution, before: dict[str, Any]) -> Extension | None:
    """What another budget than the run's comes to; None where it is the same.

    Raises:
        RunError: where it is a smaller one.
    """
    recipe, total = job.recipe, int(before["plan"]["images"])
    old = budget_of(before, job.run.recipe().training.budget)
    was, wanted = parse_budget(old), parse_budget(recipe.training.budget)
    if was == wanted:
        return None
    spec, batch_source = job.batch_source.spec, job.batch_source
    if was.seconds is not None and wanted.seconds is not None:
        if wanted.seconds < was.seconds:
            raise _smaller(job, old, total)
        # Time is given for the added part alone: what is done is not measured again.
        more = f"{wanted.seconds - was.seconds:f}s"
        added = make_plan(
            _added(recipe, job.extend).with_budget(more), spec, batch_source, execution
        )
        images, speed = total + added.images, added.speed
    else:
        plan = make_plan(recipe, spec, batch_source, execution)
        images, speed = plan.images, plan.speed
    if images < total:
        raise _smaller(job, old, total)
    if images == total:
        return None
    return Extension(0, recipe.training.budget, images, old, total, job.extend, speed)


def _added(recipe: Recipe, extend: Schedules) -> Recipe:
    """What the added part trains: where stages keep their length, the last one."""
    if extend == "stretch":
        return recipe
    return recipe.model_copy(update={"stages": recipe.stages[-1:]})


def _smaller(job: Job, budget: str, total: int) -> RunError:
    return RunError(
        f"{job.run.path} has a budget of {budget} ({total / 1000:g} kimg), and "
        f"{job.recipe.training.budget} is less.",
        f"Give {budget} to go on or more to train longer, or another run folder to begin.",
    )


def _save(job: Job, state: TrainingState) -> None:
    """The checkpoint from which a warm-started run begins."""
    generator = GeneratorFile(state.average, job.recipe, job.batch_source.pixels, 0, job.identity)
    checkpoint.save(job.run.checkpoints, 0, state.tensors(), generator, state.extra())


def _monitor(job: Job, execution: Execution) -> Measure | None:
    """What measures the generator on the way, in the main process alone."""
    # Also where nothing is measured: the recipe is not one that may be trained.
    require_shipped([job.recipe.evaluation.extractor])
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
            job.reporter.say(f"From {warm.source}: {each.sentence()}.")
    return warm.described(matched)


def threads_before(run: RunDirectory) -> int | None:
    """With how many threads a run began: another number rounds sums in another order."""
    return int(run.checked_provenance()["execution"]["threads"]) if run.started else None


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
    if last is None:
        _require_none_lost(run)
    else:
        state.load(last.tensors(), last.images_seen, last.extra)
        say(f"Going on from {state.images_seen / 1000:g} kimg.")
    if execution.main:
        if last is not None:
            checkpoint.keep_newest(run.checkpoints, 2, upto=last.images_seen)
            if missing := run.metrics.restore(last.journal()):
                say(
                    f"{missing} line(s) that the checkpoint knows were missing from "
                    f"{run.metrics.path.name}, and were put back."
                )
        run.metrics.rewind(state.images_seen, b"" if last is None else last.journal())
        run.timing.rewind(state.images_seen)


def _require_none_lost(run: RunDirectory) -> None:
    """Refuse to begin again at zero where a checkpoint was once written: it is elsewhere.

    A checkpoint follows each grid of samples, so lines of the journal beyond the first one mean
    that there was a checkpoint. A warm start writes one before the run begins.
    """
    seen = trained_to(run.metrics.lines())
    names = [
        re.fullmatch(r"([0-9]{1,15}\.[0-9]{3})k\.png", p.name) for p in run.samples.glob("*k.png")
    ]
    grids = [round(float(name[1]) * 1000) for name in names if name]
    if "warm_start" in run.provenance() or any(0 < grid < seen for grid in grids):
        raise RunError(
            f"There is no checkpoint in {run.checkpoints}, but this run was trained to "
            f"{seen / 1000:g} kimg.",
            "Bring the folder back: is its disk mounted, was the run copied without it? To begin "
            "again at zero, give another folder for the run.",
        )
