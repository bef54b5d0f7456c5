"""How FD fell during the trials of a study: against images, and against machine time."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup, escape

from facegan.evaluation.wording import brief, listed, score_title
from facegan.report.plots import Chart, Line, Plot, Points, drawn, time_unit
from facegan.report.study_scores import Shown
from facegan.study.claims import Axis, FasterTo
from facegan.study.results import CurvePoint, StudyResults, TrialResult

# Where the highest FD is so many times the lowest, or the longest trial so many times as long
# as the shortest, the axis is logarithmic.
_HIGH, _LONG = 5.0, 6.0
_STROKE = re.compile(r'style="fill: none;[^"]*stroke: var\(--line[0-9]\)[^"]*"')


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
    trials = [
        result for result in results.results if result.key.dataset == dataset and result.curve
    ]
    if not trials:
        return []
    plots = [_plot(results, trials, methods, axis) for axis in ("kimg", "seconds")]
    return [
        _readable(chart, plot, methods)
        for chart, plot in zip(drawn(plots, prefix), plots, strict=True)
    ]


def _plot(
    results: StudyResults, trials: Sequence[TrialResult], methods: dict[str, Shown], axis: Axis
) -> Plot:
    ends = [_x(trial.curve[-1], axis) for trial in trials]
    second, unit = (1.0, "kimg") if axis == "kimg" else time_unit(max(ends))
    singles: list[Line] = []
    medians: list[Line] = []
    for name, shown in methods.items():
        of_method = [trial for trial in trials if trial.key.method == name]
        finished = [trial for trial in of_method if trial.status == "finished"]
        middle = _median(finished, axis, second)
        single = len(of_method) == 1 and bool(middle)
        for trial in [] if single else of_method:
            points = [(_x(point, axis) / second, point.fd) for point in trial.curve]
            label = f"{name}, seed {trial.key.seed}"
            singles.append(Line(label, points, shown.colour, shown.dash, thin=True))
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
    note = (
        f"{title} of {measure.curve_n:,} pictures in the space of {measure.curve_extractor}; less "
        "is better. "
        + ("Thin: each seed; thick: " if singles else "")
        + ("the median of those that finished." if singles else "One seed of each method.")
    )
    scales = [
        f"the {name} axis" for name, used in (("vertical", log), ("horizontal", log_x)) if used
    ]
    if scales:
        note += f" Logarithmic: {listed(scales)}."
    return Plot(
        f"fd {axis}",
        f"{title} against {'images' if axis == 'kimg' else 'machine time'}",
        note,
        lines,
        unit=unit,
        log=log,
        log_x=log_x,
        zero=not log,
        size="wide",
    )


def _x(point: CurvePoint, axis: Axis) -> float:
    return point.images / 1000 if axis == "kimg" else point.seconds


def _median(trials: Sequence[TrialResult], axis: Axis, second: float) -> Points:
    """Point by point, as far as every trial has points: else fewer seeds would move the line."""
    if not trials:
        return []
    return [
        (
            statistics.median(_x(point, axis) for point in points) / second,
            statistics.median(point.fd for point in points),
        )
        for points in zip(*(trial.curve for trial in trials), strict=False)
    ]


def _goals(results: StudyResults) -> list[float]:
    """The FDs that claims of speed are about."""
    tests = [claim.parsed for claim in results.plan.claims]
    return sorted({test.fd for test in tests if isinstance(test, FasterTo)})


def _readable(chart: Chart, plot: Plot, methods: dict[str, Shown]) -> Chart:
    """One entry a method in the legend and in what is read aloud, instead of one a seed."""
    medians = {line.label: line for line in plot.lines if not line.thin}
    styles = {(line.colour, line.dash) for line in plot.lines}
    legend = [
        (name if name in medians else f"{name} (none finished)", shown.key)
        for name, shown in methods.items()
        if (shown.colour, shown.dash) in styles
    ]
    legend += [
        entry for line, entry in zip(plot.lines, chart.legend, strict=True) if line.colour == 0
    ]
    said = "; ".join(
        f"{name} from {brief(line.points[0][1])} to {brief(line.points[-1][1])}"
        for name, line in medians.items()
    )
    label = escape(f"{plot.title}: {said or 'no trial finished'}.")
    # The first label is that of the drawing itself.
    svg = re.sub(r'aria-label="[^"]*"', lambda _: f'aria-label="{label}"', chart.svg, count=1)
    return replace(chart, legend=tuple(legend), svg=Markup(_STROKE.sub(_paler, svg)))


def _paler(stroke: re.Match[str]) -> str:
    """Single seeds behind the medians; a width is written for those alone."""
    return stroke[0] if "stroke-width" in stroke[0] else f'{stroke[0][:-1]}; stroke-opacity: 0.5"'
