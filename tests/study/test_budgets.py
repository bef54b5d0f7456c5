"""Who leads at which budget, from curves whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import study

from facegan.study.budgets import at_budgets, fd_at
from facegan.study.results import CurvePoint

# (kimg, FD): the first learns fast and stops, the second overtakes it.
FAST = [(1.0, 100.0), (2.0, 60.0), (3.0, 58.0), (4.0, 57.0)]
SLOW = [(1.0, 300.0), (2.0, 120.0), (3.0, 60.0), (4.0, 30.0)]
PLAN = {"budget": "4kimg", "measure": {"curve": 4}}


def noisy(
    curve: list[tuple[float, float]], random: np.random.Generator, seeds: int = 3
) -> list[list[tuple[float, float]]]:
    return [
        [(x, fd * np.exp(0.02 * random.standard_normal())) for x, fd in curve] for _ in range(seeds)
    ]


def points(*pairs: tuple[float, float]) -> list[CurvePoint]:
    return [
        CurvePoint(images=round(1000 * x), seconds=2 * x, fd=fd, low=fd, high=fd) for x, fd in pairs
    ]


def test_between_two_points_log_fd_is_a_straight_line() -> None:
    curve = points((1, 90), (2, 40), (4, 10))
    assert fd_at(curve, 1.5, "kimg") == pytest.approx(60.0)
    assert fd_at(curve, 3.0, "seconds") == pytest.approx(60.0)
    assert fd_at(curve, 3.0, "kimg") == pytest.approx(20.0)
    assert fd_at(curve, 4.0, "kimg") == 10
    # Nothing is made up beyond its ends.
    assert fd_at(curve, 0.5, "kimg") is None
    assert fd_at(curve, 5.0, "kimg") is None
    assert fd_at([], 1.0, "kimg") is None


def test_the_lead_changes_and_so_do_the_verdicts() -> None:
    random = np.random.default_rng(0)
    found = at_budgets(
        study(
            ["better(slow, fast)", "better(slow, fast, metric=recall)"],
            {"fast": noisy(FAST, random), "slow": noisy(SLOW, random)},
            **PLAN,
        ),
        "faces",
    )
    assert [at.budget for at in found] == [1, 2, 3, 4]
    assert [at.leader.method for at in found] == ["fast", "fast", "fast", "slow"]
    assert [at.standings[1].tied for at in found] == [False, False, True, False]
    # Claims about other scores than FD have no curve.
    verdicts = [[one.verdict for one in at.judged] for at in found]
    assert verdicts[0] == verdicts[1] == ["evidence against"]
    assert verdicts[3] == ["holds"]
    second = found[3].standings[1]
    ratio, low, high = second.behind
    assert low < ratio < high
    assert ratio == pytest.approx(second.fd / found[3].leader.fd)
    low, high = second.interval
    assert low < second.fd < high


def test_a_curve_that_begins_late_or_is_not_there_takes_no_part() -> None:
    random = np.random.default_rng(1)
    reached = {"fast": noisy(FAST, random), "slow": noisy(SLOW[2:], random), "none": [50.0] * 3}
    found = at_budgets(study(["better(slow, fast)"], reached, **PLAN), "faces")
    assert [at.budget for at in found] == [3, 4]
    assert all({each.method for each in at.standings} == {"fast", "slow"} for at in found)
    assert at_budgets(study([], {"a": [1.0], "b": [2.0]}), "faces") == ()
    failed = {"fast": noisy(FAST, random), "slow": ["diverged"] * 3}
    assert at_budgets(study(["better(slow, fast)"], failed, **PLAN), "faces") == ()


def test_the_first_of_equal_methods_does_not_lead_too_often() -> None:
    """The leader is whoever happens to come first: a leader at 5 % in at most 5 % of studies."""
    random = np.random.default_rng(2)
    repeats, alone = 100, 0
    for _ in range(repeats):
        reached = {
            name: [[(1.0, float(np.exp(random.normal(4, 0.1))))] for _ in range(3)]
            for name in "abcdef"
        }
        (at,) = at_budgets(study([], reached, budget="1kimg", measure={"curve": 1}), "faces")
        alone += not all(each.tied for each in at.standings)
    assert alone / repeats <= 0.05 + 2 * (0.05 * 0.95 / repeats) ** 0.5
