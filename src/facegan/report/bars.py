"""Numbers and their interval as marks on one line: places in percent of its length."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Where values differ by more than this factor, a line is logarithmic.
_FAR_APART = 10.0


@dataclass(frozen=True)
class Scale:
    """A line from `begin` to `end`; these are logarithms where it is logarithmic."""

    begin: float
    end: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float]) -> Scale:
        """With room for all values: from zero, or logarithmic where they lie far apart."""
        if not values:
            return cls(0.0, 1.0)
        low, high = min(values), max(values)
        if low > 0 and high > _FAR_APART * low:
            return cls(math.log(low) - 0.1, math.log(high) + 0.1, True)
        return cls(min(0.0, low), high * 1.03 if high > 0 else 1.0)

    def place(self, value: float) -> float:
        """Where a value lies, in percent of the line; beyond an end, at that end."""
        if self.log:
            value = math.log(value) if value > 0 else self.begin
        share = (value - self.begin) / (self.end - self.begin)
        return round(100 * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True)
class Bar:
    """What is drawn on the line.

    Attributes:
        range: (where the interval begins, its width); None where there is none.
        lines: (CSS class, where) of upright lines: a floor, a median, zero, a margin.
        dots: where values lie.
        cut: (CSS class) of each end at which the interval reaches further.
        labels: (CSS class, where, text) below the line; where is None at its ends.
    """

    range: tuple[float, float] | None
    lines: list[tuple[str, float]]
    dots: list[float]
    cut: tuple[str, ...] = ()
    labels: tuple[tuple[str, float | None, str], ...] = ()


def bar(
    scale: Scale,
    dots: Iterable[float],
    interval: tuple[float, float] | None,
    labels: tuple[tuple[str, float | None, str], ...] = (),
    **lines: float | None,
) -> Bar:
    """Draw values, an interval, and lines by the name of their CSS class; None is left out."""
    span, cut = None, []
    if interval is not None:
        low, high = map(scale.place, interval)
        span = low, round(high - low, 2)
        if not scale.log:
            cut += ["cut-low"] if interval[0] < scale.begin else []
            cut += ["cut-high"] if interval[1] > scale.end else []
    upright = [(name, scale.place(x)) for name, x in lines.items() if x is not None]
    return Bar(span, upright, [scale.place(x) for x in dots], tuple(cut), labels)
