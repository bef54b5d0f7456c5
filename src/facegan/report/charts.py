"""Which charts runs have: of the journal, of what was probed, of scores, alone or together."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from facegan.evaluation.wording import NO_RATIO, listed
from facegan.report.comparable import Entry, Group
from facegan.report.measures import Measure, Track
from facegan.report.plots import MOST_LINES, Dash, Line, Plot, Points, style, time_unit
from facegan.runs.reading import Line as JournalLine
from facegan.runs.reading import Reading, number

# With more lines than this, bands would hide one another.
_MOST_BANDS = 4
# Where some runs are so many times longer than others, images go on a logarithmic scale.
_MUCH_LONGER = 6.0
# Of a floor: less is rounding.
_SAME_FLOOR = 1e-3

_FAR = 1e300


@dataclass(frozen=True)
class _Series:
    """Lines of a chart that the journal's lines hold as they are.

    Attributes:
        name: in code.
        title: above the chart.
        note: how to read it.
        keys: (key in the journal, label) of each line.
        log: whether the values are shown on a logarithmic scale.
        zero: whether the axis reaches down to zero.
        breaks: whether the lines end at the end of a stage, as what a stage sets does.
        level: (value, label) to compare with.
    """

    name: str
    title: str
    note: str
    keys: tuple[tuple[str, str], ...]
    log: bool = False
    zero: bool = False
    breaks: bool = False
    level: tuple[float, str] | None = None


_TICKS = (
    _Series(
        "losses",
        "Losses",
        "The loss that each network minimises. Only the balance of the two matters: a "
        "lower loss does not mean better images.",
        (("discriminator/adversarial", "discriminator"), ("generator/adversarial", "generator")),
    ),
    _Series(
        "logits",
        "Logits",
        "The discriminator's output for real and for generated images. The closer the "
        "two, the harder they are to tell apart.",
        (("logits_real", "real"), ("logits_fake", "generated")),
    ),
    _Series(
        "gradient_norms",
        "Gradient norms",
        "The norm of each network's gradient. Spikes are a sign of instability.",
        (
            ("discriminator/gradient_norm", "discriminator"),
            ("generator/gradient_norm", "generator"),
        ),
        log=True,
    ),
    _Series(
        "penalty",
        "Gradient penalty",
        "The gradient penalty in the discriminator's loss, with its weight.",
        (("discriminator/penalty", "discriminator"),),
    ),
    _Series(
        "rates",
        "Learning rates",
        "The learning rate of each network, as scheduled.",
        (("discriminator/lr", "discriminator"), ("generator/lr", "generator")),
        zero=True,
        breaks=True,
    ),
)
_TIMING = (
    _Series(
        "speed",
        "Speed",
        "Training images a second since the previous point, without the time for saving.",
        (("img_per_s", "images a second"),),
        zero=True,
    ),
)
_PROBES = (
    _Series(
        "probed_logits",
        "Logits of fixed images",
        "The discriminator's output for training images, for holdout images that it never "
        "saw, and for generated images. If the holdout falls to the level of generated "
        "images, the discriminator overfits.",
        (
            ("probe/logits_train", "training"),
            ("probe/logits_fake", "generated"),
            ("probe/logits_holdout", "held out"),
        ),
    ),
    _Series(
        "told_apart",
        "Told apart",
        "How often the discriminator scores a training image above a generated one, which "
        "may be nearly always in a healthy run, and above a holdout image, which should "
        "stay at chance.",
        (("probe/remembered", "holdout images"), ("probe/told_apart", "generated images")),
        level=(0.5, "chance"),
    ),
    _Series(
        "diversity",
        "Diversity",
        "How much generated images differ from their nearest other generated image, "
        "relative to real images. A fall means that variety is lost.",
        (("probe/diversity", "generated"),),
        zero=True,
        level=(1.0, "as for real images"),
    ),
)


def journal_plots(
    ticks: Sequence[JournalLine],
    probes: Sequence[JournalLine],
    timing: Sequence[JournalLine],
    total: int,
    stage_starts: Sequence[int] = (),
) -> list[Plot]:
    """Every chart of the journals that has at least one value.

    Args:
        ticks: lines of metrics.jsonl about the training itself.
        probes: lines of metrics.jsonl with what was probed.
        timing: lines of timing.jsonl.
        total: images in the whole run: where the axis ends.
        stage_starts: images at which stages after the first begin, marked in every chart.
    """
    plots = []
    for series, lines in ((_TICKS, ticks), (_PROBES, probes), (_TIMING, timing)):
        for one in series:
            if (plot := _journal_plot(one, lines, total, stage_starts)) is not None:
                plots.append(plot)
    return plots


def _journal_plot(
    series: _Series, lines: Sequence[JournalLine], total: int, stage_starts: Sequence[int]
) -> Plot | None:
    drawn = []
    for colour, (key, label) in enumerate(series.keys, 1):
        if points := _points(key, lines, series):
            # Rates are often equal: the first shows through the gaps of the second.
            dash: Dash = "dashed" if series.breaks and colour == 2 else "solid"
            drawn.append(Line(label, points, colour, dash))
    if not drawn:
        return None
    end = total / 1000
    if series.level is not None:
        value, label = series.level
        drawn.append(Line(label, [(0.0, value), (end, value)], 0, "dashed", thin=True))
    marks = [start / 1000 for start in stage_starts]
    return Plot(
        series.name,
        series.title,
        series.note,
        drawn,
        end,
        log=series.log,
        zero=series.zero,
        marks=marks,
    )


def _points(key: str, lines: Sequence[JournalLine], series: _Series) -> Points:
    """(kimg, value) of each line; NaN breaks the line. Empty if there is no value at all."""
    points: Points = []
    stage = None
    for line in lines:
        kimg, value = line["images_seen"] / 1000, line.get(key)
        if series.breaks and line.get("stage") != stage:
            points.append((kimg, math.nan))
        stage = line.get("stage")
        # Beyond such numbers no axis can be drawn.
        if not isinstance(value, int | float) or not abs(value) <= _FAR:
            value = math.nan
        value = math.nan if series.log and value <= 0 else value
        points.append((kimg, float(value)))
    return points if any(not math.isnan(value) for _, value in points) else []


def score_plots(track: Track, total: int) -> list[Plot]:
    """How the scores of one feature space changed while training.

    Args:
        track: of the kind `scores`.
        total: images in the whole run: where the axis ends.

    Returns:
        FD, KID, precision with recall, and coverage, as far as each was measured more than once.
    """
    plots = []
    for names in (("fd",), ("kid",), ("precision", "recall"), ("coverage",)):
        series = [found for name in names if len(found := _over(track, name)) > 1]
        if series:
            plots.append(_score_plot(series, track, total))
    return plots


def _over(
    track: Track, name: str, place: Callable[[int], float] = lambda images: images / 1000
) -> list[tuple[float, Measure]]:
    """(place, measure) of one score wherever it has a number."""
    return [
        (place(point.images_seen), measure)
        for point in track.points
        for measure in point.measures
        if measure.name == name and measure.estimates is not None
    ]


def _lines(
    label: str, found: list[tuple[float, Measure]], colour: int, floor: tuple[str, int]
) -> tuple[Line, Line]:
    """The line of what was measured, with its interval, and that of its floor."""
    estimates = [(x, measure.estimates) for x, measure in found if measure.estimates is not None]
    values = [(x, generated.value) for x, (generated, _) in estimates]
    band = [(x, generated.low, generated.high) for x, (generated, _) in estimates]
    floors = [(x, real.value) for x, (_, real) in estimates]
    return (
        Line(label, values, colour, band=band),
        Line(floor[0], floors, floor[1], "dashed", thin=True),
    )


def _score_plot(series: list[list[tuple[float, Measure]]], track: Track, total: int) -> Plot:
    titles = [found[0][1].title for found in series]
    names = " ".join(found[0][1].name for found in series)
    wanted = series[0][0][1].wanted
    pairs = [
        _lines("generated", found, colour, ("real images", 0))
        if len(series) == 1
        else _lines(title, found, colour, (f"{title}, real images", colour))
        for colour, (title, found) in enumerate(zip(titles, series, strict=True), 1)
    ]
    log = (
        wanted == "less" and min(y for line, _ in pairs for _, *band in line.band for y in band) > 0
    )
    # A floor that cannot be told from zero has no place on a logarithmic scale.
    below = log and any(measure.ratio == NO_RATIO for found in series for _, measure in found)
    floor = "Real images score about 0." if below else "Broken lines: the score of real images."
    pictures, space = f"{track.last.evaluation.n_fake:,} images", track.instrument.name
    note = f"{pictures}, features of {space}. {floor}"
    lines = [line for pair in pairs for line in (pair[:1] if below else pair)]
    title, end = _heading(listed(titles)), total / 1000
    return Plot(names, title, note, lines, end, log=log, zero=not log, wanted=wanted)


def _heading(title: str) -> str:
    return title[0].upper() + title[1:]


def overlays(group: Group, readings: Sequence[Reading]) -> list[Plot]:
    """How FD, recall and coverage changed in runs that may be compared.

    Returns:
        Each score against kimg and, where all runs were timed, against time; nothing where no
        run was measured more than once.
    """
    chosen = group.entries[:MOST_LINES]
    if len(chosen) < 2 or all(len(entry.track.points) < 2 for entry in chosen):
        return []
    timed = all(readings[entry.run].timing for entry in chosen)
    second, unit = time_unit(max(readings[entry.run].seconds for entry in chosen))
    lengths = [entry.track.last.images_seen for entry in chosen]
    log_x = max(lengths) > _MUCH_LONGER * max(min(lengths), 1)
    note = "The runs have very different lengths." if log_x else ""
    if len(group.entries) > len(chosen):
        note += f" The first {len(chosen)} of {len(group.entries)} runs."

    def after(run: int, images: int) -> float:
        return seconds_at(readings[run].timing, images) / second

    plots = []
    for name in ("fd", "recall", "coverage"):
        if any(column.name == name for column in group.columns):
            plot = _overlay(name, "images", chosen, lambda _, images: images / 1000)
            plots.append(replace(plot, log_x=log_x, note=note.strip()))
            if timed:
                plots.append(replace(_overlay(name, "time", chosen, after), unit=unit))
    return plots


def seconds_at(timing: Sequence[JournalLine], images: float) -> float:
    """Seconds of training until so many images were shown; lines of the journal are joined."""
    seen = [0.0, *(number(line.get("images_seen")) for line in timing)]
    seconds = [0.0, *(number(line.get("seconds")) for line in timing)]
    i = min(bisect_left(seen, images), len(seen) - 1)
    if i == 0 or seen[i] <= seen[i - 1]:
        return seconds[i]
    part = min((images - seen[i - 1]) / (seen[i] - seen[i - 1]), 1.0)
    return seconds[i - 1] + part * (seconds[i] - seconds[i - 1])


def _overlay(
    name: str, against: str, entries: Sequence[Entry], place: Callable[[int, int], float]
) -> Plot:
    lines: list[Line] = []
    floors: list[Line] = []
    title, wanted = "", "less"
    for entry in entries:
        if found := _over(entry.track, name, partial(place, entry.run)):
            title, wanted = found[0][1].title, found[0][1].wanted
            colour, dash = style(entry.run)
            line, floor = _lines(entry.label, found, colour, ("real images", 0))
            band = line.band if len(entries) <= _MOST_BANDS else ()
            lines.append(replace(line, dash=dash, band=band))
            floors.append(floor)
    log = wanted == "less" and all(y > 0 for line in lines for _, y in line.points)
    level = _level(floors)
    if level is not None and (level.points[0][1] > 0 or not log):
        lines.append(level)
    heading = f"{_heading(title)} against {against}"
    return Plot(
        f"{name} {against}", heading, "", lines, log=log, zero=not log, size="wide", wanted=wanted
    )


def _level(floors: Sequence[Line]) -> Line | None:
    """One line for the floor, where all runs have the same."""
    values = [y for line in floors for _, y in line.points]
    if not values or max(values) - min(values) > _SAME_FLOOR * abs(max(values)):
        return None
    places = [x for line in floors for x, _ in line.points]
    return replace(floors[0], points=[(min(places), values[0]), (max(places), values[0])])
