"""When a curve reaches an FD, and what a time is worth that is known within bounds alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from synthetic import only

from facegan.study.contrasts import between_groups, gains
from facegan.study.outcomes import FAILED, Reached, Scale, time_to
from facegan.study.results import CurvePoint

FAST = [(1.0, 90.0), (2.0, 40.0), (3.0, 30.0)]
SLOW = [(1.0, 90.0), (2.0, 80.0), (3.0, 60.0)]


def curve(*points: tuple[float, float]) -> list[CurvePoint]:
    return [
        CurvePoint(images=round(1000 * kimg), seconds=2 * kimg, fd=fd, low=fd, high=fd)
        for kimg, fd in points
    ]


def test_when_a_curve_reaches_an_fd() -> None:
    # Half of the way in log FD from 90 to 40 is 60.
    assert time_to(curve(*FAST), 60.0, "kimg") == Reached(1.5, pytest.approx(1.5))
    assert time_to(curve(*FAST), 60.0, "seconds").value == pytest.approx(3.0)
    assert time_to(curve(*FAST), 40.0, "kimg").value == pytest.approx(2.0)
    # It counts that it was reached, not that it was left again.
    assert time_to(curve((1, 90), (2, 40), (3, 95)), 60.0, "kimg").value == pytest.approx(1.5)
    assert time_to(curve(*SLOW), 50.0, "kimg") == Reached(3.0, math.inf)
    assert time_to(curve(*SLOW), 50.0, "kimg").value is None
    assert time_to(curve((0, 10), (1, 40)), 50.0, "kimg") == Reached(0.0, 1.0)
    assert time_to([], 50.0, "kimg") is None


def test_a_time_within_bounds_never_overstates() -> None:
    log = Scale("log")
    four, never = Reached(4.0, 4.0), Reached(8.0, math.inf)
    assert log.between(four, never) == pytest.approx(math.log(2))
    assert log.between(never, four) == pytest.approx(-math.log(2))
    # Ended before the other reached it, or reached before its first point: no one knows.
    assert log.between(Reached(9.0, 9.0), never) is None
    assert log.between(four, Reached(0.0, 5.0)) is None
    assert log.between(Reached(0.0, 2.0), four) == pytest.approx(math.log(2))
    assert log.between(never, never) is None
    assert log.between(FAILED, four) is None
    assert [log.wins(*pair) for pair in itertools.product((FAILED, four, never), repeat=2)] == [
        *(0.5, 0.0, 0.5),
        *(1.0, 0.5, 1.0),
        *(0.5, 0.0, 0.5),
    ]


def test_faster_to() -> None:
    other_fast = [[(1.0, fd), *FAST[1:]] for fd in (90.0, 80.0, 70.0)]
    reached = {"a": other_fast, "b": [SLOW, SLOW, SLOW]}
    judged = only("faster_to(a, b, fd=50)", reached)
    assert judged.verdict == "holds"
    assert judged.why.startswith("Time to FD 50 6.00 → 3.33 machine-seconds, 1.80 × sooner (")
    assert "b in 3 (which counts as if right after the last measurement)." in judged.why
    assert [pair.other for pair in judged.pairs] == [None] * 3
    times = [pair.method for pair in judged.pairs]
    # At least so much: the other's times are set to the end of its curve.
    assert judged.improvement[0] == pytest.approx(1 - np.exp(np.mean(np.log(times)) - np.log(6)))
    in_kimg = only("faster_to(a, b, fd=50, axis=kimg)", reached)
    assert [pair.method for pair in in_kimg.pairs] == [time / 2 for time in times]
    assert only("faster_to(b, a, fd=50)", reached).verdict == "evidence against"
    none = only("faster_to(a, b, fd=5)", reached)
    assert (none.verdict, none.probability) == ("not enough evidence", 0.5)


def test_times_within_bounds_alone_are_no_difference() -> None:
    """Reached before the first point by both, or by neither: no one knows which was sooner."""
    early = {"a": [[(1.0, 9.0), (2.0, 8.0)]] * 3, "b": [[(3.0, 9.0), (4.0, 8.0)]] * 3}
    assert only("faster_to(a, b, fd=50)", early).verdict == "not enough evidence"
    late = {"a": [[(1.0, 90.0), (2.0, 80.0)]] * 3, "b": [[(3.0, 90.0), (9.0, 80.0)]] * 3}
    assert only("faster_to(b, a, fd=50)", late).verdict == "not enough evidence"


@pytest.mark.parametrize("ends", [(0.8, 1.2), (0.9, 9.0), (0.1, 1.3), (1e-9, 1e9)])
@pytest.mark.parametrize("n", [3, 5])
def test_times_within_bounds_give_no_false_verdicts(n: int, ends: tuple[float, float]) -> None:
    """Two methods that are the same; times before or after the ends are known by these alone."""
    random = np.random.default_rng(n)
    scale, repeats, false = Scale("log"), 1500, 0
    for _ in range(repeats):
        one, two = (
            {
                seed: Reached(0.0, ends[0])
                if time < ends[0]
                else Reached(ends[1], math.inf)
                if time > ends[1]
                else Reached(time, time)
                for seed, time in enumerate(np.exp(0.3 * random.standard_normal(n)))
            }
            for _ in range(2)
        )
        contrast = between_groups(*gains(scale, one, two)[:2], None, gains(scale, one, two)[2])
        late = [sum(r.value is None for r in side.values()) for side in (one, two)]
        false += contrast is not None and late[0] <= late[1] and contrast.above(0.0) <= 0.05
    assert false / repeats <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / repeats)
