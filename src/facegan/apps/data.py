"""`facegan data`: making datasets and looking at them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facegan import portraits
from facegan.apps.datasets import open_dataset
from facegan.data.align import Alignment
from facegan.data.dataset import Dataset
from facegan.data.export import export_zip
from facegan.data.grid import contact_sheet
from facegan.data.importer import DROPPED, import_images
from facegan.data.people import people_known
from facegan.data.pictures import png_bytes
from facegan.errors import DataError, printable
from facegan.files import write_bytes
from facegan.progress import progress_bar

# Lines of one kind that an import prints.
_MOST_LINES = 12
_STDERR = 2  # the number by which C libraries know it


def import_dataset(
    source: Path | str,
    dataset: Path | str,
    *,
    crop: int | str = "full",
    align: bool = False,
    zoom: float | None = None,
    border: str | None = None,
    faces: str | None = None,
    min_eyes: float | None = None,
    max_yaw: float | None = None,
    **options: Any,
) -> Dataset:
    """Make a dataset of pictures, showing progress, and print what became of them.

    Args:
        source: a folder or an archive.
        dataset: the folder to make.
        crop: "full", or the side of a centred square; digits count as a number.
        align: whether faces are found and aligned.
        zoom: of the alignment, as the rest of them; see `facegan.data.align.Alignment`.
        border: what there is beyond the photograph.
        faces: "all" of a photograph or the "main" one.
        min_eyes: the least distance between the eyes, in pixels.
        max_yaw: how far a face may look to the side, in degrees.
        **options: as of `facegan.import_images`, with its defaults.
    """
    chosen = {
        "zoom": zoom,
        "border": border,
        "faces": faces,
        "min_eyes": min_eyes,
        "max_yaw": max_yaw,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    if given and not align:
        raise DataError(
            f"{next(iter(given)).replace('_', '-')} is an option of alignment, and nothing is to "
            "be aligned.",
            "Ask for alignment too, or leave it out.",
        )
    alignment = Alignment(**given) if align else None  # type: ignore[arg-type]
    started = time.monotonic()
    with (
        quiet_libraries(),
        progress_bar("aligning" if align else "reading", rate=align) as progress,
    ):
        made = import_images(
            source, dataset, crop=_crop(crop), align=alignment, progress=progress, **options
        )
    _print_outcome(made)
    if align:
        rate = len(made) / max(time.monotonic() - started, 1e-3)
        _console().print(f"{rate:,.0f} faces a second.", markup=False)
    return made


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep C libraries from printing: they say thousands of lines of pictures that are damaged.

    What Python prints on standard error still arrives.
    """
    before = sys.stderr
    try:
        before.flush()
        through = before.fileno() == _STDERR
        kept = os.dup(_STDERR)
    except (OSError, ValueError, AttributeError):  # closed, or no file
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)
    if through:
        # Not closed by itself: `kept` is what standard error becomes again.
        sys.stderr = open(  # noqa: SIM115
            kept, "w", encoding=before.encoding, errors="replace", buffering=1, closefd=False
        )
    try:
        yield
    finally:
        with suppress(OSError):
            sys.stderr.flush()
        sys.stderr = before
        os.dup2(kept, _STDERR)
        os.close(kept)


def export(dataset: Path | str, path: Path | str, **options: Any) -> Path:
    """Write a dataset as one zip for other trainers, showing progress; see `data.export`.

    Args:
        dataset: its folder, or `portraits`.
        path: the zip to make.
        **options: as of `facegan.data.export.export_zip`, with its defaults.
    """
    opened = open_dataset(dataset)
    with progress_bar("writing") as progress:
        made = export_zip(opened, path, progress=progress, **options)
    _console().print(
        f"{made}: {len(opened.indices(options.get('split', 'all'))):,} pictures.",
        markup=False,
        soft_wrap=True,
    )
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


def _print_outcome(dataset: Dataset) -> None:
    counts = dataset.card["counts"]
    console = _console()
    size = f"{dataset.spec.resolution}×{dataset.spec.resolution}"
    known = people_known(dataset)
    people = f"{counts['identities']:,} identities" if known else "who is shown is not known"
    console.print(
        f"{dataset.path}: {counts['kept']:,} pictures of {size}, {counts['train']:,} to train on, "
        f"{counts['holdout']:,} held out, {people}.",
        markup=False,
        soft_wrap=True,
    )
    _print_notes(dataset.card)
    _print_duplicates(dataset.card)
    if dropped := _counts(dataset.card, "dropped"):
        console.print(_counts_table("left out", dropped))
        console.print(
            f"Each with its reason: {dataset.path / DROPPED}", markup=False, soft_wrap=True
        )
    if conversions := _counts(dataset.card, "conversions"):
        console.print(_counts_table("converted", conversions))


def _print_duplicates(card: dict[str, Any]) -> None:
    """How many near duplicates there are, and what was done about them."""
    found = card.get("near_duplicates")
    if not isinstance(found, dict) or not found["groups"]:
        return
    done = {
        "group": "kept on one side of the split",
        "thin": "thinned to one of each group",
        "keep": f"kept as they are, {found['groups_across_splits']:,} groups on both sides of the "
        "split",
    }[found["treatment"]]
    names = found["groups_of_several_identities"]
    also = f" Groups under several names: {names:,}; the card names them." if names else ""
    _console().print(
        f"Near duplicates: {found['pictures']:,} in {found['groups']:,} groups, {done}.{also}",
        markup=False,
        soft_wrap=True,
    )


def _print_notes(card: dict[str, Any]) -> None:
    """What was used beside the pictures, what was not, and what the labels became."""

    def say(text: str) -> None:
        _console().print(printable(text), markup=False, soft_wrap=True)

    if "layout" not in card:  # drawn, not imported
        return
    say(f"Layout: {card['layout']}. Split: {card['split']}.")
    side_files = card.get("side_files", {})
    for key, said in (("used", "Used"), ("not_used", "Not used")):
        found = side_files.get(key, {})
        for name, what in list(found.items())[:_MOST_LINES]:
            say(f"{said}: {name}: {what}")
        if len(found) > _MOST_LINES:
            say(f"{said}: {len(found) - _MOST_LINES} more; the card names them.")
    labels = card.get("labels", {})
    if labels:
        kept = card["counts"]["kept"]
        say(
            f"Labels from {labels['source']}: {labels['matched']:,} of {kept:,} pictures have a "
            f"row; {labels['unused_rows']:,} rows fit no picture."
        )
        if loosely := labels.get("matched_by_another_ending_or_place"):
            say(f"{loosely:,} rows name their picture with another ending or place.")
        for line in labels.get("read_as", [])[:_MOST_LINES]:
            say(f"  {line}")
        if (more := len(labels.get("read_as", [])) - _MOST_LINES) > 0:
            say(f"  and {more} more")
        for name, why in list(labels.get("columns_not_used", {}).items())[:_MOST_LINES]:
            say(f"  {name} is not used: {why}")
        for line in labels.get("notes", []):
            say(line)
    for line in card.get("notes", []):
        say(line)
    grey = card.get("conversions", {}).get("grey repeated as colour", 0)
    if 2 * grey > card["counts"]["kept"]:
        share = grey / card["counts"]["kept"]
        say(
            f"{share:.0%} of the pictures are grey. Imported as grey, they have one channel in the "
            "place of three."
        )


def _print_card(dataset: Dataset) -> None:
    """Everything in the card: plain values first, then each table."""
    card = dataset.card
    tables = ("dropped", "conversions", "labels", "label_names", "counts", "generated")
    told = (*tables, "side_files", "notes")
    plain = _pairs()
    for key, value in card.items():
        if key not in told:
            plain.add_row(_text(key.replace("_", " ")), _text(value))
    for key, value in card["counts"].items():
        plain.add_row(_text(key.replace("_", " ")), _text(value))
    for key in ("generated", "side_files"):
        for name, value in _leaves(key.replace("_", " "), card.get(key, {})):
            plain.add_row(_text(name), _text(value))
    notes = card.get("notes")
    for note in notes if isinstance(notes, list) else []:
        plain.add_row(_text("note"), _text(note))
    console = _console()
    console.print(plain)
    for key, title in (("dropped", "left out"), ("conversions", "converted")):
        if counts := _counts(card, key):
            console.print(_counts_table(title, counts))
    if dataset.label_names:
        labels = card.get("labels")
        _print_labels(console, labels if isinstance(labels, dict) else {})


def _counts(card: dict[str, Any], key: str) -> dict[str, int]:
    """A table of counts in the card, which others may have written: what is none is left out."""
    found = card.get(key)
    table = found if isinstance(found, dict) else {}
    return {name: n for name, n in table.items() if type(n) is int}


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
            for name, each in _leaves(f"labels: {key.replace('_', ' ')}", value):
                about.add_row(_text(name), _text(each))
    console.print(about)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("label")
    keys = ("mean", "lowest", "highest", "missing")
    for key in keys:
        table.add_column(key, justify="right")
    columns = labels.get("columns")
    for column in columns if isinstance(columns, list) else []:
        if not isinstance(column, dict):
            continue
        cells = [
            f"{value:.4g}" if isinstance(value := column.get(key), int | float) else ""
            for key in keys[:-1]
        ]
        table.add_row(_text(column.get("name", "")), *cells, _text(column.get("missing", "")))
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


def _text(value: Any) -> Text:
    """A value of the card as one cell: neither markup, nor anything that a terminal obeys."""
    if isinstance(value, int) and not isinstance(value, bool):
        said = f"{value:,}" if abs(value) < 10**18 else "a number beyond measure"
    elif isinstance(value, list):
        said = ", ".join(str(item) for item in value)
    elif isinstance(value, dict):
        said = ", ".join(f"{key} {item}" for key, item in value.items())
    else:
        said = str(value)
    return Text(printable(said))


def _console() -> Console:
    return Console(highlight=False)
