"""The score of every seed of a method, drawn on one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.study.summaries import Summary

# Where values differ by more than this factor, the line is logarithmic.
_FAR_APART = 10.0
_PLACES = 2


@dataclass(frozen=True)
class Scale:
    """A line from `begin` to `end`; these are logarithms where it is logarithmic."""

    begin: float
    end: float
    log: bool

    def place(self, value: float) -> float:
        """Where a value lies, in percent of the line; beyond an end, at that end."""
        if self.log:
            value = math.log(value) if value > 0 else self.begin
        share = (value - self.begin) / (self.end - self.begin)
        return round(100 * min(max(share, 0.0), 1.0), _PLACES)


@dataclass(frozen=True)
class Strip:
    """Values of the seeds on a line, in percent of its length.

    Attributes:
        dots: of the seeds.
        low: where the interval of the median begins; None where there is no interval.
        width: of the interval.
        median: of the seeds.
        floor: of real pictures; None where it has no place.
    """

    dots: list[float]
    low: float | None
    width: float
    median: float
    floor: float | None


def known(summary: Summary) -> list[float]:
    """The values of those seeds that have one."""
    return [value for _, value in summary.values if value is not None]


def scale_of(found: Sequence[Summary], floor: float | None) -> Scale:
    """One scale for all methods of a table, from their values and the floor."""
    values = [value for one in found for value in known(one)]
    values += [] if floor is None else [floor]
    if not values:
        return Scale(0.0, 1.0, False)
    low, high = min(values), max(values)
    if low > 0 and high > _FAR_APART * low:
        return Scale(math.log(low) - 0.1, math.log(high) + 0.1, True)
    return Scale(min(0.0, low), high * 1.03 if high > 0 else 1.0, False)


def strip(summary: Summary | None, floor: float | None, scale: Scale) -> Strip | None:
    """What one method has on the line; None where nothing finished."""
    if summary is None or summary.median is None:
        return None
    low = width = None
    if summary.interval is not None:
        low, high = map(scale.place, summary.interval)
        width = round(high - low, _PLACES)
    return Strip(
        dots=[scale.place(value) for value in known(summary)],
        low=low,
        width=width or 0.0,
        median=scale.place(summary.median),
        floor=None if floor is None else scale.place(floor),
    )
