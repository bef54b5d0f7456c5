"""`facegan train`: from a recipe and a dataset to a run, begun or continued."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from facegan.apps.beginning import Job, Ready, begin, go_on, threads_before
from facegan.apps.datasets import open_dataset
from facegan.device import Execution, all_agree
from facegan.device import processes as joined
from facegan.errors import DataError, DeviceError, RunError, nearest
from facegan.loggers import Logger, choose
from facegan.loggers.watching import Logging
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.directory import RunDirectory
from facegan.runs.extension import SCHEDULES, Schedules
from facegan.runs.provenance import dataset_identity
from facegan.training.batch_source import BatchSource
from facegan.training.loop import Loop
from facegan.training.plan import check_batch
from facegan.training.probe import Probe
from facegan.training.reporter import LineReporter, Reporter, Reporters, Undisturbed
from facegan.training.signals import StopRequest, stop_on_signals
from facegan.training.step import Trainer


@dataclass(frozen=True)
class Outcome:
    """How a call of `train` ended.

    Attributes:
        run: the folder.
        finished: whether the budget was spent; otherwise the same call goes on.
        images_seen: images shown to the discriminator so far.
        total: images in the whole run.
        stopped_by: the signal's name, where one asked the run to stop; None where a reporter did.
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
    processes: int = 1,
    mix: Sequence[str | Path] = (),
    start_from: str | Path | None = None,
    extend: Schedules = "keep",
    loggers: Sequence[str | Logger] | None = None,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train, or go on training, until the budget is spent.

    A folder that already holds a run of the same recipe and dataset is continued from its
    last whole checkpoint, and ends with the same weights as if it had never stopped. With a
    larger budget than before it goes on beyond its end, and its provenance says so. Schedules
    that are constant from there on, or kept, then give bit for bit what the larger budget would
    have given at once: see `extend`.

    Args:
        recipe: a Recipe, a shipped recipe's name, or a TOML file.
        data: a dataset's folder, or `portraits`.
        run: the run's folder.
        budget: replaces the recipe's: `200kimg`, `10min`, `2h`. Of a run that goes on, it may be
            larger than before, not smaller. More time is turned into images anew, for the part
            that is added.
        device: `auto`, `cpu`, `cuda`, `mps`.
        threads: of the processor, for each process; all cores by default, and on going on as
            many as the run began with.
        processes: that share each batch, started on this machine for this run; 1 trains in this
            process, or joins those that a launcher such as torchrun started.
        mix: further datasets, as many as `recipe.data.mix` has shares, in their order.
        start_from: a run's folder or a generator's file whose tensors the networks begin with,
            wherever names and shapes agree; asked for once, when the run begins.
        extend: where the budget is larger than before. `keep`: schedules and stages keep the length
            that they had in images, and stay at their last values after it. `stretch`: from here
            on they run over the whole, longer run, so that rates which had fallen rise again.
        loggers: where curves and sample grids go besides the run's folder: names of
            `facegan.loggers.LOGGERS`, or objects; by default TensorBoard where it is installed.
        reporter: told what happens, and may stop the run; prints plain lines by default.

    Raises:
        RecipeError, DataError, RunError: for what cannot be used; a logger that is not
            installed is one of it.
        DeviceError: for a device, or a number of processes or threads, that is not there.
        TrainingError: if the numbers diverge, or another process of the run was lost.
        StorageError: if the disk is full or not writable.
    """
    if extend not in SCHEDULES:
        raise RunError(f"extend is {extend!r}.", nearest(str(extend), SCHEDULES))
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    if budget is not None:
        recipe = recipe.with_budget(budget)
    if processes < 1:
        raise DeviceError(f"{processes} processes cannot train.", "Give 1 or more.")
    shown = Undisturbed(reporter or LineReporter())
    reporter = Reporters(Logging(choose(loggers), shown.say), shown)
    folder = RunDirectory(run)
    if processes > 1 and "WORLD_SIZE" not in os.environ:
        from facegan.apps.processes import train_in_processes

        options = {
            "data": str(data),
            "device": device,
            "threads": threads,
            "mix": [str(each) for each in mix],
            "start_from": None if start_from is None else str(start_from),
            "extend": extend,
        }
        return train_in_processes(processes, recipe, folder, reporter, **options)
    dataset, others = open_dataset(data), [open_dataset(each) for each in mix]
    if threads is None:
        threads = threads_before(folder)
    # Signals that come while the processes take leave of each other must not end one of them.
    with stop_on_signals(ready=False) as stop, joined(device, threads) as execution:
        check_batch(recipe, execution)
        with folder.locked() if execution.main else nullcontext():
            batch_source = BatchSource.of(recipe, dataset, execution, others)
            identity = dataset_identity(dataset.card, [other.card for other in others])
            job = Job(recipe, dataset, batch_source, identity, folder, reporter, extend)
            _require_same(job, execution)
            ready = go_on(job, execution, start_from) if folder.started else None
            return _train(job, ready or begin(job, execution, start_from), stop)


def _require_same(job: Job, execution: Execution) -> None:
    """Refuse processes on several machines that do not find the same run and the same data."""
    last = checkpoint.latest(job.run.checkpoints) if execution.world > 1 else None
    place = -1 if last is None else last.images_seen
    if not all_agree((job.run.started, place), execution):
        raise RunError(
            f"The processes do not find the same run in {job.run.path}.",
            "Put the run's folder on a disk that all machines share, at the same path.",
        )
    if not all_agree((json.dumps(job.identity, sort_keys=True),), execution):
        raise DataError(
            "The processes were given different datasets.",
            "Copy the dataset to the same path on all machines, or put it on a shared disk.",
        )


def _train(job: Job, ready: Ready, stop: StopRequest) -> Outcome:
    recipe, run, reporter, state = job.recipe, job.run, job.reporter, ready.state
    trainer = Trainer(recipe, state, job.batch_source, ready.execution, ready.length.schedules)
    probe = None
    if ready.execution.main:
        probe = Probe(job.dataset, job.batch_source.spec, job.batch_source.pixels, ready.execution)
    stop.ready = True
    with _watching(reporter, recipe, run, trainer, ready.length.total):
        finished = Loop(
            trainer,
            run,
            job.batch_source.pixels,
            job.identity,
            reporter,
            stop,
            probe,
            ready.measure,
            ready.evaluations,
            ready.length,
        ).go_on()
    return Outcome(run.path, finished, state.images_seen, ready.length.total, stop.signal)


@contextmanager
def _watching(
    reporter: Reporter, recipe: Recipe, run: RunDirectory, trainer: Trainer, total: int
) -> Iterator[None]:
    """Let a reporter with a live display open and close it."""
    if not trainer.execution.main:
        yield
        return
    reporter.begin(recipe, run, total, trainer.state.images_seen, trainer.execution)
    try:
        yield
    finally:
        reporter.end()


def run_again_hint(outcome: Outcome) -> str:
    """What to tell somebody whose run was interrupted."""
    done = f"{outcome.images_seen / 1000:g} of {outcome.total / 1000:g} kimg"
    return f"Saved at {done}. Run the same command again to go on."
