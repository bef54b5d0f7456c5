"""`facegan data`: making datasets and looking at them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.data.importer import DROPPED, import_images
from facegan.data.show import contact_sheet
from facegan.errors import DataError
from facegan.files import write_bytes
from facegan.generation.png import png_bytes

_PLAIN_EVERY = 5.0  # seconds


def import_dataset(
    source: Path | str, dataset: Path | str, *, crop: int | str = "full", **options: Any
) -> Dataset:
    """Make a dataset of pictures, showing progress, and print what became of them.

    Args:
        source: a folder or an archive.
        dataset: the folder to make.
        crop: "full", or the side of a centred square; digits count as a number.
        **options: as of `facegan.import_images`, with its defaults.
    """
    with progress_bar("reading") as progress:
        made = import_images(source, dataset, crop=_crop(crop), progress=progress, **options)
    _print_outcome(made)
    return made


def draw_portraits(
    dataset: Path | str,
    *,
    n: int = 10_000,
    resolution: int = 64,
    channels: int = 3,
    seed: int = 0,
    overwrite: bool = False,
) -> Dataset:
    """Draw portraits into a dataset, showing progress; see `facegan.portraits.write`."""
    with progress_bar("drawing") as progress:
        portraits.write(
            dataset, n, resolution, channels, seed=seed, overwrite=overwrite, progress=progress
        )
    made = Dataset.open(dataset)
    _print_outcome(made)
    return made


def show(
    dataset: Path | str,
    *,
    out: Path | str | None = None,
    rows: int = 8,
    columns: int = 12,
    split: str = "all",
    seed: int = 0,
    verify: bool = False,
) -> Path:
    """Print the card of a dataset and draw a contact sheet.

    Args:
        dataset: its folder.
        out: the PNG to write; by default DATASET-sheet.png beside the dataset.
        rows: of the sheet, at most.
        columns: of the sheet.
        split: which pictures to choose from: "train", "holdout" or "all".
        seed: of the choice of pictures.
        verify: read every byte of the dataset and compare with its fingerprint.

    Returns:
        The PNG written.
    """
    opened = Dataset.open(dataset, verify=verify)
    sheet = contact_sheet(opened, rows, columns, split, seed)
    folder = opened.path.resolve()
    target = Path(out) if out is not None else folder.with_name(f"{folder.name}-sheet.png")
    if target.suffix.lower() != ".png":
        raise DataError(f"The sheet cannot be written to {target}.", "Give a name ending in .png.")
    write_bytes(target, png_bytes(sheet))
    _print_card(opened)
    if verify:
        _console().print("Every byte is as it was when the dataset was made.", markup=False)
    _console().print(f"Contact sheet: {target}", markup=False, soft_wrap=True)
    return target


def _crop(text: int | str) -> int | Literal["full"]:
    if isinstance(text, int):
        return text
    if text == "full":
        return "full"
    if text.isascii() and text.isdigit():
        return int(text)
    raise DataError(f"crop is {text!r}.", "Allowed: full, or a number of pixels such as 152.")


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, a line now and then elsewhere; both on standard error."""
    if not sys.stderr.isatty():
        yield _plain_progress(what)
        return
    columns = (
        TextColumn(what),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_progress(what: str) -> Callable[[int, int], None]:
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PLAIN_EVERY:
            last = time.monotonic()
            print(f"{what} {done:,} of {total:,}", file=sys.stderr, flush=True)

    return report


def _print_outcome(dataset: Dataset) -> None:
    counts = dataset.card["counts"]
    console = _console()
    size = f"{dataset.spec.resolution}×{dataset.spec.resolution}"
    console.print(
        f"{dataset.path}: {counts['kept']:,} pictures of {size}, {counts['train']:,} to train on, "
        f"{counts['holdout']:,} held out, {counts['identities']:,} identities.",
        markup=False,
        soft_wrap=True,
    )
    if dataset.card.get("dropped"):
        console.print(_counts_table("left out", dataset.card["dropped"]))
        console.print(
            f"Each with its reason: {dataset.path / DROPPED}", markup=False, soft_wrap=True
        )
    if dataset.card.get("conversions"):
        console.print(_counts_table("converted", dataset.card["conversions"]))


def _print_card(dataset: Dataset) -> None:
    """Everything in the card: plain values first, then each table."""
    card = dataset.card
    tables = ("dropped", "conversions", "labels", "label_names", "counts", "generated")
    plain = _pairs()
    for key, value in card.items():
        if key not in tables:
            plain.add_row(key.replace("_", " "), _text(value))
    for key, value in card["counts"].items():
        plain.add_row(key.replace("_", " "), _text(value))
    for key, value in _leaves("generated", card.get("generated", {})):
        plain.add_row(_text(key), _text(value))
    console = _console()
    console.print(plain)
    for key, title in (("dropped", "left out"), ("conversions", "converted")):
        if card.get(key):
            console.print(_counts_table(title, card[key]))
    if dataset.label_names:
        _print_labels(console, card["labels"])


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What a table inside the card says, value by value: `generated: training data: name`."""
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        value = dict(enumerate(value, 1))
    if not isinstance(value, dict):
        yield name, value
        return
    for key, each in value.items():
        yield from _leaves(f"{name}: {str(key).replace('_', ' ')}", each)


def _print_labels(console: Console, labels: dict[str, Any]) -> None:
    about = _pairs()
    for key, value in labels.items():
        if key != "columns":
            about.add_row(f"labels: {key.replace('_', ' ')}", _text(value))
    console.print(about)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("label")
    keys = ("mean", "lowest", "highest", "missing")
    for key in keys:
        table.add_column(key, justify="right")
    for column in labels["columns"]:
        cells = [f"{column[key]:.4g}" if key in column else "" for key in keys[:-1]]
        table.add_row(_text(column["name"]), *cells, f"{column['missing']:,}")
    console.print(table)


def _pairs() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")  # a hash cut short is none
    return table


def _counts_table(title: str, counts: dict[str, int]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title)
    table.add_column("pictures", justify="right")
    for name, count in counts.items():
        table.add_row(_text(name), f"{count:,}")
    return table


def _text(value: Any) -> str:
    """A value of the card as one cell; square brackets in it are no markup."""
    from rich.markup import escape

    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        return escape(", ".join(str(item) for item in value))
    if isinstance(value, dict):
        return escape(", ".join(f"{key} {item}" for key, item in value.items()))
    return escape(str(value))


def _console() -> Console:
    return Console(highlight=False)
