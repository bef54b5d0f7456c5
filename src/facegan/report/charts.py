"""Which charts a run has: of its journal, of what was probed, of what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.evaluation.wording import NO_RATIO, listed
from facegan.report.measures import Measure, Track
from facegan.report.plots import Dash, Line, Plot, Points
from facegan.runs.reading import Line as JournalLine

_FAR = 1e300


@dataclass(frozen=True)
class _Series:
    """Lines of a chart that the journal's lines hold as they are.

    Attributes:
        title: above the chart.
        note: how to read it.
        keys: (key in the journal, label) of each line.
        log: whether the values are shown on a logarithmic scale.
        zero: whether the axis reaches down to zero.
        breaks: whether the lines end at the end of a stage, as what a stage sets does.
        level: (value, label) to compare with.
    """

    title: str
    note: str
    keys: tuple[tuple[str, str], ...]
    log: bool = False
    zero: bool = False
    breaks: bool = False
    level: tuple[float, str] | None = None


_TICKS = (
    _Series(
        "Losses",
        "What each network minimises. Only their balance says something: a lower loss is not "
        "a better picture.",
        (("discriminator/adversarial", "discriminator"), ("generator/adversarial", "generator")),
    ),
    _Series(
        "Logits",
        "The discriminator's score of real and of generated pictures. The closer the two, the "
        "harder it is for it to tell them apart.",
        (("logits_real", "real"), ("logits_fake", "generated")),
    ),
    _Series(
        "Gradient norms",
        "How hard each loss pulls at its network, on a logarithmic scale. Spikes are a sign of "
        "instability.",
        (
            ("discriminator/gradient_norm", "discriminator"),
            ("generator/gradient_norm", "generator"),
        ),
        log=True,
    ),
    _Series(
        "Gradient penalty",
        "What the discriminator pays for steep slopes, as weighted in its loss.",
        (("discriminator/penalty", "discriminator"),),
    ),
    _Series(
        "Learning rates",
        "The size of each network's steps, as its schedule had it.",
        (("discriminator/lr", "discriminator"), ("generator/lr", "generator")),
        zero=True,
        breaks=True,
    ),
)
_TIMING = (
    _Series(
        "Speed",
        "Training images a second since the line before; saving is not counted.",
        (("img_per_s", "images a second"),),
        zero=True,
    ),
)
_PROBES = (
    _Series(
        "Logits of fixed pictures",
        "The discriminator's score of training pictures, of held-out ones that it never saw, and "
        "of generated ones. Where held-out pictures sink to the generated ones, it has learned "
        "its training pictures by heart.",
        (
            ("probe/logits_train", "training"),
            ("probe/logits_fake", "generated"),
            ("probe/logits_holdout", "held out"),
        ),
    ),
    _Series(
        "Told apart",
        "How often the discriminator scores a training picture above a generated one, which may "
        "be nearly always in a healthy run, and above a held-out one, which should stay at chance.",
        (("probe/remembered", "held-out pictures"), ("probe/told_apart", "generated pictures")),
        level=(0.5, "chance"),
    ),
    _Series(
        "Diversity",
        "How much generated pictures differ from the one most like them, beside real ones. A fall "
        "means that the generator makes fewer kinds of pictures.",
        (("probe/diversity", "generated"),),
        zero=True,
        level=(1.0, "as among real pictures"),
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
        series.title, series.note, drawn, end, log=series.log, zero=series.zero, marks=marks
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
    named = (("FD", "FID"), ("KID",), ("precision", "recall"), ("coverage",))
    plots = []
    for titles in named:
        series = [(title, found) for title in titles if len(found := _over(track, title)) > 1]
        if series:
            plots.append(_score_plot(series, track, total))
    return plots


def _over(track: Track, title: str) -> list[tuple[float, Measure]]:
    return [
        (point.images_seen / 1000, measure)
        for point in track.points
        for measure in point.measures
        if measure.title == title and measure.estimates is not None
    ]


def _score_plot(
    series: list[tuple[str, list[tuple[float, Measure]]]], track: Track, total: int
) -> Plot:
    lines: list[Line] = []
    less = series[0][1][0][1].wanted == "less"
    for colour, (title, found) in enumerate(series, 1):
        if len(series) == 1:
            lines += lines_of("generated", found, colour, ("real pictures", 0))
        else:
            lines += lines_of(title, found, colour, (f"{title}, real pictures", colour))
    everything = [y for line in lines[::2] for x, *band in line.band for y in band]
    log = less and min(everything) > 0
    below = log and any(measure.ratio == NO_RATIO for _, found in series for _, measure in found)
    if below:
        # A floor that cannot be told from zero has no place on this scale.
        lines = [line for line in lines if not line.thin]
    note = (
        f"Of {track.last.evaluation.n_fake:,} pictures, in the space of {track.instrument.name}. "
        f"{'Less' if less else 'More'} is better. Bands: 95 % intervals; "
        + ("real pictures score about 0." if below else "broken lines: what real pictures score.")
        + (" The scale is logarithmic." if log else "")
    )
    title = listed(title for title, _ in series)
    return Plot(title[0].upper() + title[1:], note, lines, total / 1000, log=log, zero=not log)


def lines_of(
    label: str, found: list[tuple[float, Measure]], colour: int, floor: tuple[str, int]
) -> list[Line]:
    """The line of what was measured, with its interval, and the line of its floor.

    Args:
        label: of the first.
        found: (x, measure with estimates) in the order of x.
        colour: of the first.
        floor: label and colour of the second.
    """
    estimates = [(x, measure.estimates) for x, measure in found if measure.estimates is not None]
    values = [(x, generated.value) for x, (generated, _) in estimates]
    band = [(x, generated.low, generated.high) for x, (generated, _) in estimates]
    floors = [(x, real.value) for x, (_, real) in estimates]
    return [
        Line(label, values, colour, band=band),
        Line(floor[0], floors, floor[1], "dashed", thin=True),
    ]
