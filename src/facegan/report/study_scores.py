"""The scores of a study: one table for each dataset and feature space."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.evaluation.results import (
    LESS_IS_BETTER,
    SCORE_TITLES,
    Estimate,
    Evaluation,
    Score,
    ScoreName,
)
from facegan.evaluation.wording import NO_RATIO, Formatted, formatted, ratio
from facegan.report.measures import score_title
from facegan.report.study_methods import Shown, brief, scale
from facegan.report.study_strips import Strip, scale_of, strip
from facegan.study.results import StudyResults, TrialResult
from facegan.study.summaries import Summary


@dataclass(frozen=True)
class Cell:
    """The median of a score.

    Attributes:
        told: with its interval.
        leads: whether it is the best, or its interval reaches that of the best.
    """

    formatted: Formatted
    leads: bool


@dataclass(frozen=True)
class Row:
    """A method in a table.

    Attributes:
        method: which.
        seeds: (seed, FD in words) of every trial of the plan, also of those without one.
        strip: the same as a drawing; None where nothing finished.
        cells: a median for each column; None where nothing finished.
        ratio: of the median FD to its floor.
        ended: `2 of 3 seeds`, and how many failed.
        failed: how many trials failed.
    """

    method: Shown
    seeds: list[tuple[int, str]]
    strip: Strip | None
    cells: list[Cell | None]
    ratio: str
    ended: str
    failed: int


@dataclass(frozen=True)
class Table:
    """All methods on one dataset in one feature space, the least median FD first.

    Attributes:
        dataset: its name in the plan.
        space: the extractor's name.
        columns: (title, whether less or more is better) of each score.
        rows: the methods.
        floor: what as many real pictures score, for each column.
        first: the title of the score whose seeds are shown.
        log: whether strips are logarithmic.
        conditions: under which all was measured, in words.
        warning: what was not equal, where something was not.
    """

    dataset: str
    space: str
    columns: list[tuple[str, str]]
    rows: list[Row]
    floor: list[str]
    first: str
    log: bool
    conditions: str
    warning: str


def score_tables(
    results: StudyResults, summaries: Sequence[Summary], methods: dict[str, Shown]
) -> list[Table]:
    """A table for each dataset, of the plan's first feature space.

    Args:
        results: of the trials.
        summaries: over the seeds.
        methods: as the page shows them.
    """
    return [_table(results, dataset, summaries, methods) for dataset in results.plan.datasets]


def _table(
    results: StudyResults, dataset: str, summaries: Sequence[Summary], methods: dict[str, Shown]
) -> Table:
    trials = [result for result in results.results if result.key.dataset == dataset]
    space = results.plan.measure.extractors[0]
    found = {(one.method, one.metric): one for one in summaries if one.dataset == dataset}
    metrics = [
        metric
        for metric in SCORE_TITLES
        if any(trial.score(metric) is not None for trial in trials)
    ]
    floors = {metric: _floor(trials, metric) for metric in metrics}
    leading = {metric: _leading(found, metric) for metric in metrics}
    floor = floors.get("fd") if _has_ratio(trials) else None
    line = scale_of([one for (_, metric), one in found.items() if metric == "fd"], floor)
    rows = []
    for name, shown in methods.items():
        fd = found.get((name, "fd"))
        median = None if fd is None else fd.median
        rows.append(
            Row(
                method=shown,
                seeds=_seeds(results, dataset, name),
                strip=strip(fd, floor, line),
                cells=[
                    _cell(found.get((name, metric)), metric, leading[metric]) for metric in metrics
                ],
                ratio=ratio(median / floor) if floor and median is not None else NO_RATIO,
                ended=_ended(results, dataset, name),
                failed=sum(t.key.method == name and t.status == "failed" for t in trials),
            )
        )
    # Sorting keeps the plan's order among equals and among methods without a score.
    order = {name: one.median for (name, metric), one in found.items() if metric == "fd"}
    rows.sort(key=lambda row: math.inf if (m := order.get(row.method.name)) is None else m)
    conditions, warning = _conditions(trials)
    return Table(
        dataset=dataset,
        space=space,
        columns=[(_title(metric, space), wanted(metric)) for metric in metrics],
        rows=rows,
        floor=["–" if (x := floors[m]) is None else brief(scale(m) * x) for m in metrics],
        first=score_title("fd", space),
        log=line.log,
        conditions=conditions,
        warning=warning,
    )


def wanted(metric: ScoreName) -> str:
    """`less` or `more`: what is better."""
    return "less" if metric in LESS_IS_BETTER else "more"


def _title(metric: ScoreName, space: str) -> str:
    title = score_title(metric, space)
    return f"{title} × 10³" if scale(metric) > 1 else title


def _floor(trials: Sequence[TrialResult], metric: ScoreName) -> float | None:
    known = [value for trial in trials if (value := trial.floor(metric)) is not None]
    return statistics.median(known) if known else None


def _has_ratio(trials: Sequence[TrialResult]) -> bool:
    """Whether the floor of FD can be told from zero."""
    scores = [score for trial in trials if (score := _first_fd(trial)) is not None]
    return bool(scores) and all(score.ratio is not None for score in scores)


def _first_fd(trial: TrialResult) -> Score | None:
    evaluation = trial.evaluation
    return evaluation.features[0].scores.get("fd") if evaluation and evaluation.features else None


def _cell(summary: Summary | None, metric: ScoreName, lead: tuple[float, float]) -> Cell | None:
    if summary is None or summary.median is None:
        return None
    by = scale(metric)
    low, high = summary.interval or (summary.median, summary.median)
    if summary.interval is None:
        text = Formatted(brief(by * summary.median))
    else:
        text = formatted(Estimate(value=by * summary.median, low=by * low, high=by * high))
    return Cell(text, low <= lead[1] and high >= lead[0])


def _leading(found: dict[tuple[str, ScoreName], Summary], metric: ScoreName) -> tuple[float, float]:
    """The interval of the best median, or the median itself where it has none."""
    known = [
        (one.median, one.interval or (one.median, one.median))
        for (_, name), one in found.items()
        if name == metric and one.median is not None
    ]
    if not known:
        return math.inf, -math.inf
    return (min if metric in LESS_IS_BETTER else max)(known)[1]


def _seeds(results: StudyResults, dataset: str, method: str) -> list[tuple[int, str]]:
    ended = results.of(dataset, method)
    said = []
    for seed in results.plan.seeds:
        result = ended.get(seed)
        if result is None:
            said.append((seed, "waiting"))
        elif result.status == "failed" or (fd := result.score("fd")) is None:
            said.append((seed, "failed" if result.status == "failed" else "–"))
        else:
            said.append((seed, brief(fd)))
    return said


def _ended(results: StudyResults, dataset: str, method: str) -> str:
    of, found = len(results.plan.seeds), results.of(dataset, method).values()
    finished = sum(result.status == "finished" for result in found)
    return f"{finished} of {of}"


def _conditions(trials: Sequence[TrialResult]) -> tuple[str, str]:
    """Under which the trials were measured, and what was not equal among them."""
    evaluations = [trial.evaluation for trial in trials if trial.evaluation is not None]
    if not evaluations:
        return "", ""
    different = sorted({key for each in evaluations for key in _differing(evaluations[0], each)})
    warning = f"Not measured alike: {', '.join(different)} differ." if different else ""
    one = evaluations[0]
    split = {"train": "the training split", "holdout": "the holdout", "all": "all"}
    said = (
        f"{one.n_fake:,} generated pictures of each trial beside {one.n_real:,} real ones of "
        f"{one.dataset} ({split[one.reference]}, {one.resolution} × {one.resolution} pixels)."
    )
    return said, warning


_CONDITIONS = {"n_fake": "numbers of generated pictures", "n_real": "numbers of real pictures"}


def _differing(one: Evaluation, other: Evaluation) -> list[str]:
    first, second = one.conditions(), other.conditions()
    found = [_CONDITIONS.get(key, key) for key in first if first[key] != second[key]]
    spaces = [[(s.extractor, s.fingerprint) for s in each.features] for each in (one, other)]
    return found + (["extractors"] if spaces[0] != spaces[1] else [])
