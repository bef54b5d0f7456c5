"""Differences between methods in words: `1.8 × worse`, never −80 %."""

from __future__ import annotations

import math

from facegan.evaluation.results import LESS_IS_BETTER, SCORE_TITLES
from facegan.evaluation.wording import brief, fixed, unit
from facegan.study.claims import FasterTo, Test
from facegan.study.outcomes import Scale

# Factors beyond this are not told apart.
_FAR = 1000.0


def subject(test: Test) -> str:
    """What is compared, at the beginning of a sentence."""
    if isinstance(test, FasterTo):
        return f"Time to FD {test.fd:g}"
    title = SCORE_TITLES[test.metric]
    title = title[0].upper() + title[1:]
    return f"{title} × 10³" if unit(test.metric) == 1000 else title


def step(test: Test, other: float, method: float) -> str:
    """`108 → 60`: from what the method is compared with to the method."""
    if isinstance(test, FasterTo):
        what = "machine-seconds" if test.axis == "seconds" else "kimg"
        return f"{brief(other)} → {brief(method)} {what}"
    factor = unit(test.metric)
    return f"{brief(factor * other)} → {brief(factor * method)}"


def change(test: Test, scale: Scale, difference: float) -> str:
    """How much better or worse a difference on a scale is.

    `1.8 × better` for distances and times, `0.031 higher` for shares of pictures, and
    `90 % better` where a distance is near 0 and has no ratio.
    """
    if scale.kind == "log":
        better, worse = ("sooner", "later") if isinstance(test, FasterTo) else ("better", "worse")
        return f"{factor(difference)} {worse if difference < 0 else better}"
    if scale.kind == "share":
        word = "better" if difference >= 0 else "worse"
        return f"{fixed(100 * abs(difference), 0)} % {word}"
    assert not isinstance(test, FasterTo)
    words = ("lower", "higher") if test.metric in LESS_IS_BETTER else ("higher", "lower")
    return f"{fixed(abs(difference), 3)} {words[difference < 0]}"


def between(test: Test, scale: Scale, low: float, high: float) -> str:
    """The two ends of an interval: `1.4 to 2.3 × better`, `1.1 × worse to 1.3 × better`."""
    ends = sorted((low, high), key=abs if low * high > 0 else None)
    one, two = (change(test, scale, end) for end in ends)
    number, _, words = one.partition(" ")
    return f"{number if two.endswith(words) and low * high > 0 else one} to {two}"


def factor(difference: float) -> str:
    """`1.82 ×`: a difference of logarithms as a ratio of at least 1."""
    size = abs(difference)
    if size > math.log(_FAR):
        return f"over {fixed(_FAR, 0)} ×"
    ratio = math.exp(size)
    decimals = 3 if ratio < 1.0995 else 2 if ratio < 9.995 else 1 if ratio < 99.95 else 0
    return f"{fixed(ratio, decimals)} ×"


def probability(p: float) -> str:
    """With two digits that count."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
