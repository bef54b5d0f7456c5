"""Who would lead if the study had ended earlier: from the curves of the same trials.

A method that learns fast leads after a minute, another after an hour. The curve of each trial
says what its FD was on the way, in the feature space and at the n of the plan's curve. Between
two points log FD is taken to change in a straight line. A rate that falls towards the end of the
whole budget has not fallen yet in the middle of it: a trial that was planned for the shorter
budget could be better there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.budget import parse_budget
from facegan.study.claims import Axis, FasterTo
from facegan.study.contrasts import FEWEST_METHODS, Prior, between_groups
from facegan.study.outcomes import FAILED, Reached
from facegan.study.results import CurvePoint, StudyResults, TrialResult
from facegan.study.statistics import CONFIDENCE, holm, standard_error, student_quantile
from facegan.study.verdicts import Judged, judge


@dataclass(frozen=True)
class Standing:
    """One method at one budget.

    Attributes:
        method: its name.
        fd: geometric mean over seeds.
        interval: of that mean, 95 %, from Student's t; None for one seed.
        seeds: how many trials had a curve that far.
        behind: how many times the leader's FD it is, then the ends of the 95 % interval; None
            where nothing can be computed.
        tied: whether the leader cannot be told from it, at the plan's level and corrected for
            all pairs of methods, for the leader is whoever happens to come first.
    """

    method: str
    fd: float
    interval: tuple[float, float] | None
    seeds: int
    behind: tuple[float, float, float] | None
    tied: bool


@dataclass(frozen=True)
class AtBudget:
    """All methods at one budget, the least FD first.

    Attributes:
        budget: how much was spent, in kimg or machine-seconds.
        standings: of all methods whose curves go that far and begin before.
        judged: verdicts on the claims about FD, as they would have been.
    """

    budget: float
    standings: tuple[Standing, ...]
    judged: tuple[Judged, ...]

    @property
    def leader(self) -> Standing:
        """The one with the least FD."""
        return self.standings[0]


def axis_of(results: StudyResults) -> Axis:
    """What the study's budget is counted in."""
    return "seconds" if parse_budget(results.plan.budget).seconds is not None else "kimg"


def at_budgets(results: StudyResults, dataset: str) -> tuple[AtBudget, ...]:
    """Standings at equal steps up to the budget that every trial reached; empty without curves.

    Args:
        results: of the trials so far.
        dataset: its name in the plan.
    """
    axis = axis_of(results)
    ended = [
        trial.curve[-1]
        for trial in results.results
        if trial.key.dataset == dataset and trial.curve and trial.status == "finished"
    ]
    if not ended:
        return ()
    whole, steps = min(point.cost(axis) for point in ended), results.plan.measure.curve
    found = [_at(results, dataset, axis, whole * step / steps) for step in range(1, steps + 1)]
    return tuple(each for each in found if len(each.standings) > 1)


def fd_at(curve: Sequence[CurvePoint], budget: float, axis: Axis) -> float | None:
    """FD when so much was spent; None before the curve's first point or after its last."""
    before: tuple[float, float] | None = None
    for point in curve:
        spent, fd = point.cost(axis), max(point.fd, 1e-9)
        # The last point is reached, whatever rounding makes of it.
        if math.isclose(spent, budget, rel_tol=1e-6):
            return fd
        if spent > budget:
            if before is None:
                return None
            way = (budget - before[0]) / (spent - before[0])
            return math.exp((1 - way) * math.log(before[1]) + way * math.log(fd))
        before = spent, fd
    return None


def _at(results: StudyResults, dataset: str, axis: Axis, budget: float) -> AtBudget:
    logs: dict[str, list[float]] = {}
    for name in results.plan.all_methods():
        trials = [t for t in results.of(dataset, name).values() if t.status == "finished"]
        fds = [fd_at(trial.curve, budget, axis) for trial in trials]
        if trials and all(fd is not None for fd in fds):
            logs[name] = [math.log(fd) for fd in fds if fd is not None]
    order = sorted(logs, key=lambda name: _mean(logs[name]))
    return AtBudget(
        budget, _standings(results, logs, order), _judged(results, dataset, axis, budget)
    )


def _standings(
    results: StudyResults, logs: dict[str, list[float]], order: list[str]
) -> tuple[Standing, ...]:
    if not order:
        return ()
    first, *others = order
    gains = {name: [-log for log in values] for name, values in logs.items()}
    enough = len(gains) >= FEWEST_METHODS and results.plan.judging.test == "auto"
    shared = Prior.of(gains.values()) if enough else None
    contrasts = [between_groups(gains[first], gains[name], shared) for name in others]
    behind = [None if each is None else each.interval for each in contrasts]
    # The leader is whoever happens to come first: any two methods might have been compared.
    pairs = [None] * (len(order) * len(others) - len(others))
    p = holm([*(None if each is None else each.above(0.0) for each in contrasts), *pairs])
    found = [_standing(first, logs[first], None, True)]
    for name, interval, adjusted in zip(others, behind, p[: len(others)], strict=True):
        ratio = None
        if interval is not None:
            value, low, high = (math.exp(min(max(x, -700.0), 700.0)) for x in interval)
            ratio = value, low, high
        tied = adjusted is None or adjusted > results.plan.alpha
        found.append(_standing(name, logs[name], ratio, tied))
    return tuple(found)


def _standing(
    name: str, logs: list[float], behind: tuple[float, float, float] | None, tied: bool
) -> Standing:
    mean, error = _mean(logs), standard_error(logs)
    interval = None
    if error is not None:
        reach = student_quantile((1 + CONFIDENCE) / 2, len(logs) - 1) * error
        interval = math.exp(mean - reach), math.exp(min(mean + reach, 700.0))
    return Standing(name, math.exp(mean), interval, len(logs), behind, tied)


def _mean(logs: list[float]) -> float:
    return math.fsum(logs) / len(logs)


def _judged(results: StudyResults, dataset: str, axis: Axis, budget: float) -> tuple[Judged, ...]:
    """The claims about FD, by what the curves say at a budget."""

    def reach(trial: TrialResult, test: object) -> Reached | None:
        if trial.status == "failed":
            return FAILED
        fd = fd_at(trial.curve, budget, axis)
        return None if fd is None else Reached(fd, fd)

    claims = [
        claim
        for claim in results.plan.claims
        if not isinstance(test := claim.parsed, FasterTo) and test.metric == "fd"
    ]
    plan = results.plan.model_copy(update={"claims": tuple(claims)})
    found = judge(results.model_copy(update={"plan": plan}), reach)
    return tuple(one for one in found if one.dataset == dataset)
