"""Directions on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facegan.editing.directions import Directions

# Of an option, as a person types it.
_TITLES = {
    "direction": "direction",
    "explained": "R²",
    "gain": "gain",
    "leakage": "leakage",
    "most": "most",
    "into": "into",
    "identity": "identity",
    "plain_leakage": "leakage",
    "plain_identity": "identity",
}
_TEXTS = ("direction", "into")


def print_directions(directions: Directions) -> None:
    """What each direction gains and leaks, and under it what the numbers mean."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, title in _TITLES.items():
        steepest = "\n(steepest)" if name.startswith("plain") else ""
        justify = "left" if name in _TEXTS else "right"
        table.add_column(title + steepest, no_wrap=True, justify=justify)  # type: ignore[arg-type]
    for row in directions.rows():
        cells = [row[name] for name in _TITLES]
        table.add_row(*(Text(c) if isinstance(c, str) else f"{c:.2f}" for c in cells))
    console = Console(highlight=False)
    console.print(table)
    found = directions.found
    text = (
        f"\nFound on {found.faces:,} faces, measured on {found.measured} others, moved by "
        f"{found.step:g} both ways. Gain: standard deviations of its own reading for a step of 1. "
        "Leakage: of all other readings, for 1 of gain: root mean square, and the most. R²: what a "
        "straight line in the latent explains of the reading. Identity: how far a face is from "
        f"itself before ({found.identity}), where two of the generator's faces are 1 apart. "
        "Steepest: the same for directions that regard their own reading alone."
    )
    console.print(text, markup=False, soft_wrap=True)
    if found.weak:
        console.print(
            f"Not found, for these faces hardly vary in it: {', '.join(found.weak)}.",
            markup=False,
            soft_wrap=True,
        )
