"""Numbers and settings in the words of a page."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from facegan.evaluation.results import Estimate

_MOST_DECIMALS = 6
# In the place of a ratio to what cannot be told from zero.
NO_RATIO = "–"


@dataclass(frozen=True)
class Formatted:
    """A number and what surrounds it, ready to print.

    Attributes:
        value: the number.
        between: its interval, or an empty string.
    """

    value: str
    between: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.between})" if self.between else self.value


def formatted(estimate: Estimate, percent: bool = False) -> Formatted:
    """An estimate with as many decimals as its interval makes sense of.

    Args:
        estimate: the number and its interval.
        percent: whether a share in [0, 1] is written in percent.
    """
    scale = 100 if percent else 1
    value, low, high = (scale * x for x in (estimate.value, estimate.low, estimate.high))
    half = (high - low) / 2
    # The last digit is at most a third of the interval's half.
    decimals = math.ceil(-math.log10(half / 3)) if half > 0 else _significant(value)
    decimals = min(max(decimals, 0), _MOST_DECIMALS)
    unit = " %" if percent else ""
    low_text, high_text = fixed(low, decimals), fixed(high, decimals)
    return Formatted(f"{fixed(value, decimals)}{unit}", f"{low_text} – {high_text}")


def plain(value: float) -> str:
    """A number without an interval, to four digits."""
    return fixed(value, min(max(_significant(value), 0), _MOST_DECIMALS))


def _significant(value: float) -> int:
    """Decimals that leave four digits."""
    return 3 - math.floor(math.log10(abs(value))) if value else 1


def fixed(value: float, decimals: int) -> str:
    """`1,234.5`, with a true minus sign and never `−0`."""
    rounded = round(value, decimals) + 0.0
    return f"{rounded:,.{decimals}f}".replace("-", "−")


def ratio(value: float | None) -> str:
    """`13.3 ×`; a dash where there is none."""
    if value is None:
        return NO_RATIO
    return f"{fixed(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)} ×"


def kimg(images: int) -> str:
    """Thousands of images, exactly, without idle zeros."""
    return f"{images / 1000:.15g}"


def duration(seconds: float) -> str:
    """`45 s`, `3 min 2 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, part = divmod(minutes, 60)
    return f"{hours} h {part} min" if hours else f"{minutes} min {rest} s"


def listed(items: Iterable[str], link: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, last = list(items) or [""]
    return f"{', '.join(before)} {link} {last}" if before else last


def settings(values: dict[str, Any]) -> str:
    """`adam, lr 0.0002, betas 0.5 0.999`: a table of a recipe in reading order."""
    words = [str(values["kind"])] if "kind" in values else []
    for key, value in values.items():
        if key == "kind" or value is None:
            continue
        if isinstance(value, dict):
            text = f"({settings(value)})"
        elif isinstance(value, list):
            text = " ".join(map(str, value))
        else:
            text = str(value)
        words.append(f"{key.replace('_', ' ')} {text}")
    return ", ".join(words)
