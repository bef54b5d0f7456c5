"""Which pictures of a dataset fulfil a condition, such as `sharpness<200` or `yaw>30`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError, nearest, one_line

_FORM = re.compile(r"\s*([^\s<>=!]+(?: [^\s<>=!]+)*)\s*(<=|>=|==|!=|<|>|=)\s*(\S+)\s*")
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}

Columns = Mapping[str, npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Condition:
    """A comparison of a column with a number.

    Attributes:
        column: its name.
        comparison: one of < <= > >= = == !=.
        value: the number.
    """

    column: str
    comparison: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read `column<number`.

        Raises:
            DataError: it has another form.
        """
        match = _FORM.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            return cls(match[1], match[2], float(match[3]))
        except ValueError:
            raise DataError(
                f"{one_line(text, 80)!r} is not a condition.",
                "A condition is a column, a comparison (<, <=, >, >=, =, !=) and a number, such as "
                "'sharpness<200'.",
            ) from None

    def check(self, columns: Iterable[str]) -> None:
        """Raise DataError if there is no such column."""
        names = list(columns)
        if self.column not in names:
            raise DataError(
                f"There is no column {one_line(self.column, 80)!r}.", nearest(self.column, names)
            )

    def holds(self, columns: Columns) -> npt.NDArray[np.bool_]:
        """Where it holds: bool [N]. Nothing is said of a missing value: there it does not hold.

        Raises:
            DataError: there is no such column.
        """
        self.check(columns)
        values = columns[self.column]
        fine: npt.NDArray[np.bool_] = _COMPARISONS[self.comparison](values, self.value)
        return fine & ~np.isnan(values)

    def __str__(self) -> str:
        return f"{self.column}{self.comparison}{self.value:g}"


def chosen(
    columns: Columns, count: int, drop: Sequence[str] = (), keep: Sequence[str] = ()
) -> npt.NDArray[np.bool_]:
    """Which of `count` pictures stay: bool [count].

    Args:
        columns: numbers of each picture, by name.
        count: how many pictures there are.
        drop: conditions; a picture goes where any of them holds.
        keep: conditions; a picture stays where all of them hold.

    Raises:
        DataError: a condition cannot be read, or names a column that is not there.
    """
    stays = np.ones(count, np.bool_)
    for text in drop:
        stays &= ~Condition.parse(text).holds(columns)
    for text in keep:
        stays &= Condition.parse(text).holds(columns)
    return stays
