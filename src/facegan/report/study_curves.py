"""How FD fell during the trials of a study: against images, and against machine time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from facegan.evaluation.wording import brief, score_title
from facegan.report.plots import Chart, Line, Plot, Points, drawn, time_unit
from facegan.report.study_scores import Shown
from facegan.study.claims import Axis, FasterTo
from facegan.study.results import StudyResults, TrialResult

# Where the highest FD is so many times the lowest, or the longest trial so many times as long
# as the shortest, the axis is logarithmic.
_HIGH, _LONG = 5.0, 6.0


def curve_charts(
    results: StudyResults, dataset: str, methods: dict[str, Shown], prefix: str
) -> list[Chart]:
    """FD against kimg and against machine time on one dataset; nothing without curves.

    Args:
        results: of the trials.
        dataset: its name in the plan.
        methods: as the page shows them.
        prefix: begins the ids in the drawings.
    """
    return drawn(plots(results, dataset, methods), prefix)


def plots(results: StudyResults, dataset: str, methods: dict[str, Shown]) -> list[Plot]:
    """The same before they are drawn."""
    trials = [
        result for result in results.results if result.key.dataset == dataset and result.curve
    ]
    axes: tuple[Axis, ...] = ("kimg", "seconds") if trials else ()
    return [_plot(results, trials, methods, axis) for axis in axes]


def _plot(
    results: StudyResults, trials: Sequence[TrialResult], methods: dict[str, Shown], axis: Axis
) -> Plot:
    ends = [trial.curve[-1].cost(axis) for trial in trials]
    second, unit = (1.0, "kimg") if axis == "kimg" else time_unit(max(ends))
    singles: list[Line] = []
    medians: list[Line] = []
    for name, shown in methods.items():
        of_method = [trial for trial in trials if trial.key.method == name]
        finished = [trial for trial in of_method if trial.status == "finished"]
        middle = _median(finished, axis, second)
        single = len(of_method) == 1 and bool(middle)
        for number, trial in enumerate([] if single else of_method):
            points = [(point.cost(axis) / second, point.fd) for point in trial.curve]
            label = "" if middle or number else f"{name} (none finished)"
            singles.append(Line(label, points, shown.colour, shown.dash, faint=True))
        if middle:
            medians.append(Line(name, middle, shown.colour, shown.dash))
    lines = [*singles, *medians]
    values = [y for line in lines for _, y in line.points]
    log = min(values) > 0 and max(values) > _HIGH * min(values)
    log_x = max(ends) > _LONG * min(ends) > 0
    furthest = max(x for line in lines for x, _ in line.points)
    for fd in _goals(results):
        level: Points = [(min(x for line in lines for x, _ in line.points), fd), (furthest, fd)]
        lines.append(Line(f"{brief(fd)}, to reach", level, 0, "dashed", thin=True))
    measure = results.plan.measure
    title = score_title("fd", measure.curve_extractor)
    seeds = (
        "Thin lines: seeds; thick lines: the median of those that finished."
        if singles
        else "One seed of each method."
    )
    pictures, space = f"{measure.curve_n:,} images", measure.curve_extractor
    return Plot(
        f"fd {axis}",
        f"{title} against {'images' if axis == 'kimg' else 'machine time'}",
        f"{title} of {pictures}, features of {space}. {seeds}",
        lines,
        unit=unit,
        log=log,
        log_x=log_x,
        zero=not log,
        size="wide",
        wanted="less",
    )


def _median(trials: Sequence[TrialResult], axis: Axis, second: float) -> Points:
    """Point by point, as far as every trial has points: else fewer seeds would move the line."""
    if not trials:
        return []
    return [
        (
            statistics.median(point.cost(axis) for point in points) / second,
            statistics.median(point.fd for point in points),
        )
        for points in zip(*(trial.curve for trial in trials), strict=False)
    ]


def _goals(results: StudyResults) -> list[float]:
    """The FDs that claims of speed are about."""
    tests = [claim.parsed for claim in results.plan.claims]
    return sorted({test.fd for test in tests if isinstance(test, FasterTo)})
