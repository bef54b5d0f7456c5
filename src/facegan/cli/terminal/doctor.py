"""What a person sees of a machine."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facegan.apps.doctor import Doctor


def print_doctor(found: Doctor) -> None:
    """Four tables: what is here, what is chosen, what is installed besides, what is wrong."""
    console = Console(highlight=False)
    console.print(_table("This machine", [(one.name, one.value) for one in found.machine]))
    chosen = [(one.what, f"{one.chosen}: {one.why}") for one in found.choices]
    console.print(_table("\nDefaults chosen for this machine", chosen))
    extras = [
        (one.extra, f"{'installed' if one.installed else 'missing'}: {one.adds}")
        for one in found.extras
    ]
    console.print(_table("\nExtras (pip install 'facegan[NAME]')", extras))
    for problem in found.problems:
        console.print(f"\nproblem: {problem}", markup=False, soft_wrap=True)


def _table(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        show_header=False,
    )
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return table
