"""The methods of a study, and their scores as tables: one for each dataset and feature space."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from facegan.errors import FaceganError
from facegan.evaluation.results import (
    LESS_IS_BETTER,
    SCORE_TITLES,
    Estimate,
    Evaluation,
    FeatureScores,
    ScoreName,
)
from facegan.evaluation.wording import (
    Formatted,
    brief,
    conditions,
    formatted,
    in_unit,
    ratio,
    score_title,
    unit,
    wanted,
)
from facegan.report.bars import Scale, bar
from facegan.report.plots import Dash, key, style
from facegan.report.table import Cell, Column, Row, Table, ratio_below, texts
from facegan.study.plan import Method, Plan
from facegan.study.results import StudyResults, TrialResult
from facegan.study.summaries import Summary

_CONDITIONS = {"n_fake": "numbers of generated images", "n_real": "numbers of real images"}


@dataclass(frozen=True)
class Shown:
    """A method as the page calls and colours it.

    Attributes:
        name: in the plan.
        title: in words; an empty string where it has none beside its name.
        colour: 1…8, of its lines.
        dash: of its lines.
        key: the CSS classes of both.
    """

    name: str
    title: str
    colour: int
    dash: Dash
    key: str


def shown_methods(plan: Plan) -> dict[str, Shown]:
    """Every method by name, in the plan's order."""
    found = {}
    for number, (name, method) in enumerate(plan.all_methods().items()):
        # The name of an ablation says all that its title would.
        title = _title(method) if name in plan.methods else ""
        found[name] = Shown(name, "" if title == name else title, *style(number), key(number))
    return found


def _title(method: Method) -> str:
    try:
        return method.title or method.resolved().title
    except FaceganError:
        return ""  # the recipe's own file is gone; its trials are still here


@dataclass(frozen=True)
class Scores:
    """All methods on one dataset in the plan's first feature space, the least median FD first.

    Attributes:
        dataset: its name in the plan.
        space: the extractor's name.
        methods: in the order of the rows.
        table: a row for the floor and for each method.
        fd: what the space calls FD.
        conditions: under which all was measured, in words.
        unequal: the conditions that were not equal, in words.
    """

    dataset: str
    space: str
    methods: list[Shown]
    table: Table
    fd: str
    conditions: str
    unequal: list[str]


def score_tables(
    results: StudyResults, summaries: Sequence[Summary], methods: dict[str, Shown]
) -> list[Scores]:
    """The scores on each dataset.

    Args:
        results: of the trials.
        summaries: over the seeds.
        methods: as the page shows them.
    """
    return [_scores(results, dataset, summaries, methods) for dataset in results.plan.datasets]


def _scores(
    results: StudyResults, dataset: str, summaries: Sequence[Summary], methods: dict[str, Shown]
) -> Scores:
    trials = [result for result in results.results if result.key.dataset == dataset]
    space = results.plan.measure.extractors[0]
    found = {(one.method, one.metric): one for one in summaries if one.dataset == dataset}
    metrics = [m for m in SCORE_TITLES if any(trial.score(m) is not None for trial in trials)]
    floors = {metric: _floor(trials, metric) for metric in metrics}
    troubles = {name: trouble(results, dataset, name) for name in methods}
    sound = {key: one for key, one in found.items() if not troubles[key[0]].disqualifies}
    leading = {metric: _leading(sound, metric) for metric in metrics}
    fds = {name: found.get((name, "fd")) for name in methods}
    floor = floors.get("fd") if _has_ratio(trials) else None
    line = Scale.over([*(x for fd in fds.values() for x in known(fd)), *([floor] if floor else [])])
    # Sorting keeps the plan's order among equals and among methods without a score.
    order = sorted(methods.values(), key=lambda shown: _median(fds[shown.name]))
    rows = []
    if metrics:
        cells = [
            None if (x := floors[metric]) is None else Cell(Formatted(brief(unit(metric) * x)))
            for metric in metrics
        ]
        empty = Cell(Formatted(""))
        rows.append(Row("real images (floor)", [empty, *cells, empty], floor=True, code="floor"))
    for shown in order:
        fd = fds[shown.name]
        beside = ratio(fd.median / floor) if fd and fd.median is not None and floor else ""
        first = Cell(
            Formatted(""),
            bar=None
            if fd is None or fd.median is None
            else bar(line, known(fd), fd.interval, floor=floor, median=fd.median),
            parts=tuple(_seeds(results, dataset, shown.name)),
        )
        found_in = troubles[shown.name]
        notes = {"fd": [beside, *([found_in.recall] if found_in.recall else [])]}
        cells = [
            _cell(
                found.get((shown.name, m)),
                m,
                (math.inf, -math.inf) if found_in.disqualifies else leading[m],
                ", ".join(filter(None, notes.get(m, []))),
            )
            for m in metrics
        ]
        last = replace(_ended(results, dataset, shown.name), beside=found_in.said)
        rows.append(Row(shown.name, [first, *cells, last], shown.key, shown.title))
    title = score_title("fd", space)
    logarithmic = "logarithmic" if line.log else ""
    columns = [
        Column("seeds", f"{title} of each seed", note=logarithmic, style="each"),
        *(Column(metric, score_title(metric, space), wanted(metric)) for metric in metrics),
        Column("finished", "finished"),
    ]
    evaluations = [trial.evaluation for trial in trials if trial.evaluation is not None]
    return Scores(
        dataset,
        space,
        order,
        Table(f"scores {dataset}", "method", columns, rows, "cards numbers study"),
        title,
        conditions(evaluations[0], " of each trial") if evaluations else "",
        sorted({name for each in evaluations for name in _differing(evaluations[0], each)}),
    )


# What the diagnosis of a run can find that makes a low FD worth nothing: all pictures alike, none
# that shows a face, patterns in the place of faces, or a generator that learns nothing.
_WORTHLESS = {"collapse", "no face", "artefacts", "idle"}


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the trials of a method.

    Attributes:
        said: what the diagnosis found, in how many trials.
        recall: what to say beside the FD, where recall is zero.
        disqualifies: whether it may not lead, whatever its scores.
    """

    said: str
    recall: str
    disqualifies: bool


def trouble(results: StudyResults, dataset: str, method: str) -> Trouble:
    """What the diagnosis of a method's trials found, and whether recall is zero."""
    trials = [t for t in results.of(dataset, method).values() if t.status == "finished"]
    looked = [trial.found for trial in trials if trial.found is not None]
    count = Counter(kind for found in looked for kind in {each.kind for each in found})
    of = f" of {len(looked)}"
    said = ", ".join(
        kind + ("" if n == len(looked) else f" ({n}{of})") for kind, n in count.most_common()
    )
    worthless = sum(any(each.kind in _WORTHLESS for each in found) for found in looked)
    none = [trial.score("recall") == 0 for trial in trials if trial.score("recall") is not None]
    recall = ""
    if any(none):
        recall = "recall 0" if all(none) else f"recall 0 in {sum(none)} of {len(none)}"
    return Trouble(
        said or ("no trouble seen" if looked else ""),
        recall,
        2 * worthless > len(looked) if looked else False,
    )


def known(summary: Summary | None) -> list[float]:
    """The values of those seeds that have one."""
    return [value for _, value in summary.values if value is not None] if summary else []


def _median(summary: Summary | None) -> float:
    return math.inf if summary is None or summary.median is None else summary.median


def _floor(trials: Sequence[TrialResult], metric: ScoreName) -> float | None:
    values = [value for trial in trials if (value := trial.floor(metric)) is not None]
    return statistics.median(values) if values else None


def _has_ratio(trials: Sequence[TrialResult]) -> bool:
    """Whether the floor of FD can be told from zero."""
    spaces = [space for trial in trials for space in spaces_of(trial)[:1]]
    scores = [space.scores["fd"] for space in spaces if "fd" in space.scores]
    return bool(scores) and all(score.ratio is not None for score in scores)


def spaces_of(result: TrialResult | None) -> tuple[FeatureScores, ...]:
    """All that a trial was measured in; empty where it was not."""
    return () if result is None or result.evaluation is None else result.evaluation.features


def _cell(
    summary: Summary | None, metric: ScoreName, lead: tuple[float, float], beside: str
) -> Cell | None:
    if summary is None or summary.median is None:
        return None
    low, high = summary.interval or (summary.median, summary.median)
    text = (
        Formatted(brief(unit(metric) * summary.median))
        if summary.interval is None
        else formatted(in_unit(metric, Estimate(value=summary.median, low=low, high=high)))
    )
    # Nothing covered is nothing to be first in.
    nothing = metric not in LESS_IS_BETTER and summary.median == 0
    leads = not nothing and low <= lead[1] and high >= lead[0]
    return Cell(text, ratio_below(beside), leads)


def _leading(found: dict[tuple[str, ScoreName], Summary], metric: ScoreName) -> tuple[float, float]:
    """The interval of the best median, or the median itself where it has none."""
    medians = [
        (one.median, one.interval or (one.median, one.median))
        for (_, name), one in found.items()
        if name == metric and one.median is not None
    ]
    if not medians:
        return math.inf, -math.inf
    return (min if metric in LESS_IS_BETTER else max)(medians)[1]


def _seeds(results: StudyResults, dataset: str, method: str) -> Iterator[tuple[str, str]]:
    """(seed, FD) of every trial of the plan, also of those without one."""
    ended = results.of(dataset, method)
    for seed in results.plan.seeds_of(method):
        said = "waiting"
        if (result := ended.get(seed)) is not None:
            fd = result.score("fd")
            said = "failed" if result.status == "failed" else "–" if fd is None else brief(fd)
        yield f"seed {seed}", said


def _ended(results: StudyResults, dataset: str, method: str) -> Cell:
    """`2 of 3`, and how many failed."""
    ended = results.of(dataset, method).values()
    failed = sum(result.status == "failed" for result in ended)
    finished = f"{len(ended) - failed} of {len(results.plan.seeds_of(method))}"
    return Cell(Formatted(finished, f"{failed} failed" if failed else ""))


def _differing(one: Evaluation, other: Evaluation) -> list[str]:
    first, second = one.conditions(), other.conditions()
    found = [_CONDITIONS.get(name, name) for name in first if first[name] != second[name]]
    spaces = [[(s.extractor, s.fingerprint) for s in each.features] for each in (one, other)]
    return found + (["extractors"] if spaces[0] != spaces[1] else [])


def further_spaces(
    results: StudyResults, dataset: str, order: Sequence[Shown]
) -> list[tuple[str, Table]]:
    """(extractor, medians) for each after the plan's first, about which no claim is."""
    found = []
    for extractor in results.plan.measure.extractors[1:]:
        scores = {shown.name: _in_space(results, dataset, shown.name, extractor) for shown in order}
        every = [one for of_method in scores.values() for one in of_method]
        metrics = [metric for metric in SCORE_TITLES if any(metric in one.scores for one in every)]
        if not metrics:
            continue
        rows = [
            Row(
                "real images (floor)",
                texts([_middle(every, metric, "real") for metric in metrics]),
                floor=True,
                code="floor",
            )
        ]
        for shown in order:
            values = [_middle(scores[shown.name], metric, "generated") for metric in metrics]
            rows.append(Row(shown.name, texts(values), shown.key, shown.title))
        columns = [Column(metric, score_title(metric, extractor)) for metric in metrics]
        name = f"scores {dataset} {extractor}"
        table = Table(name, "method", columns, rows, "cards numbers narrow study")
        found.append((extractor, table))
    return found


def _in_space(
    results: StudyResults, dataset: str, method: str, extractor: str
) -> list[FeatureScores]:
    return [
        space
        for trial in results.of(dataset, method).values()
        if trial.status == "finished"
        for space in spaces_of(trial)
        if space.extractor == extractor
    ]


def _middle(found: Sequence[FeatureScores], metric: ScoreName, side: str) -> str:
    values = [getattr(one.scores[metric], side).value for one in found if metric in one.scores]
    return brief(unit(metric) * statistics.median(values)) if values else "–"
