"""A table as pages and papers show it, whatever is in it; `macros.html` and `study.tex` draw it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from facegan.evaluation.wording import NO_RATIO, Formatted
from facegan.report.bars import Bar


@dataclass(frozen=True)
class Column:
    """What is in a column.

    Attributes:
        name: in code, as tests and scripts find it.
        title: in words.
        wanted: `less` or `more`, where one is better.
        note: another line of its head.
        style: CSS class of its cells.
    """

    name: str
    title: str
    wanted: str = ""
    note: str = ""
    style: str = ""


@dataclass(frozen=True)
class Cell:
    """A value.

    Attributes:
        told: with its interval.
        beside: a line below it, such as the ratio to its floor.
        leads: whether it is the best of its column, or its interval reaches that of the best.
        bar: the same as a drawing.
        parts: (title, value) of what it is made of, such as the seeds.
    """

    formatted: Formatted
    beside: str = ""
    leads: bool = False
    bar: Bar | None = None
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show in it."""
        return not (self.formatted.value or self.bar or self.parts)


@dataclass(frozen=True)
class Row:
    """A method, a run, a score; or the floor of those below it.

    Attributes:
        name: in words.
        cells: one for each column; None where there is no such value.
        key: CSS classes of its colour and dash.
        note: below its name.
        floor: whether it is what real pictures score.
        code: its name in code; its name in words where that is empty.
    """

    name: str
    cells: list[Cell | None]
    key: str = ""
    note: str = ""
    floor: bool = False
    code: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    Attributes:
        name: in code.
        corner: above the names of the rows.
        columns: at least one.
        rows: in order.
        style: CSS classes.
    """

    name: str
    corner: str
    columns: list[Column]
    rows: list[Row]
    style: str


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str] = ()) -> str:
    """Rows as CSV: numbers in full, None as an empty field.

    Args:
        rows: by column.
        columns: in their order; that in which rows first name them by default.
    """
    found = list(rows)
    names = columns or list(dict.fromkeys(name for row in found for name in row))
    target = io.StringIO()
    writer = csv.DictWriter(target, names, restval="", lineterminator="\n")
    writer.writeheader()
    for row in found:
        writer.writerow({k: repr(v) if isinstance(v, float) else v for k, v in row.items()})
    return target.getvalue()


def ratio_below(ratio: str) -> str:
    """A ratio as the line below a value: nothing where it says nothing."""
    return "" if ratio == NO_RATIO else ratio


def texts(values: Sequence[str]) -> list[Cell | None]:
    """Cells of words."""
    return [Cell(Formatted(value)) for value in values]
