"""What each method reached in each score: all seeds, median, interval, failures."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import get_args

from facegan.evaluation.results import LESS_IS_BETTER, ScoreName
from facegan.study.results import StudyResults
from facegan.study.statistics import median_interval

# The greatest value that a score can have; those that are shares of pictures have one.
_MOST: dict[ScoreName, float] = {"precision": 1.0, "recall": 1.0, "coverage": 1.0}


@dataclass(frozen=True)
class Summary:
    """One score of one method on one dataset, over the seeds of the plan.

    Attributes:
        dataset: its name in the plan.
        method: its name in the plan.
        metric: the score.
        values: of each seed whose trial has ended, in the plan's order; None where the trial
            failed or has no such score.
        median: of the values there are; None where there are none.
        interval: 95 %, of the median over seeds; None for fewer than two values. Distances
            above 0 have it on the log scale. See `facegan.study.statistics.median_interval`.
        failed: trials that failed. They have no part in the median.
        waiting: trials that have not ended.
    """

    dataset: str
    method: str
    metric: ScoreName
    values: tuple[tuple[int, float | None], ...]
    median: float | None
    interval: tuple[float, float] | None
    failed: int
    waiting: int


def summarise(results: StudyResults) -> tuple[Summary, ...]:
    """Summarise every dataset × method × score, in the plan's order.

    Scores that no trial of the study has are left out.
    """
    metrics = [
        name
        for name in get_args(ScoreName)
        if any(trial.score(name) is not None for trial in results.results)
    ]
    return tuple(
        _summary(results, dataset, method, metric)
        for dataset in results.plan.datasets
        for method in results.plan.all_methods()
        for metric in metrics
    )


def _summary(results: StudyResults, dataset: str, method: str, metric: ScoreName) -> Summary:
    trials = results.of(dataset, method)
    seeds = [seed for seed in results.plan.seeds_of(method) if seed in trials]
    # A trial that failed has no score that counts, whatever it measured before.
    values = [
        (seed, trials[seed].score(metric) if trials[seed].status == "finished" else None)
        for seed in seeds
    ]
    found = [value for _, value in values if value is not None]
    return Summary(
        dataset=dataset,
        method=method,
        metric=metric,
        values=tuple(values),
        median=statistics.median(found) if found else None,
        interval=_interval(found, metric),
        failed=sum(trials[seed].status == "failed" for seed in seeds),
        waiting=len(results.plan.seeds_of(method)) - len(seeds),
    )


def _interval(values: list[float], metric: ScoreName) -> tuple[float, float] | None:
    if metric in LESS_IS_BETTER:
        return median_interval(values, log=all(value > 0 for value in values))
    found = median_interval(values)
    if found is None:
        return None
    return max(found[0], 0.0), min(found[1], _MOST.get(metric, found[1]))
