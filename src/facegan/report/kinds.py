"""Kinds of people beside real shares, and the spectrum, as the page of a run shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facegan.evaluation.results import Kind, Kinds
from facegan.evaluation.wording import kimg, percent, spectrum_sentence
from facegan.report.plots import Chart, Line, Plot, drawn
from facegan.runs.reading import Measured

# Bars reach a little beyond the largest share.
_ROOM = 1.05


@dataclass(frozen=True)
class ShownKind:
    """One kind as a bar.

    Attributes:
        name: of the kind.
        fill: share of the generated pictures, in percent of the bar.
        low: where the interval of the real share begins, in percent of the bar.
        width: how wide it is.
        text: the generated share.
        beside: the real one.
    """

    name: str
    fill: float
    low: float
    width: float
    text: str
    beside: str


@dataclass(frozen=True)
class ShownKinds:
    """All kinds, sorted.

    Attributes:
        kimg: when they were read.
        found: the numbers.
        groups: (code, title, kinds) with at least one kind each.
    """

    kimg: str
    found: Kinds
    groups: list[tuple[str, str, list[ShownKind]]]


def kinds_shown(evaluations: Sequence[Measured]) -> ShownKinds | None:
    """Of the newest evaluation that read them; None where none did."""
    read = [m for m in evaluations if m.evaluation.kinds is not None]
    if not read or (found := read[-1].evaluation.kinds) is None:
        return None
    rest = sorted((k for k in found.kinds if not k.differs), key=lambda k: k.z)
    groups = (
        ("left-out", "Generated too rarely", found.left_out),
        ("overdone", "Generated too often", found.overdone),
        ("others", "Differences that chance explains", rest),
    )
    return ShownKinds(
        kimg(read[-1].images_seen),
        found,
        [(code, title, [_shown(k) for k in some]) for code, title, some in groups if some],
    )


def _shown(kind: Kind) -> ShownKind:
    end = _ROOM * max(kind.generated.high, kind.real.high)
    places = [
        100 * max(x, 0.0) / end for x in (kind.generated.value, kind.real.low, kind.real.high)
    ]
    fill, low, high = places
    real = percent(kind.real.value)
    return ShownKind(kind.name, fill, low, high - low, percent(kind.generated.value), f"of {real}")


@dataclass(frozen=True)
class ShownSpectrum:
    """The spectrum as a chart.

    Attributes:
        kimg: when it was taken.
        said: in words.
        chart: power over that of real pictures, by frequency.
    """

    kimg: str
    said: str
    chart: Chart


def spectrum_shown(evaluations: Sequence[Measured]) -> ShownSpectrum | None:
    """Of the newest evaluation that took it; None where none did."""
    taken = [m for m in evaluations if m.evaluation.spectrum is not None]
    if not taken or (found := taken[-1].evaluation.spectrum) is None:
        return None
    points = [(float(f), one.value) for f, one in zip(found.frequencies, found.ratios, strict=True)]
    band = [
        (float(f), one.low, one.high)
        for f, one in zip(found.frequencies, found.ratios, strict=True)
    ]
    ends = [float(found.frequencies[0]), float(found.frequencies[-1])]
    plot = Plot(
        "spectrum",
        "Detail by size",
        f"Spectral power of {found.n:,} generated images relative to {found.n_real:,} real "
        "images: below 1, too little detail of that size; above 1, too much.",
        [
            Line("generated", points, 1, band=band),
            Line("real images", [(x, 1.0) for x in ends], 0, "dashed", thin=True),
        ],
        ends[1],
        unit="cycles a side",
        log=True,
    )
    (chart,) = drawn([plot], "spectrum-")
    return ShownSpectrum(kimg(taken[-1].images_seen), spectrum_sentence(found), chart)
