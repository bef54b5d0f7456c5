"""Directions on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facegan.editing.directions import Directions

# Column → its title; ° marks the steepest directions.
_TITLES = {
    "direction": "direction",
    "explained": "R²",
    "gain": "gain",
    "leakage": "leak",
    "most": "most",
    "into": "into",
    "identity": "id",
    "plain_leakage": "leak°",
    "plain_identity": "id°",
}
_TEXTS = ("direction", "into")


def print_directions(directions: Directions) -> None:
    """What each direction gains and leaks, and under it what the numbers mean."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name, title in _TITLES.items():
        right = name not in _TEXTS
        table.add_column(title, no_wrap=True, justify="right" if right else "left")
    for row in directions.rows():
        cells = [row[name] for name in _TITLES]
        table.add_row(*(Text(c) if isinstance(c, str) else f"{c:.2f}" for c in cells))
    console = Console(highlight=False)
    console.print(table)
    found = directions.found
    text = (
        f"\nFound on {found.faces:,} faces and tested on {found.measured} others, moved by "
        f"{found.step:g} both ways. R²: how much of the attribute a linear model of the latent "
        "explains. Gain: change of the attribute for a step of 1, in standard deviations. Leak: "
        "change of all other attributes per gain (root mean square); most: the largest, and which. "
        f"Id: change of identity ({found.identity}), where two of the generator's faces are 1 "
        "apart. °: the same for the steepest direction, which ignores all other attributes."
    )
    console.print(text, markup=False, soft_wrap=True)
    if found.weak:
        console.print(
            f"Not found, because these faces hardly vary in it: {', '.join(found.weak)}.",
            markup=False,
            soft_wrap=True,
        )
