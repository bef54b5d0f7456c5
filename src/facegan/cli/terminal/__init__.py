"""What a person sees on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Wider than any table.
_WIDEST = 1000


def print_table(console: Console, table: Table) -> None:
    """Print a table with no cell cut: a terminal that is narrower breaks its lines instead."""
    before = console.width
    widest = console.options.update(width=_WIDEST)
    console.width = max(before, console.measure(table, options=widest).maximum)
    console.print(table, crop=False)
    console.width = before
