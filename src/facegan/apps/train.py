"""`facegan train`: from a recipe and a dataset to a run, begun or continued."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from facegan.apps.beginning import Job, Ready, begin, go_on, threads_before
from facegan.apps.datasets import open_dataset
from facegan.device import processes
from facegan.recipe import Recipe
from facegan.runs.directory import RunDirectory
from facegan.runs.provenance import dataset_identity
from facegan.training.batch_source import BatchSource
from facegan.training.loop import Loop, Reporter
from facegan.training.plan import check_batch
from facegan.training.probe import Probe
from facegan.training.signals import stop_on_signals
from facegan.training.step import Trainer


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
    mix: Sequence[str | Path] = (),
    start_from: str | Path | None = None,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train, or go on training, until the budget is spent.

    A folder that already holds a run of the same recipe and dataset is continued from its
    last whole checkpoint, and ends with the same weights as if it had never stopped.

    Args:
        recipe: a Recipe, a shipped recipe's name, or a TOML file.
        data: a dataset's folder, or `portraits`.
        run: the run's folder.
        budget: replaces the recipe's: `200kimg`, `10min`, `2h`.
        device: `auto`, `cpu`, `cuda`, `mps`.
        threads: of the processor, for each process; all cores by default, and on going on as
            many as the run began with.
        mix: further datasets, as many as `recipe.data.mix` has shares, in their order.
        start_from: a run's folder or a generator's file whose tensors the networks begin with,
            wherever names and shapes agree; asked for once, when the run begins.
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
    dataset, others = open_dataset(data), [open_dataset(each) for each in mix]
    folder = RunDirectory(run)
    if threads is None:
        threads = threads_before(folder)
    with processes(device, threads) as execution:
        check_batch(recipe, execution)
        if reporter is None:
            from facegan.cli.terminal.train import LineReporter

            reporter = LineReporter()
        with folder.locked() if execution.main else nullcontext():
            batch_source = BatchSource.of(recipe, dataset, execution, others)
            identity = dataset_identity(dataset.card, [other.card for other in others])
            job = Job(recipe, dataset, batch_source, identity, folder, reporter)
            ready = go_on(job, execution, start_from) if folder.started else None
            return _train(job, ready or begin(job, execution, start_from))


def _train(job: Job, ready: Ready) -> Outcome:
    recipe, run, reporter, state = job.recipe, job.run, job.reporter, ready.state
    trainer = Trainer(recipe, state, job.batch_source, ready.execution, ready.plan.images)
    probe = None
    if ready.execution.main:
        probe = Probe(job.dataset, job.batch_source.spec, job.batch_source.pixels, ready.execution)
    with stop_on_signals() as stop, _watching(reporter, recipe, run, trainer):
        finished = Loop(
            trainer,
            run,
            job.batch_source.pixels,
            job.identity,
            reporter,
            stop,
            probe,
            ready.measure,
            ready.plan.evaluations,
        ).go_on()
    if ready.execution.main:
        from facegan.report.pages import report

        report(run.path)
    return Outcome(run.path, finished, state.images_seen, ready.plan.images, stop.signal)


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
