"""Scores of several runs in one chart: against images, and against time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace

from facegan.report.charts import lines_of
from facegan.report.comparable import Entry, Group
from facegan.report.measures import Measure
from facegan.report.plots import COLOURS, Dash, Line, Plot
from facegan.runs.reading import Reading, number

# With more lines than this, bands would hide one another.
_MOST_BANDS = 4
# With more lines than colours and dashes, nobody could tell them apart.
_DASHES: tuple[Dash, ...] = ("solid", "dashed", "dotted")
_MOST_LINES = COLOURS * len(_DASHES)
# Where some runs are so many times longer than others, images go on a logarithmic scale.
_MUCH_LONGER = 6.0
# Of a floor: less is rounding.
_SAME_FLOOR = 1e-3
_UNITS = ((3 * 3600.0, 3600.0, "hours"), (3 * 60.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


def style(run: int) -> tuple[int, Dash]:
    """Colour, 1…8, and dash of a run by its number on the page."""
    return run % COLOURS + 1, _DASHES[run // COLOURS % len(_DASHES)]


def overlays(group: Group, readings: Sequence[Reading]) -> list[Plot]:
    """How FD and recall changed in runs that may be compared.

    Returns:
        Each score against kimg and, where all runs were timed, against time; nothing where no
        run was measured more than once.
    """
    chosen = group.entries[:_MOST_LINES]
    if len(chosen) < 2 or all(len(entry.track.points) < 2 for entry in chosen):
        return []
    titles = [title for title, _ in group.columns if title in ("FD", "FID", "recall", "coverage")]
    timed = all(readings[entry.run].timing for entry in chosen)
    plots = []
    for title in titles:
        plots.append(_against_images(title, chosen, len(group.entries)))
        if timed:
            plots.append(_against_time(title, chosen, readings))
    return plots


def seconds_at(timing: Sequence[dict[str, object]], images: float) -> float:
    """Seconds of training until so many images were shown; lines of the journal are joined."""
    seen = [0.0, *(number(line.get("images_seen")) for line in timing)]
    seconds = [0.0, *(number(line.get("seconds")) for line in timing)]
    i = min(bisect_left(seen, images), len(seen) - 1)
    if i == 0 or seen[i] <= seen[i - 1]:
        return seconds[i]
    part = min((images - seen[i - 1]) / (seen[i] - seen[i - 1]), 1.0)
    return seconds[i - 1] + part * (seconds[i] - seconds[i - 1])


def _against_images(title: str, entries: Sequence[Entry], of: int) -> Plot:
    lengths = [entry.track.last.images_seen for entry in entries]
    log_x = max(lengths) > _MUCH_LONGER * max(min(lengths), 1)
    left_out = f" The first {len(entries)} of {of} runs." if of > len(entries) else ""
    scale = (
        " Images on a logarithmic scale: the runs are of very different length." if log_x else ""
    )
    plot = _plot(title, "images", entries, lambda _, images: images / 1000)
    return replace(plot, log_x=log_x, note=plot.note + scale + left_out)


def _against_time(title: str, entries: Sequence[Entry], readings: Sequence[Reading]) -> Plot:
    longest = max(readings[entry.run].seconds for entry in entries)
    _, second, unit = next(found for found in _UNITS if longest >= found[0])

    def after(run: int, images: int) -> float:
        return seconds_at(readings[run].timing, images) / second

    return replace(_plot(title, "time", entries, after), unit=unit)


def _plot(
    title: str, against: str, entries: Sequence[Entry], place: Callable[[int, int], float]
) -> Plot:
    lines: list[Line] = []
    floors: list[Line] = []
    wanted = "less"
    for entry in entries:
        found: list[tuple[float, Measure]] = [
            (place(entry.run, point.images_seen), measure)
            for point in entry.track.points
            for measure in point.measures
            if measure.title == title and measure.estimates is not None
        ]
        if not found:
            continue
        wanted = found[0][1].wanted
        colour, dash = style(entry.run)
        line, floor = lines_of(entry.label, found, colour, ("real pictures", 0))
        lines.append(
            replace(line, dash=dash, band=line.band if len(entries) <= _MOST_BANDS else ())
        )
        floors.append(floor)
    log = wanted == "less" and all(y > 0 for line in lines for _, y in line.points)
    level = _level(floors)
    if level is not None and (level.points[0][1] > 0 or not log):
        lines.append(level)
    bands = " Bands: 95 % intervals." if any(line.band for line in lines) else ""
    note = f"{'Less' if wanted == 'less' else 'More'} is better.{bands}"
    if log:
        note += " On a logarithmic scale."
    heading = title[0].upper() + title[1:]
    return Plot(f"{heading} against {against}", note, lines, log=log, zero=not log, size="wide")


def _level(floors: Sequence[Line]) -> Line | None:
    """One line for the floor, where all runs have the same."""
    values = [y for line in floors for _, y in line.points]
    if not values or max(values) - min(values) > _SAME_FLOOR * abs(max(values)):
        return None
    places = [x for line in floors for x, _ in line.points]
    value = values[0]
    return replace(floors[0], points=[(min(places), value), (max(places), value)])
