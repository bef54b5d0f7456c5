"""Two methods beside each other: the mean difference of their trials, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from facegan.study.outcomes import Reached, Scale
from facegan.study.shrinkage import moved, prior, welch
from facegan.study.statistics import (
    CONFIDENCE,
    standard_error,
    student_quantile,
    student_tail,
    varies,
)

Kind = Literal["welch", "moderated", "paired"]
Side = tuple[float, float, float]
Sides = tuple[Side, ...]
# With fewer methods a prior is too uncertain: the level of the tests would not be held
# (`benchmarks/study_power.py`).
FEWEST_METHODS = 16


@dataclass(frozen=True)
class Prior:
    """What the spreads of all methods say of that of one (see `facegan.study.shrinkage`).

    Attributes:
        degrees: d₀; infinite where the methods' spreads differ by chance alone.
        variance: s₀².
        most: degrees of freedom of all methods together.
        methods: how many they are.
    """

    degrees: float
    variance: float
    most: float
    methods: int

    @classmethod
    def of(cls, groups: Iterable[Sequence[float]]) -> Prior | None:
        """The prior of the spreads of groups of numbers; None for too few groups."""
        used = [list(group) for group in groups if len(group) > 1]
        if len(used) < 2 or not any(varies(group) for group in used):
            return None
        variances = np.array([np.var(group, ddof=1) for group in used])
        degrees = np.array([len(group) - 1.0 for group in used])
        more, centre = prior(variances, degrees)
        return cls(float(more), float(centre), float(degrees.sum()), len(used))


@dataclass(frozen=True)
class Contrast:
    """How much better one method is than another, on the scale of the comparison.

    Attributes:
        difference: of the means; positive where the first is better.
        error: its standard error, above 0.
        degrees: of freedom of the error.
        kind: of the test.
        sides: (variance, degrees of freedom, number of seeds) of each method, or of the
            differences of pairs.
    """

    difference: float
    error: float
    degrees: float
    kind: Kind
    sides: Sides

    @property
    def interval(self) -> tuple[float, float, float]:
        """The difference, and the lower and the upper end of its 95 % interval."""
        reach = student_quantile((1 + CONFIDENCE) / 2, self.degrees) * self.error
        return self.difference, self.difference - reach, self.difference + reach

    def above(self, bound: float) -> float:
        """p of the null "the difference is at most this"."""
        return student_tail((self.difference - bound) / self.error, self.degrees)

    def below(self, bound: float) -> float:
        """p of the null "the difference is at least this"."""
        return student_tail((bound - self.difference) / self.error, self.degrees)

    def with_more(self, seeds: int) -> Contrast:
        """As it would be with so many more seeds of each method, and spreads as they are."""
        sides = tuple((v, degrees + seeds, n + seeds) for v, degrees, n in self.sides)
        if self.kind == "paired":
            ((variance, degrees, n),) = sides
            return replace(self, error=math.sqrt(variance / n), degrees=degrees, sides=sides)
        return _contrast(self.difference, sides, self.kind)


def _contrast(difference: float, sides: Sides, kind: Kind) -> Contrast:
    one, two = ((np.asarray(v), np.asarray(d), np.asarray(n)) for v, d, n in sides)
    error, degrees = welch(one, two, kind == "moderated")
    return Contrast(difference, float(error), float(degrees), kind, sides)


def between_groups(
    method: Sequence[float], other: Sequence[float], shared: Prior | None, even: bool = False
) -> Contrast | None:
    """Compare two groups of numbers, of which more is better.

    Args:
        method: of the first, at least two.
        other: of the second, at least two.
        shared: the prior of their spreads; None for Welch's test.
        even: whether each group counts as spread at least as far as the other: where numbers
            were known within bounds and moved, their own spread says too little.

    Returns:
        None for fewer than two numbers in a group, or where no spread can be told.
    """
    if min(len(method), len(other)) < 2 or not (varies(method) or varies(other)):
        return None
    variances = np.array([np.var(method, ddof=1), np.var(other, ddof=1)])
    if even:
        variances[:] = variances.max()
    counts = np.array([float(len(method)), float(len(other))])
    degrees = counts - 1
    if shared is not None:
        values = (np.array(x) for x in (shared.degrees, shared.variance, shared.most))
        variances, degrees = moved(variances, degrees, *values)
    sides = tuple(
        (float(v), float(d), float(n)) for v, d, n in zip(variances, degrees, counts, strict=True)
    )
    kind: Kind = "welch" if shared is None else "moderated"
    return _contrast(float(np.mean(method) - np.mean(other)), sides, kind)


def between_pairs(differences: Sequence[float]) -> Contrast | None:
    """The mean of differences between paired trials; None as above."""
    error = standard_error(differences)
    if error is None:
        return None
    n = float(len(differences))
    sides = ((n * error**2, n - 1, n),)
    return Contrast(float(np.mean(differences)), error, n - 1, "paired", sides)


def gains(
    scale: Scale, method: Mapping[int, Reached], other: Mapping[int, Reached]
) -> tuple[list[float], list[float], bool]:
    """The trials of two methods that did not fail as numbers of which more is better.

    A time that is known within bounds counts as what is nearest to the other method's times
    within them. So neither an improvement nor a setback is overstated.

    Returns:
        Those of the method, those of the other, and whether any was known within bounds.
    """
    sides = [[r for r in each.values() if not r.failed] for each in (method, other)]
    centres = [float(np.median([_known(r) for r in side])) if side else 0.0 for side in sides]
    bounded = any(r.least < r.most for side in sides for r in side)
    found = [
        [scale.gain(min(max(centre, r.least), r.most)) for r in side]
        for side, centre in zip(sides, reversed(centres), strict=True)
    ]
    return found[0], found[1], bounded


def _known(reached: Reached) -> float:
    return reached.most if math.isfinite(reached.most) else reached.least
