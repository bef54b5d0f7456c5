"""The curves of a run as inline SVG that takes its colours and fonts from the page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

# Colours that stand for roles while matplotlib draws; the page's own replace them.
_ROLES = {"ink": "#010101", "rule": "#020202", "first": "#030303", "second": "#040404"}
_PAGE = {
    "ink": "currentColor",
    "rule": "var(--rule)",
    "first": "var(--first)",
    "second": "var(--second)",
}
# CSS pixels, at which 11 px text is readable on a phone and on three columns of a desktop.
_WIDTH, _HEIGHT = 360, 210
# Between the ticks of an axis, times a power of ten.
_STEPS = (1, 2, 5, 10)

Role = Literal["first", "second"]
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """What one chart shows.

    Attributes:
        title: above it.
        note: one sentence on how to read it.
        series: (key in the journal, label, colour) of each line.
        log: whether the values are shown on a logarithmic scale.
        zero: whether the axis reaches down to zero.
        breaks: whether the lines end at the end of a stage, as what a stage sets does.
    """

    title: str
    note: str
    series: tuple[tuple[str, str, Role], ...]
    log: bool = False
    zero: bool = False
    breaks: bool = False


CHARTS = (
    Chart(
        "Losses",
        "What each network minimises. Only their balance says something: a lower loss is not "
        "a better picture.",
        (
            ("discriminator/adversarial", "discriminator", "first"),
            ("generator/adversarial", "generator", "second"),
        ),
    ),
    Chart(
        "Logits",
        "The discriminator's score of real and of generated pictures. The closer the two, the "
        "harder it is for it to tell them apart.",
        (("logits_real", "real", "first"), ("logits_fake", "generated", "second")),
    ),
    Chart(
        "Gradient norms",
        "How hard each loss pulls at its network, on a logarithmic scale. Spikes are a sign of "
        "instability.",
        (
            ("discriminator/gradient_norm", "discriminator", "first"),
            ("generator/gradient_norm", "generator", "second"),
        ),
        log=True,
    ),
    Chart(
        "Gradient penalty",
        "What the discriminator pays for steep slopes, as weighted in its loss.",
        (("discriminator/penalty", "discriminator", "first"),),
    ),
    Chart(
        "Learning rates",
        "The size of each network's steps, as its schedule had it.",
        (
            ("discriminator/lr", "discriminator", "first"),
            ("generator/lr", "generator", "second"),
        ),
        zero=True,
        breaks=True,
    ),
    Chart(
        "Speed",
        "Training images a second since the line before; saving is not counted.",
        (("img_per_s", "images a second", "first"),),
        zero=True,
    ),
)


@dataclass(frozen=True)
class Curve:
    """A chart, drawn.

    Attributes:
        title: above it.
        note: how to read it.
        legend: (label, colour role) of the lines that have values.
        svg: an `<svg>` element for use inside HTML.
    """

    title: str
    note: str
    legend: tuple[tuple[str, Role], ...]
    svg: str


def curves(
    metrics: Sequence[dict[str, Any]],
    timing: Sequence[dict[str, Any]],
    total: int,
    stage_starts: Sequence[int] = (),
) -> list[Curve]:
    """Draw every chart that has at least one value.

    Args:
        metrics: lines of metrics.jsonl.
        timing: lines of timing.jsonl.
        total: images in the whole run: where the axis ends.
        stage_starts: images at which stages after the first begin, marked in every chart.

    Returns:
        The charts in the order of `CHARTS`. The same lines always give the same text.
    """
    drawn: list[Curve] = []
    for chart in CHARTS:
        lines: list[tuple[str, Role, Points]] = []
        for key, label, role in chart.series:
            points = _points(key, timing if key == "img_per_s" else metrics, chart)
            if points:
                lines.append((label, role, points))
        if lines:
            legend = tuple((label, role) for label, role, _ in lines)
            svg = _draw(chart, lines, total, stage_starts, len(drawn))
            drawn.append(Curve(chart.title, chart.note, legend, svg))
    return drawn


def _points(key: str, lines: Sequence[dict[str, Any]], chart: Chart) -> Points:
    """(kimg, value) of each line; NaN breaks the curve. Empty if there is no value at all."""
    points: Points = []
    stage = None
    for line in lines:
        kimg, value = line["images_seen"] / 1000, line.get(key)
        if chart.breaks and line.get("stage") != stage:
            points.append((kimg, math.nan))
        stage = line.get("stage")
        if not isinstance(value, int | float) or math.isinf(value) or (chart.log and value <= 0):
            value = math.nan
        points.append((kimg, float(value)))
    return points if any(not math.isnan(value) for _, value in points) else []


def _draw(
    chart: Chart,
    lines: list[tuple[str, Role, Points]],
    total: int,
    stage_starts: Sequence[int],
    number: int,
) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    # Matplotlib's own defaults, whatever the user's settings are; text stays text.
    settings = dict(mpl.rcParamsDefault) | {"svg.fonttype": "none", "svg.hashsalt": chart.title}
    settings.pop("backend", None)
    with mpl.rc_context(settings):
        figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72))
        axes = figure.add_axes((46 / _WIDTH, 38 / _HEIGHT, 306 / _WIDTH, 164 / _HEIGHT))
        for hidden in (figure.patch, axes.patch, *axes.spines.values()):
            hidden.set_visible(False)
        for start in stage_starts:
            axes.axvline(start / 1000, color=_ROLES["ink"], linewidth=0.8, linestyle=(0, (2, 3)))
        for _, role, points in lines:
            axes.plot(
                [kimg for kimg, _ in points],
                [value for _, value in points],
                color=_ROLES[role],
                linewidth=1.6,
                # Rates are often equal: the first shows through the gaps of the second.
                linestyle=(0, (4, 3)) if chart.breaks and role == "second" else "-",
                marker="o" if len(points) <= 12 else None,
                markersize=3.5,
                markeredgewidth=0,
            )
        last = max(kimg for _, _, points in lines for kimg, _ in points)
        axes.set_xlim(0, max(total / 1000, last))
        if chart.log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(numticks=6, subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_minor_locator(LogLocator(numticks=1))
        else:
            axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
            axes.margins(y=0.08)
            if chart.zero:
                axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=_STEPS))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.tick_params(length=0, labelsize=11, labelcolor=_ROLES["ink"], pad=5)
        axes.grid(axis="y", color=_ROLES["rule"], linewidth=0.8)
        axes.set_xlabel("kimg", fontsize=11, color=_ROLES["ink"], labelpad=3)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None})
    return _for_page(target.getvalue(), f"chart{number}-", _described(chart, lines))


def _described(chart: Chart, lines: list[tuple[str, Role, Points]]) -> str:
    """What a screen reader says in place of the chart."""
    said = []
    for label, _, points in lines:
        known = [point for point in points if not math.isnan(point[1])]
        (first, before), (last, after) = known[0], known[-1]
        said.append(f"{label} from {before:.3g} at {first:g} kimg to {after:.3g} at {last:g} kimg")
    return f"{chart.title}: {'; '.join(said)}."


def _for_page(svg: str, prefix: str, description: str) -> str:
    """Make matplotlib's file a part of an HTML page: its ids, colours and fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>|<defs>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r"<svg\b[^>]*?viewBox=\"([^\"]*)\"[^>]*>",
        rf'<svg viewBox="\1" role="img" aria-label="{description}">',
        svg,
        count=1,
    )
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r"\bfont(-[a-z]+)?: [^;\"]*(; )?", "", svg)
    svg = re.sub(r"\bid=\"", f'id="{prefix}', svg)
    svg = re.sub(r"href=\"#", f'href="#{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}")
    for role, colour in _ROLES.items():
        svg = svg.replace(colour, _PAGE[role])
    return re.sub(r"\n\s*", "\n", svg).strip()
