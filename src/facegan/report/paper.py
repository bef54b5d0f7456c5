"""Figures as papers print them: at a column's width, in PDF, PNG and SVG, with embedded fonts.

Colours are those of Okabe & Ito (2008, "Color universal design"), without yellow, which vanishes
on white paper. Lines differ in dashes and markers as well, so that a print in grey can be read.
The same figure always gives the same bytes.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from facegan.files import write_bytes, write_text
from facegan.report.plots import Line, Plot, axis_locators, thinned, tick_text
from facegan.report.table import csv_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

# Inches: one column of a two-column page, and the whole text.
COLUMN, TEXT = 3.3, 6.8
_FONT = 8.0
_INK, _GRID = "#000000", "#d0d0d0"
COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7"),
    *("#e69f00", "#56b4e9", "#000000", "#999999"),
)
_MARKERS = "os^Dv<>P"
_DASHES: dict[str, Any] = {"solid": "-", "dashed": (0, (4, 2)), "dotted": (0, (1.2, 1.6))}
_PIXELS_AN_INCH = 300
# More entries than this stand below the drawing, and in a wide one.
_FEW = 4
_AXES = {"kimg": "images shown to the discriminator (thousands)"}
_AXES |= {unit: f"time ({unit})" for unit in ("seconds", "minutes", "hours")}
# Letters of names and notes beyond which bars have the whole width of the text.
_LONG = 22
# Rows of a strip that fit on a page.
_MOST_ROWS = 8

Verdict = Literal["holds", "evidence against", "does not hold", "not enough evidence"]


@dataclass(frozen=True)
class Bar:
    """One row of a figure of bars: a method.

    Attributes:
        label: its name.
        value: the length of the bar.
        interval: its ends; None where there is none.
        dots: what it is made of: the seeds.
        note: at the end of the row, such as a diagnosis.
    """

    label: str
    value: float
    interval: tuple[float, float] | None
    dots: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True)
class Effect:
    """One row of a figure of claims.

    Attributes:
        label: the claim.
        difference: of logarithms, then the ends of its interval.
        verdict: on it.
        marked: whether something of it was changed after results.
    """

    label: str
    difference: tuple[float, float, float]
    verdict: Verdict
    marked: bool


@contextmanager
def _printed() -> Iterator[type[Figure]]:
    """Matplotlib's own settings, whatever the user's are, and those of a print."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = dict(mpl.rcParamsDefault) | {
        "font.family": "DejaVu Sans",
        "font.size": _FONT,
        "axes.labelsize": _FONT,
        "xtick.labelsize": _FONT - 1,
        "ytick.labelsize": _FONT - 1,
        "legend.fontsize": _FONT - 1,
        "axes.linewidth": 0.6,
        "axes.edgecolor": _INK,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        # TrueType, which journals ask for; in SVG letters become outlines.
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": "facegan",
    }
    settings.pop("backend", None)
    with mpl.rc_context(settings):
        yield Figure


def write_plot(plot: Plot, folder: Path, name: str) -> list[Path]:
    """A plot as PDF, PNG and SVG, and its points as CSV."""
    labelled = [line for line in plot.lines if line.label]
    wide = len(labelled) > _FEW
    with _printed() as figure_of:
        figure = figure_of(figsize=(TEXT if wide else COLUMN, 2.9 if wide else 2.3))
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        for number, line in enumerate(plot.lines):
            _line(axes, line, number)
        for mark in plot.marks:
            axes.axvline(mark, color=_GRID, linewidth=0.8, linestyle=_DASHES["dotted"])
        axis_locators(axes, plot)
        axes.set_xlabel(_AXES.get(plot.unit, plot.unit))
        axes.set_ylabel(plot.title.partition(" against ")[0])
        axes.grid(axis="y", color=_GRID, linewidth=0.5)
        axes.set_axisbelow(True)
        if len(labelled) > 1:
            columns = 3 if wide else 2 if len(labelled) > 2 else 1
            where = {"loc": "outside lower center", "ncols": columns} if wide else {"loc": "best"}
            legend = figure.legend if wide else axes.legend
            legend(frameon=False, handlelength=2.2, **where)
        written = _saved(figure, folder, name)
    rows = [
        {"line": line.label, "x": x, "y": y, **_band(line, x)}
        for line in plot.lines
        for x, y in line.points
        if not math.isnan(y)
    ]
    return [*written, write_csv(folder / f"{name}.csv", rows)]


def _line(axes: Axes, line: Line, number: int) -> None:
    colour = COLOURS[(line.colour - 1) % len(COLOURS)] if line.colour else _INK
    if line.band:
        x, low, high = zip(*line.band, strict=True)
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    points = thinned(line.points)
    few = len(points) <= 24 and not (line.thin or line.faint)
    axes.plot(
        [x for x, _ in points],
        [y for _, y in points],
        color=colour,
        linewidth=0.7 if line.thin or line.faint else 1.3,
        linestyle=_DASHES[line.dash],
        alpha=0.45 if line.faint else None,
        marker=_MARKERS[number % len(_MARKERS)] if few else None,
        markersize=3,
        label=line.label or "_",
    )


def _band(line: Line, at: float) -> dict[str, float]:
    found = {x: (low, high) for x, low, high in line.band}
    return {"low": found[at][0], "high": found[at][1]} if at in found else {}


def write_bars(
    bars: Sequence[Bar], axis: str, floor: float | None, folder: Path, name: str
) -> list[Path]:
    """Methods as bars with their seeds and intervals, the best above, as PDF, PNG, SVG and CSV."""
    values = [x for bar in bars for x in (bar.value, *bar.dots) if x > 0]
    log = bool(values) and max(values) > 8 * min([*values, floor or math.inf])
    with _printed() as figure_of:
        beside = max(len(bar.label) + len(bar.note) for bar in bars)
        wide = beside > _LONG
        figure = figure_of(figsize=(TEXT if wide else COLUMN, 0.7 + 0.21 * len(bars)))
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        for place, bar in enumerate(bars):
            _bar(axes, bar, place)
        if floor is not None:
            axes.axvline(floor, color=_INK, linewidth=0.8, linestyle=_DASHES["dashed"])
            axes.annotate(
                "real",
                (floor, 1.0),
                (2, 1),
                textcoords="offset points",
                xycoords=("data", "axes fraction"),
                fontsize=_FONT - 2,
            )
        axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
        axes.set_ylim(len(bars) - 0.5, -0.6)
        if log:
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        _ticks(axes, few=not wide)
        axes.set_xlabel(axis + (", logarithmic" if log else ""))
        axes.tick_params(axis="y", length=0)
        written = _saved(figure, folder, name)
    rows = [
        {
            "method": bar.label,
            "value": bar.value,
            "low": bar.interval[0] if bar.interval else None,
            "high": bar.interval[1] if bar.interval else None,
            "seeds": " ".join(map(repr, bar.dots)),
            "note": bar.note,
        }
        for bar in bars
    ]
    return [*written, write_csv(folder / f"{name}.csv", rows)]


def _bar(axes: Axes, bar: Bar, place: int) -> None:
    colour = COLOURS[0]
    # A bar would have to begin at zero, which a logarithmic axis has not: a mark has no length.
    axes.plot([bar.value], [place], marker="|", markersize=9, markeredgewidth=1.6, color=_INK)
    if bar.interval is not None:
        axes.plot(bar.interval, [place, place], color=colour, linewidth=3.2, alpha=0.35)
    axes.plot(
        bar.dots, [place] * len(bar.dots), linestyle="", marker="o", markersize=3, color=colour
    )
    if bar.note:
        axes.annotate(
            bar.note,
            (1.0, place),
            (3, 0),
            textcoords="offset points",
            xycoords=("axes fraction", "data"),
            fontsize=_FONT - 2,
            va="center",
        )


_SHOWN: dict[Verdict, dict[str, Any]] = {
    "holds": {"marker": "o", "color": "#009e73"},
    "evidence against": {"marker": "X", "color": "#d55e00"},
    "does not hold": {"marker": "o", "markerfacecolor": "white", "color": "#d55e00"},
    "not enough evidence": {"marker": "o", "markerfacecolor": "white", "color": "#777777"},
}


def write_effects(
    effects: Sequence[Effect], margin: float, axis: str, folder: Path, name: str
) -> list[Path]:
    """Claims with the ratio that was found and its interval, as PDF, PNG, SVG and CSV."""
    with _printed() as figure_of:
        labels = [textwrap.fill(e.label + (" *" if e.marked else ""), 44) for e in effects]
        heights = [0.13 * (label.count("\n") + 1) + 0.11 for label in labels]
        figure = figure_of(figsize=(TEXT, 0.85 + sum(heights)))
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        places = [sum(heights[:n]) + heights[n] / 2 for n in range(len(heights))]
        for place, effect in zip(places, effects, strict=True):
            value, low, high = (math.exp(min(max(x, -6.0), 6.0)) for x in effect.difference)
            shown = _SHOWN[effect.verdict]
            axes.plot([low, high], [place, place], color=shown["color"], linewidth=1.2)
            axes.plot([value], [place], markersize=4.5, linestyle="", **shown)
        axes.axvline(1.0, color=_INK, linewidth=0.8)
        for bound in (1 / (1 - margin), 1 / (1 + margin)):
            axes.axvline(bound, color=_INK, linewidth=0.6, linestyle=_DASHES["dotted"])
        axes.set_xscale("log")
        axes.set_yticks(places, labels)
        axes.set_ylim(sum(heights), 0)
        _ticks(axes)
        axes.set_xlabel(axis)
        axes.tick_params(axis="y", length=0)
        for verdict, shown in _SHOWN.items():
            if any(effect.verdict == verdict for effect in effects):
                axes.plot([], [], linestyle="", markersize=4.5, label=verdict, **shown)
        figure.legend(loc="outside upper center", ncols=4, frameon=False)
        written = _saved(figure, folder, name)
    rows = []
    for effect in effects:
        value, low, high = map(math.exp, effect.difference)
        rows.append(
            {
                "claim": effect.label,
                "ratio": value,
                "low": low,
                "high": high,
                "verdict": effect.verdict,
                "changed_after_results": str(effect.marked).lower(),
            }
        )
    return [*written, write_csv(folder / f"{name}.csv", rows)]


def _ticks(axes: Axes, few: bool = False) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if axes.get_xscale() == "log":
        low, high = axes.get_xlim()
        # Few decades need numbers between their powers of ten.
        subs = [1.0] if high / low > 300 else [1.0, 3.0] if few else [1.0, 2.0, 5.0]
        if high / low < 8:
            subs = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0]
        axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=9))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    axes.grid(axis="x", color=_GRID, linewidth=0.5)
    axes.set_axisbelow(True)


def write_strip(rows: Sequence[tuple[str, Image]], folder: Path, name: str) -> list[Path]:
    """Generated pictures, a labelled row for each method or moment, as PDF, PNG and SVG.

    Where they do not fit on a page, they are several figures, `NAME-1` and so on.
    """
    parts = [rows[n : n + _MOST_ROWS] for n in range(0, len(rows), _MOST_ROWS)]
    if len(parts) == 1:
        return _strip(rows, folder, name)
    return [
        path
        for number, part in enumerate(parts, 1)
        for path in _strip(part, folder, f"{name}-{number}")
    ]


def _strip(rows: Sequence[tuple[str, Image]], folder: Path, name: str) -> list[Path]:
    import numpy as np

    with _printed() as figure_of:
        shapes = [image.height / image.width for _, image in rows]
        label = 0.18
        height = sum(TEXT * shape + label + 0.05 for shape in shapes)
        figure = figure_of(figsize=(TEXT, height))
        top = height
        for (text, image), shape in zip(rows, shapes, strict=True):
            figure.text(0.0, (top - 0.13) / height, text, fontsize=_FONT, va="center")
            top -= label + TEXT * shape
            axes = figure.add_axes((0.0, top / height, 1.0, TEXT * shape / height))
            axes.imshow(np.asarray(image.convert("RGB")), interpolation="nearest", aspect="auto")
            axes.set_axis_off()
            top -= 0.05
        return _saved(figure, folder, name)


def _saved(figure: Figure, folder: Path, name: str) -> list[Path]:
    """The figure in all three forms; without a date, so that it is the same again."""
    metadata: Mapping[str, dict[str, Any]] = {
        "pdf": {"CreationDate": None, "Creator": "facegan", "Producer": None},
        "png": {"Software": "facegan"},
        "svg": {"Date": None, "Creator": "facegan"},
    }
    written = []
    for ending, about in metadata.items():
        target = io.BytesIO()
        figure.savefig(target, format=ending, dpi=_PIXELS_AN_INCH, metadata=about)
        path = folder / f"{name}.{ending}"
        write_bytes(path, target.getvalue())
        written.append(path)
    return written


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Rows with the columns in which they first name them; numbers in full."""
    write_text(path, csv_text(rows))
    return path
