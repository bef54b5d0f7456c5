"""`facegan train`: from a recipe and a dataset to a run, begun or continued."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from facegan.apps.datasets import open_dataset
from facegan.data.pack import Pack
from facegan.data.pixels import Pixels
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.directory import RunDirectory
from facegan.runs.provenance import dataset_identity, provenance
from facegan.training.execution import Execution, processes
from facegan.training.feed import Feed
from facegan.training.loop import Loop, Reporter
from facegan.training.plan import (
    Plan,
    check_batch,
    choose_precision,
    make_plan,
    plan_evaluations,
)
from facegan.training.probe import Probe
from facegan.training.signals import stop_on_signals
from facegan.training.state import TrainingState, pixels_of
from facegan.training.step import Trainer
from facegan.training.watch import Measure


@dataclass(frozen=True)
class Outcome:
    """How a call of `train` ended.

    Attributes:
        run: the folder.
        finished: whether the budget was spent; otherwise the same call goes on.
        images_seen: images shown to the discriminator so far.
        total: images in the whole run.
        stopped_by: the signal's name, where one asked the run to stop.
    """

    run: Path
    finished: bool
    images_seen: int
    total: int
    stopped_by: str | None = None


def train(
    recipe: Recipe | str | Path,
    data: str | Path,
    run: str | Path,
    *,
    budget: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train, or go on training, until the budget is spent.

    A folder that already holds a run of the same recipe and dataset is continued from its
    last whole checkpoint, and ends with the same weights as if it had never stopped.

    Args:
        recipe: a Recipe, a shipped recipe's name, or a TOML file.
        data: a pack's folder, or `portraits`.
        run: the run's folder.
        budget: replaces the recipe's: `200kimg`, `10min`, `2h`.
        device: `auto`, `cpu`, `cuda`, `mps`.
        threads: of the processor, for each process; all cores by default, and on going on as
            many as the run began with.
        reporter: told what happens; prints plain lines by default.

    Raises:
        RecipeError, DataError, RunError: for what cannot be used.
        DeviceError: for a device, or a number of processes or threads, that is not there.
        TrainingError: if the numbers diverge.
        StorageError: if the disk is full or not writable.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    if budget is not None:
        recipe = recipe.with_budget(budget)
    pack = open_dataset(data)
    folder = RunDirectory(run)
    if threads is None:
        threads = threads_before(folder)
    with processes(device, threads) as execution:
        check_batch(recipe, execution)
        if reporter is None:
            from facegan.apps.console import LineReporter

            reporter = LineReporter()
        with folder.locked() if execution.main else nullcontext():
            return _train(recipe, pack, folder, execution, reporter)


def _train(
    recipe: Recipe, pack: Pack, run: RunDirectory, execution: Execution, reporter: Reporter
) -> Outcome:
    pixels = pixels_of(recipe, pack.card)
    feed = Feed(pack, pixels, recipe.training.seed, execution)
    begun = run.started
    if begun:
        run.check_same(recipe, pack.fingerprint)
        execution = _as_before(run, execution, reporter)
        before = run.provenance()["plan"]
        plan = Plan(int(before["images"]), None, int(before.get("evaluations", 0)))
        measure = None
    else:
        execution = choose_precision(recipe, pack.spec, feed, execution)
        measure = _monitor(recipe, pack, pixels, execution, reporter)
        plan = make_plan(recipe, pack.spec, feed, execution)
        plan = plan_evaluations(plan, recipe, pack.spec, feed, execution, measure)
        if execution.main:
            about = {
                "images": plan.images,
                "measured_img_per_s": plan.speed,
                "evaluations": plan.evaluations,
            }
            run.begin(recipe, provenance(pack.card, execution.described(), about))
    state = TrainingState(recipe, pack.spec, execution)
    if begun:
        _resume(run, state, execution, reporter)
        if plan.evaluations and state.images_seen < plan.images:
            measure = _monitor(recipe, pack, pixels, execution, reporter)
    trainer = Trainer(recipe, state, feed, execution, plan.images)
    with stop_on_signals() as stop, _watching(reporter, recipe, run, trainer):
        finished = Loop(
            trainer,
            run,
            pixels,
            dataset_identity(pack.card),
            reporter,
            stop,
            Probe(pack, pixels, execution) if execution.main else None,
            measure,
            plan.evaluations,
        ).go_on()
    if execution.main:
        from facegan.apps.report import report

        report(run.path)
    return Outcome(run.path, finished, state.images_seen, plan.images, stop.signal)


def _monitor(
    recipe: Recipe, pack: Pack, pixels: Pixels, execution: Execution, reporter: Reporter
) -> Measure | None:
    """What measures the generator on the way, in the main process alone."""
    if not execution.main or recipe.evaluation.times == 0:
        return None
    from facegan.apps.monitor import Monitor, enough_for

    if not enough_for(pack):
        reporter.say(
            "The generator is not measured while it trains: the dataset has too few pictures "
            "to train on for any score to mean something."
        )
        return None
    return Monitor(recipe, pack, pixels, execution)


def threads_before(run: RunDirectory) -> int | None:
    """With how many threads a run began: another number rounds sums in another order."""
    return int(run.provenance()["execution"]["threads"]) if run.started else None


def _as_before(run: RunDirectory, execution: Execution, reporter: Reporter) -> Execution:
    """Compute as the run began, and say so where this machine cannot do it exactly."""
    before = run.provenance()["execution"]
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


@contextmanager
def _watching(
    reporter: Reporter, recipe: Recipe, run: RunDirectory, trainer: Trainer
) -> Iterator[None]:
    """Let a reporter with a live display open and close it."""
    if not trainer.execution.main:
        yield
        return
    reporter.begin(recipe, run, trainer.total, trainer.state.images_seen, trainer.execution)
    try:
        yield
    finally:
        reporter.end()


def run_again_hint(outcome: Outcome) -> str:
    """What to tell somebody whose run was interrupted."""
    done = f"{outcome.images_seen / 1000:g} of {outcome.total / 1000:g} kimg"
    return f"Saved at {done}. Run the same command again to go on."
