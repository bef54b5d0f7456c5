"""`facegan train`: from a recipe and a dataset to a run, begun or continued, whole or stepwise."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from facegan.apps.beginning import Job, Ready, begin, go_on, threads_before
from facegan.apps.datasets import open_dataset
from facegan.device import Execution, all_agree, launched_processes
from facegan.device import processes as joined
from facegan.errors import DataError, DeviceError, RunError, nearest
from facegan.loggers import Logger, choose
from facegan.loggers.watching import Logging
from facegan.notebook import in_notebook
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.directory import RunDirectory
from facegan.runs.extension import SCHEDULES, Schedules
from facegan.runs.provenance import dataset_identity
from facegan.training.batch_source import BatchSource
from facegan.training.loop import Loop
from facegan.training.plan import check_batch
from facegan.training.probe import Probe
from facegan.training.reporter import (
    LineReporter,
    NotebookReporter,
    Reporter,
    Reporters,
    Undisturbed,
)
from facegan.training.signals import StopRequest, stop_on_signals
from facegan.training.step import Trainer
from facegan.values import Value

if TYPE_CHECKING:
    from facegan.generation.album import Pictures


@dataclass(frozen=True)
class Outcome(Value):
    """How a call of `train` ended.

    Attributes:
        run: the folder.
        finished: whether the budget was spent; otherwise the same call goes on.
        images_seen: images shown to the discriminator so far.
        total: images in the whole run.
        stopped_by: the signal's name, where one asked the run to stop; None where code did.
    """

    run: Path
    finished: bool
    images_seen: int
    total: int
    stopped_by: str | None = None


@dataclass(frozen=True)
class Step(Value):
    """One step of training, just taken.

    Attributes:
        images_seen: images shown to the discriminator so far.
        total: images in the whole run.
        values: of the step, by the names of the journal: losses, logits, norms of gradients.
    """

    images_seen: int
    total: int
    values: dict[str, float]


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
        reporter: told what happens, and may stop the run; by default it prints plain lines, or
            shows a bar and the newest faces in a notebook.

    Raises:
        RecipeError, DataError, RunError: for what cannot be used; a logger that is not
            installed is one of it.
        DeviceError: for a device, or a number of processes or threads, that is not there.
        TrainingError: if the numbers diverge, or another process of the run was lost.
        StorageError: if the disk is full or not writable.
    """
    recipe = _resolved(recipe, budget, extend)
    if processes < 1:
        raise DeviceError(f"{processes} processes cannot train.", "Give 1 or more.")
    if processes > 1 and "WORLD_SIZE" not in os.environ:
        check_batch(recipe, processes)
        from facegan.apps.processes import train_in_processes

        options = {
            "data": str(data),
            "device": device,
            "threads": threads,
            "mix": [str(each) for each in mix],
            "start_from": None if start_from is None else str(start_from),
            "extend": extend,
        }
        watching = _with_loggers(reporter, loggers)
        return train_in_processes(processes, recipe, RunDirectory(run), watching, **options)
    training = Training(
        recipe,
        data,
        run,
        device=device,
        threads=threads,
        mix=mix,
        start_from=start_from,
        extend=extend,
        loggers=loggers,
        reporter=reporter,
    )
    with training:
        for _ in training:
            pass
    return training.outcome


class Training:
    """A run to step through: begun or continued on entering, saved on leaving.

        with facegan.Training("dcgan", data="portraits", run="runs/a") as training:
            for step in training:
                if step.images_seen >= 20_000:
                    break
        training.outcome.finished

    Leaving early, by `break` or by an error of one's own, saves: the same run goes on from there
    later, and computes what it would have computed. What is done between two steps changes nothing,
    unless it writes into the networks. Ctrl-C ends the steps as if the loop had left them.

    It takes the arguments of `facegan.train`, but for `processes`: it is one process, or one of
    those that a launcher such as torchrun started, and then all must leave at the same step.

    Attributes:
        run: the folder.
        trainer: what takes the steps, with its networks, from entering on.
    """

    def __init__(
        self,
        recipe: Recipe | str | Path,
        data: str | Path,
        run: str | Path,
        *,
        budget: str | None = None,
        device: str = "auto",
        threads: int | None = None,
        mix: Sequence[str | Path] = (),
        start_from: str | Path | None = None,
        extend: Schedules = "keep",
        loggers: Sequence[str | Logger] | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self._recipe = _resolved(recipe, budget, extend)
        self._data, self._mix, self._start_from = data, mix, start_from
        self._device, self._threads, self._extend = device, threads, extend
        self._reporter = _with_loggers(reporter, loggers)
        self._folder = RunDirectory(run)
        self.run = self._folder.path
        self.trainer: Trainer | None = None
        self._open = ExitStack()
        self._loop: Loop | None = None
        self._steps: Generator[dict[str, float], None, None] | None = None
        self._stop: StopRequest | None = None

    def __enter__(self) -> Training:
        if self._loop is not None:
            raise RunError("This training was entered before.", "Make another: it goes on.")
        dataset = open_dataset(self._data)
        others = [open_dataset(each) for each in self._mix]
        threads = threads_before(self._folder) if self._threads is None else self._threads
        with ExitStack() as stack:
            # Signals that come while the processes take leave of each other must not end one.
            self._stop = stack.enter_context(stop_on_signals(ready=False))
            # Before they meet: one that refuses and leaves would be a lost process to the others.
            check_batch(self._recipe, launched_processes())
            execution = stack.enter_context(joined(self._device, threads))
            stack.enter_context(self._folder.locked() if execution.main else nullcontext())
            batch_source = BatchSource.of(self._recipe, dataset, execution, others)
            identity = dataset_identity(dataset.card, [other.card for other in others])
            job = Job(
                self._recipe,
                dataset,
                batch_source,
                identity,
                self._folder,
                self._reporter,
                self._extend,
            )
            _require_same(job, execution)
            ready = go_on(job, execution, self._start_from) if self._folder.started else None
            loop = _loop(job, ready or begin(job, execution, self._start_from), self._stop)
            stack.enter_context(_watching(job, loop.trainer, loop.length_in_images))
            self._open = stack.pop_all()
        self._loop, self.trainer = loop, loop.trainer
        return self

    def __iter__(self) -> Iterator[Step]:
        if self._loop is None:
            raise RunError("This training was not entered.", "Write: with Training(…) as training:")
        if self._steps is None:
            self._steps = self._loop.steps()
        total = self._loop.length_in_images
        for values in self._steps:
            yield Step(self._loop.trainer.state.images_seen, total, values)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._open:
            if self._steps is not None:
                self._steps.close()

    @property
    def outcome(self) -> Outcome:
        """How far it is, and how it ended."""
        if self._loop is None or self._stop is None:
            raise RunError("This training was not entered.", "Write: with Training(…) as training:")
        return Outcome(
            self.run,
            self._loop.finished,
            self._loop.trainer.state.images_seen,
            self._loop.length_in_images,
            self._stop.signal,
        )

    def pictures(self, n: int = 16, seed: int = 0) -> Pictures:
        """What the averaged generator makes now, of the seeds seed, seed + 1, …"""
        import numpy as np

        from facegan.generation.album import Pictures
        from facegan.generation.samples import pictures

        if self._loop is None:
            raise RunError("This training was not entered.", "Write: with Training(…) as training:")
        state, seeds = self._loop.trainer.state, range(seed, seed + n)
        images = np.concatenate(list(pictures(state.average, self._loop.pixels, seeds)))
        kimg = f"{state.images_seen / 1000:g}"
        return Pictures(images, list(seeds), {"recipe": self._recipe.name, "kimg": kimg})


def run_again_hint(outcome: Outcome) -> str:
    """What to tell somebody whose run was interrupted."""
    done = f"{outcome.images_seen / 1000:g} of {outcome.total / 1000:g} kimg"
    return f"Saved at {done}. Run the same command again to go on."


def _resolved(recipe: Recipe | str | Path, budget: str | None, extend: str) -> Recipe:
    """The recipe with its budget. Raises RunError where `extend` is none of the schedules."""
    if extend not in SCHEDULES:
        raise RunError(f"extend is {extend!r}.", nearest(str(extend), SCHEDULES))
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    return recipe if budget is None else recipe.with_budget(budget)


def _with_loggers(reporter: Reporter | None, loggers: Sequence[str | Logger] | None) -> Reporter:
    """Who is told of a run: a reporter that cannot end it by failing to print, and trackers."""
    shown = Undisturbed(reporter or (NotebookReporter() if in_notebook() else LineReporter()))
    return Reporters(Logging(choose(loggers), shown.say), shown)


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


def _loop(job: Job, ready: Ready, stop: StopRequest) -> Loop:
    trainer = Trainer(
        job.recipe, ready.state, job.batch_source, ready.execution, ready.length.schedules
    )
    probe = None
    if ready.execution.main:
        from facegan.apps.monitor import SampleChecks

        spec, pixels = job.batch_source.spec, job.batch_source.pixels
        probe = Probe(job.dataset, spec, pixels, ready.execution, SampleChecks)
    stop.ready = True
    return Loop(
        trainer,
        job.run,
        job.batch_source.pixels,
        job.identity,
        job.reporter,
        stop,
        probe,
        ready.measure,
        ready.evaluations,
        ready.length,
    )


@contextmanager
def _watching(job: Job, trainer: Trainer, total: int) -> Iterator[None]:
    """Let a reporter with a live display open and close it."""
    if not trainer.execution.main:
        yield
        return
    job.reporter.begin(job.recipe, job.run, total, trainer.state.images_seen, trainer.execution)
    try:
        yield
    finally:
        job.reporter.end()
