"""What was found in a dataset, on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facegan.data.dataset import Dataset
from facegan.data.doctor import Examination
from facegan.errors import printable

_NAMED = 3


def print_examination(dataset: Dataset, found: Examination, page: Path) -> None:
    """A line for each finding, what else there is, and where the page is."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("problem")
    table.add_column("images", justify="right")
    table.add_column("share", justify="right")
    table.add_column("option to leave them out")
    for each in found.findings:
        count = len(each.rows)
        drop = " ".join(f"--drop '{condition}'" for condition in each.drop) if count else ""
        share = f"{each.share:.1%}" if count else "-"
        table.add_row(Text(each.title), f"{count:,}", share, Text(drop))
    copies = found.duplicates.pictures
    table.add_row(
        Text("Near duplicates"),
        f"{copies:,}",
        f"{copies / len(dataset):.1%}" if copies else "-",
        Text("--duplicates thin" if copies else ""),
    )
    console.print(table)
    lines = []
    if found.across:
        lines.append(
            f"Groups of near duplicates on both sides of the split: {len(found.across):,}; "
            f"images that --duplicates group moves: {found.moved:,}."
        )
    if found.several:
        names = "; ".join(
            " = ".join(sorted({dataset.identities[row] for row in group}))
            for group in found.several[:_NAMED]
        )
        more = f" and {len(found.several) - _NAMED} more" if len(found.several) > _NAMED else ""
        lines.append(f"Under several names: {names}{more}.")
    if found.alike:
        pairs = "; ".join(
            f"{dataset.identities[each.first]} = {dataset.identities[each.second]}"
            for each in found.alike[:_NAMED]
        )
        more = f" and {len(found.alike) - _NAMED} more" if len(found.alike) > _NAMED else ""
        lines.append(f"Possibly one person: {pairs}{more}.")
    if found.both_sides:
        lines.append(f"{len(found.both_sides):,} identities are on both sides of the split.")
    for name, count in found.frequent[:_NAMED]:
        lines.append(f"{name} has {count:,} images, {count / len(dataset):.1%} of all.")
    if found.labels:
        names = ", ".join(label.name for label in found.labels[:8])
        more = f" and {len(found.labels) - 8} more" if len(found.labels) > 8 else ""
        lines.append(f"Labels that are rare, constant or missing: {names}{more}.")
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=True)
    console.print(
        Text(printable(f"To leave images out: facegan data filter {dataset.path} OUT --drop …")),
        soft_wrap=True,
    )
    console.print(Text(printable(f"Page: {page}")), soft_wrap=True)


def print_filtered(made: Dataset) -> None:
    """Print how many pictures are left."""
    counts, left_out = made.card["counts"], made.card["filtered"]["left_out"]
    said = (
        f"{made.path}: {counts['kept']:,} images, {counts['train']:,} for training, "
        f"{counts['holdout']:,} held out; {left_out:,} left out."
    )
    Console(highlight=False).print(Text(printable(said)), soft_wrap=True)
