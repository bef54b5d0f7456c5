"""`facegan train`: from a recipe and a dataset to a run, begun or continued."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from facegan.apps.stepwise import Outcome, Training, watched_by
from facegan.errors import DeviceError, RunError, nearest
from facegan.loggers import Logger
from facegan.recipe import Recipe
from facegan.runs.directory import RunDirectory
from facegan.runs.extension import SCHEDULES, Schedules
from facegan.training.reporter import Reporter


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
    if extend not in SCHEDULES:
        raise RunError(f"extend is {extend!r}.", nearest(str(extend), SCHEDULES))
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    if budget is not None:
        recipe = recipe.with_budget(budget)
    if processes < 1:
        raise DeviceError(f"{processes} processes cannot train.", "Give 1 or more.")
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
        watching = watched_by(reporter, loggers)
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


def run_again_hint(outcome: Outcome) -> str:
    """What to tell somebody whose run was interrupted."""
    done = f"{outcome.images_seen / 1000:g} of {outcome.total / 1000:g} kimg"
    return f"Saved at {done}. Run the same command again to go on."
