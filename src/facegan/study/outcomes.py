"""What a trial reached in that which a claim compares, and how much better than another trial."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from facegan.evaluation.results import LESS_IS_BETTER
from facegan.study.claims import Axis, FasterTo, Test
from facegan.study.results import CurvePoint, TrialResult


@dataclass(frozen=True)
class Reached:
    """What one trial reached: a number, or bounds of it.

    A time is known within bounds alone where the curve did not reach the FD (it lies after the
    curve's last point), or had reached it at its first point (it lies before that).

    Attributes:
        least: the number is not below this.
        most: nor above this; infinite where the FD was not reached.
        failed: the trial failed: then the bounds say nothing.
    """

    least: float
    most: float
    failed: bool = False

    @property
    def value(self) -> float | None:
        """The number, at most; None where the trial failed or did not reach the FD."""
        return self.most if math.isfinite(self.most) else None


FAILED = Reached(-math.inf, math.inf, failed=True)


def reached(trial: TrialResult, test: Test) -> Reached | None:
    """What a trial that has ended reached; None where it finished, but was not measured."""
    if trial.status == "failed":
        return FAILED
    if isinstance(test, FasterTo):
        return time_to(trial.curve, test.fd, test.axis)
    score = trial.score(test.metric)
    return None if score is None else Reached(score, score)


def time_to(curve: Iterable[CurvePoint], fd: float, axis: Axis) -> Reached | None:
    """When a curve first reaches an FD, in kimg or machine-seconds.

    Between the last point above the FD and the first at or below it, log FD is taken to fall
    in a straight line. Points at time 0 are left out.

    Returns:
        The time, or bounds of it; None where there is no curve.
    """
    before: tuple[float, float] | None = None
    for point in curve:
        time = point.cost(axis)
        if time <= 0:
            continue
        if point.fd <= fd:
            if before is None:
                return Reached(0.0, time)
            # An FD that is estimated can be 0 or less, and has no logarithm.
            down = max(point.fd, fd * 1e-6)
            way = math.log(before[1] / fd) / math.log(before[1] / down)
            when = before[0] + way * (time - before[0])
            return Reached(when, when)
        before = time, point.fd
    return None if before is None else Reached(before[0], math.inf)


@dataclass(frozen=True)
class Scale:
    """How outcomes are compared: differences on this scale are improvements where positive.

    Attributes:
        kind: `log`: less is better, differences are of logarithms. `share`: less is better,
            differences are shares of `unit`. `plain`: more is better, differences as they are.
        unit: of `share`.
    """

    kind: Literal["log", "share", "plain"]
    unit: float = 1.0

    @property
    def relative(self) -> bool:
        """Whether improvements are shares: 0.2 is a fifth better."""
        return self.kind != "plain"

    def gain(self, number: float) -> float:
        """A number on the scale on which more is better."""
        if self.kind == "plain":
            return number
        if self.kind == "share":
            return -number / self.unit
        return -math.log(number) if number > 0 else math.inf

    def back(self, gain: float) -> float:
        """The number that a gain stands for."""
        if self.kind == "plain":
            return gain
        if self.kind == "share":
            return -gain * self.unit
        return math.exp(min(max(-gain, -700.0), 700.0))

    def improvement(self, difference: float) -> float:
        """A difference on the scale as what is shown: a share, or a difference."""
        if self.kind != "log":
            return difference
        # Two trials far apart have an interval beyond what a number can hold.
        return -math.expm1(min(-difference, 700.0))

    def difference(self, improvement: float) -> float:
        """The way back, for an improvement below 1."""
        return -math.log1p(-improvement) if self.kind == "log" else improvement

    def between(self, method: Reached, other: Reached) -> float | None:
        """How much better one outcome is than another.

        Where one of them is known within bounds, this is the possible difference nearest to
        none: an improvement is never overstated, nor a setback. A trial that did not reach
        the FD counts as if it had right after its curve's last point.

        Returns:
            The difference on this scale; None where a trial failed, or where the bounds do not
            tell which was better.
        """
        if method.failed or other.failed:
            return None
        low = self.gain(method.most) - self.gain(other.least)
        high = self.gain(method.least) - self.gain(other.most)
        if low < high and low <= 0 <= high:
            return None
        return min(max(0.0, low), high)

    def wins(self, method: Reached, other: Reached) -> float:
        """1 where the first is better, 0 where the second is, ½ where neither can be said to be.

        A failed trial loses against one that finished and reached the FD.
        """
        if (method.failed or other.failed) and method.value != other.value:
            return float(other.value is None)
        difference = self.between(method, other)
        return 0.5 if not difference else float(difference > 0)


def scale_for(test: Test, methods: Iterable[Reached], others: Iterable[Reached]) -> Scale | None:
    """The scale on which a test compares, from what the trials of both methods reached.

    Distances and times are compared by their logarithms. KID and FD∞ are estimates that can
    fall to 0 and below: if one of the values has, shares of the median size of the other
    method's values are compared instead. Precision, recall, density and coverage are compared
    as they are.

    Returns:
        The scale; None where shares are of nothing, for the other method's median is 0.
    """
    if isinstance(test, FasterTo):
        return Scale("log")
    if test.metric not in LESS_IS_BETTER:
        return Scale("plain")
    one, two = ([r.most for r in side if not r.failed] for side in (methods, others))
    if all(value > 0 for value in (*one, *two)):
        return Scale("log")
    unit = statistics.median(map(abs, two)) if two else 0.0
    return Scale("share", unit) if unit > 0 else None
