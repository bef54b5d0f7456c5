"""Charts as inline SVG that takes its colours and fonts from the page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup, escape

from facegan.evaluation.wording import brief, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Colours that stand for roles while matplotlib draws; the page's own replace them.
COLOURS = 8
_PAGE = {"#010101": "currentColor", "#020202": "var(--rule)"}
_PAGE |= {f"#0303{n:02x}": f"var(--line{n})" for n in range(1, COLOURS + 1)}
_INK, _RULE = "#010101", "#020202"
# CSS pixels, at which 11 px text is readable on a phone and on three columns of a desktop.
_SIZES = {"small": (360, 210), "wide": (410, 230)}
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 8, 38
# Between the ticks of an axis, times a power of ten.
_STEPS = (1, 2, 5, 10)
# More than the pixels of a chart can show.
_MOST_POINTS = 600
_MARKED = 24

Dash = Literal["solid", "dashed", "dotted"]
_DASHES: dict[Dash, Any] = {"solid": "-", "dashed": (0, (4, 3)), "dotted": (0, (1.2, 2))}
Points = list[tuple[float, float]]
# (from how many seconds, seconds in the unit, its name)
_UNITS = ((3 * 3600.0, 3600.0, "hours"), (3 * 60.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
# With more lines than this, colours and dashes repeat.
MOST_LINES = COLOURS * len(_DASHES)


def style(number: int) -> tuple[int, Dash]:
    """Colour, 1…8, and dash of a run or a method by its number on the page."""
    return number % COLOURS + 1, list(_DASHES)[number // COLOURS % len(_DASHES)]


def key(number: int) -> str:
    """The CSS classes of the same."""
    colour, dash = style(number)
    return f"line{colour} {dash}"


def time_unit(longest: float) -> tuple[float, str]:
    """(seconds in a unit, its name) for an axis that ends after so many seconds."""
    return next((seconds, name) for least, seconds, name in _UNITS if longest >= least)


@dataclass(frozen=True)
class Line:
    """One line of a plot.

    Attributes:
        label: in the legend, and read aloud; empty for a line that is in neither.
        points: (x, y) in the order of x; a NaN breaks the line.
        colour: 1…8, or 0 for the colour of text.
        dash: how it is drawn.
        band: (x, low, high) of an interval around it.
        thin: whether it is something to compare with, and not what was measured.
        faint: whether it is one of several that stand behind what they have in common.
    """

    label: str
    points: Points
    colour: int = 1
    dash: Dash = "solid"
    band: Sequence[tuple[float, float, float]] = ()
    thin: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Plot:
    """What one chart shows.

    Attributes:
        name: in code.
        title: above it.
        note: how to read it, without what follows from the rest.
        lines: at least one, each with at least one point that is no NaN.
        end: where the horizontal axis ends at least.
        unit: of the horizontal axis.
        log: whether the values are shown on a logarithmic scale; they are then positive.
        log_x: whether the horizontal axis is logarithmic; points at 0 are then not shown.
        zero: whether the axis reaches down to zero.
        marks: positions on the horizontal axis to mark.
        size: of the drawing.
        wanted: `less` or `more`, where one is better.
    """

    name: str
    title: str
    note: str
    lines: Sequence[Line]
    end: float = 0.0
    unit: str = "kimg"
    log: bool = False
    log_x: bool = False
    zero: bool = False
    marks: Sequence[float] = ()
    size: Literal["small", "wide"] = "small"
    wanted: str = ""


@dataclass(frozen=True)
class Chart:
    """A plot, drawn.

    Attributes:
        name: in code.
        title: above it.
        note: how to read it.
        legend: (label, CSS classes) of each line.
        svg: an `<svg>` element for use inside HTML.
    """

    name: str
    title: str
    note: str
    legend: tuple[tuple[str, str], ...]
    svg: Markup


def drawn(plots: Sequence[Plot], prefix: str) -> list[Chart]:
    """Draw plots. The same plots and prefix always give the same text.

    Args:
        plots: what to draw.
        prefix: begins the ids in the drawings; another for each call on one page.
    """
    return [
        Chart(plot.name, plot.title, _note(plot), _legend(plot), _svg(plot, f"{prefix}{number}-"))
        for number, plot in enumerate(plots)
    ]


def _note(plot: Plot) -> str:
    said = [plot.note]
    if plot.wanted:
        said.append(f"{plot.wanted.capitalize()} is better.")
    if any(line.band for line in plot.lines):
        said.append("Bands: 95\N{NO-BREAK SPACE}% intervals.")
    axes = (("the vertical axis", plot.log), ("the horizontal axis", plot.log_x))
    if logarithmic := [axis for axis, log in axes if log]:
        said.append(f"Logarithmic: {listed(logarithmic)}.")
    return " ".join(filter(None, said))


def _legend(plot: Plot) -> tuple[tuple[str, str], ...]:
    return tuple(
        (line.label, f"line{line.colour} {line.dash}{' thin' if line.thin else ''}")
        for line in plot.lines
        if line.label
    )


def thinned(points: Points) -> Points:
    """As few points as a chart can show, with every peak, dip and break of the whole."""
    if len(points) <= _MOST_POINTS:
        return points
    size = math.ceil(len(points) / (_MOST_POINTS // 3))
    kept: set[int] = {0, len(points) - 1}
    for start in range(0, len(points), size):
        group = range(start, min(start + size, len(points)))
        known = [i for i in group if not math.isnan(points[i][1])]
        kept |= {i for i in group if math.isnan(points[i][1])} if len(known) < len(group) else set()
        if known:
            kept |= {min(known, key=lambda i: points[i][1]), max(known, key=lambda i: points[i][1])}
    return [points[i] for i in sorted(kept)]


def _svg(plot: Plot, prefix: str) -> Markup:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    width, height = _SIZES[plot.size]
    # Matplotlib's own defaults, whatever the user's settings are; text stays text.
    settings = dict(mpl.rcParamsDefault) | {"svg.fonttype": "none", "svg.hashsalt": plot.title}
    settings.pop("backend", None)
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width / 72, height / 72))
        inside = (width - _LEFT - _RIGHT) / width, (height - _TOP - _BOTTOM) / height
        axes = figure.add_axes((_LEFT / width, _BOTTOM / height, *inside))
        for hidden in (figure.patch, axes.patch, *axes.spines.values()):
            hidden.set_visible(False)
        for mark in plot.marks:
            axes.axvline(mark, color=_INK, linewidth=0.8, linestyle=(0, (2, 3)))
        for line in plot.lines:
            _draw(axes, line)
        _scale(axes, plot)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None})
    return Markup(_for_page(target.getvalue(), prefix, _described(plot)))


def _draw(axes: Axes, line: Line) -> None:
    colour = f"#0303{line.colour:02x}" if line.colour else _INK
    if line.band:
        x, low, high = zip(*line.band, strict=True)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    points = thinned(line.points)
    axes.plot(
        [x for x, _ in points],
        [y for _, y in points],
        color=colour,
        linewidth=1.0 if line.thin or line.faint else 1.6,
        linestyle=_DASHES[line.dash],
        alpha=0.5 if line.faint else None,
        marker="o" if len(points) <= _MARKED and not (line.thin or line.faint) else None,
        markersize=3.5,
        markeredgewidth=0,
    )


def _scale(axes: Axes, plot: Plot) -> None:
    axis_locators(axes, plot)
    axes.tick_params(length=0, labelsize=11, labelcolor=_INK, pad=5)
    axes.grid(axis="y", color=_RULE, linewidth=0.8)
    axes.set_xlabel(plot.unit, fontsize=11, color=_INK, labelpad=3)


def axis_locators(axes: Axes, plot: Plot) -> None:
    """Give both axes the scale, the ends and the numbers that a plot asks for."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    places = [x for line in plot.lines for x, _ in line.points]
    if plot.log_x:
        axes.set_xscale("log")
        axes.set_xlim(min(x for x in places if x > 0), max(plot.end, *places))
        _logarithmic(axes.xaxis)
    else:
        axes.set_xlim(0, max(plot.end, *places) or 1)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=_STEPS))
    if plot.log:
        axes.set_yscale("log")
        _logarithmic(axes.yaxis)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
        axes.margins(y=0.08)
        if plot.zero:
            axes.set_ylim(bottom=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))


def _logarithmic(axis: Axis) -> None:
    from matplotlib.ticker import LogLocator

    axis.set_major_locator(LogLocator(numticks=6, subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(LogLocator(numticks=1))


def tick_text(value: float) -> str:
    """Without an exponent, and with a true minus sign."""
    text = f"{value:.4g}" if 1e-6 > abs(value) > 0 else f"{value:.10f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def _described(plot: Plot) -> str:
    """What a screen reader says in place of the chart."""
    said = []
    for line in (line for line in plot.lines if line.label):
        known = [point for point in line.points if not math.isnan(point[1])]
        (first, before), (last, after) = known[0], known[-1]
        begin, end = (
            f"{x:.6g} kimg" if plot.unit == "kimg" else f"{x:.3g} {plot.unit}"
            for x in (first, last)
        )
        # Three digits, without an exponent for thousands.
        one, other = (brief(y) if abs(y) >= 1000 else f"{y:.3g}" for y in (before, after))
        ends = f"from {one} at {begin} to {other} at {end}"
        said.append(f"{line.label} {ends}")
    return f"{plot.title}: {'; '.join(said)}."


def _for_page(svg: str, prefix: str, description: str) -> str:
    """Make matplotlib's file a part of an HTML page: its ids, colours and fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>|<defs>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    box = re.search(r"<svg\b[^>]*?viewBox=\"([^\"]*)\"[^>]*>", svg)
    assert box is not None
    begin = f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(description)}">'
    svg = begin + svg[box.end() :]
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r"\bfont(-[a-z]+)?: [^;\"]*(; )?", "", svg)
    svg = re.sub(r"\bid=\"", f'id="{prefix}', svg)
    svg = re.sub(r"href=\"#", f'href="#{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}")
    for colour, value in _PAGE.items():
        svg = svg.replace(colour, value)
    return re.sub(r"\n\s*", "\n", svg).strip()
