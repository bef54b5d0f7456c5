"""`facegan demo`: from nothing to a generator of faces, and a page about it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.data.dataset import Dataset
from facegan.errors import RunError
from facegan.files import write_bytes
from facegan.recipe import Recipe, difference
from facegan.runs.directory import RunDirectory

if TYPE_CHECKING:
    from facegan.apps.train import Outcome
    from facegan.training.reporter import Reporter

RECIPE = "portraits-demo"
_GRID = 8


def demo(
    out: str | Path,
    *,
    budget: str | None = None,
    n: int = 10_000,
    recipe: Recipe | None = None,
    reporter: Reporter | None = None,
) -> Outcome:
    """Draw portraits, train on them, show what was learned.

    OUT becomes: `portraits`, the dataset; `run`, the run with its page report.html;
    `faces.png`, generated faces; `drawn.png`, pictures of the dataset for comparison;
    `faces-from-the-box.png`, faces by the model that comes with facegan. The same call goes on
    where it was interrupted, or shows again what it made.

    Args:
        out: the folder; made if it is not there.
        budget: how long to train: `3min`, `60kimg`; by default three minutes, or as much longer as
            a slow machine needs to end with faces.
        n: portraits to draw, if there are none in OUT yet.
        recipe: instead of the shipped `portraits-demo`.
        reporter: told what happens; by default what fits the terminal.

    Returns:
        How training ended. If it was interrupted, pictures and page are still to come.

    Raises:
        RunError: if OUT holds a demo with another budget or recipe.
        DataError, TrainingError, StorageError: as for drawing and training.
    """
    from facegan.apps.data import draw_portraits
    from facegan.apps.generate import generate
    from facegan.apps.train import train
    from facegan.cli.terminal.train import make_reporter
    from facegan.report.pages import report

    folder = Path(out)
    run = RunDirectory(folder / "run")
    chosen = recipe or Recipe.load(RECIPE)
    if budget is not None:
        chosen = chosen.with_budget(budget)
    _check_same(run, chosen)
    dataset = folder / "portraits"
    if not dataset.exists():
        draw_portraits(dataset, n=n)
    outcome = train(chosen, dataset, run.path, reporter=reporter or make_reporter())
    report(run.path)
    if not outcome.finished:
        return outcome
    faces, drawn = folder / "faces.png", folder / "drawn.png"
    boxed = folder / "faces-from-the-box.png"
    generate(run.path, faces, n=_GRID**2, grid=True, columns=_GRID)
    generate(None, boxed, n=_GRID**2, grid=True, columns=_GRID)
    _draw_sheet(Dataset.open(dataset), drawn)
    made = (
        (faces, f"{_GRID**2} faces by the generator, which began with noise"),
        (drawn, f"{_GRID**2} of the pictures it learned from"),
        (run.report, "what happened on the way: open it in a browser"),
        (boxed, f"{_GRID**2} faces by a generator in the box, which learned from photographs"),
    )
    _say_what_was_made(folder, made, outcome)
    return outcome


def _check_same(run: RunDirectory, recipe: Recipe) -> None:
    """Refuse here what training would refuse, with the demo's own way out."""
    if not run.started:
        return
    changes = difference(run.recipe(), recipe)
    if changes:
        raise RunError(
            f"{run.path.parent} holds a demo that was begun otherwise:\n  " + "\n  ".join(changes),
            "Give the same --budget to go on, or another --out folder to begin.",
        )


def _draw_sheet(dataset: Dataset, target: Path) -> None:
    """Pictures of the dataset, laid out as the generated ones are."""
    from PIL import Image

    from facegan.data.grid import grid

    png = io.BytesIO()
    Image.fromarray(grid(dataset.images[: _GRID**2], _GRID)).save(png, "PNG")
    write_bytes(target, png.getvalue())


def _say_what_was_made(folder: Path, made: Sequence[tuple[Path, str]], outcome: Outcome) -> None:
    width = max(len(str(path)) for path, _ in made)
    print()
    for path, what in made:
        print(f"  {path!s:{width}}  {what}")
    print("\nTo try next:")
    print("  facegan models card lfw-64")
    print(f"  facegan generate {outcome.run} --out {folder / 'more'} -n 100 --seed 1000")
    print(f"  facegan evaluate {outcome.run} --data {folder / 'portraits'} -n 2000")
    print(f"  facegan train dcgan --data {folder / 'portraits'} --run runs/longer --budget 20min")
    print("  facegan data import YOUR-PICTURES faces --resolution 64")
    print()
