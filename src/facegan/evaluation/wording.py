"""What was measured, in words: numbers, scores and conditions for pages, terminal and cards."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from facegan.evaluation.results import (
    LESS_IS_BETTER,
    SCORE_TITLES,
    Agreement,
    Estimate,
    Evaluation,
    Faces,
    Kinds,
    ScoreName,
    Spectrum,
)

_MOST_DECIMALS = 6
_MOST_KINDS = 8
# By what a score is multiplied wherever it is shown, as papers have it; its title says so.
_UNITS: dict[ScoreName, int] = {"kid": 1000}
COMPARABLE = (
    "Compare scores only if the dataset, the numbers of images, the extractor and the seed are the "
    "same."
)
# In the place of a ratio to what cannot be told from zero.
NO_RATIO = "–"


@dataclass(frozen=True)
class Formatted:
    """A number and what surrounds it, ready to print.

    Attributes:
        value: the number.
        between: its interval, or an empty string.
    """

    value: str
    between: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.between})" if self.between else self.value


def formatted(estimate: Estimate | None, percent: bool = False) -> Formatted:
    """An estimate with as many decimals as its interval makes sense of.

    Args:
        estimate: the number and its interval; None becomes a dash.
        percent: whether a share in [0, 1] is written in percent.
    """
    if estimate is None:
        return Formatted("–")
    scale = 100 if percent else 1
    value, low, high = (scale * x for x in (estimate.value, estimate.low, estimate.high))
    half = (high - low) / 2
    # The last digit is at most a third of the interval's half.
    decimals = math.ceil(-math.log10(half / 3)) if half > 0 else _significant(value)
    decimals = min(max(decimals, 0), _MOST_DECIMALS)
    unit = " %" if percent else ""
    low_text, high_text = fixed(low, decimals), fixed(high, decimals)
    return Formatted(f"{fixed(value, decimals)}{unit}", f"{low_text} – {high_text}")


def score_title(name: ScoreName, extractor: str) -> str:
    """`FD`, `KID × 10³`; a Fréchet distance is `FID` in the space of `inception` alone."""
    title = SCORE_TITLES[name]
    if extractor == "inception":
        title = title.replace("FD", "FID")
    return f"{title} × 10³" if name in _UNITS else title


def unit(name: ScoreName) -> int:
    """By what a score is multiplied where it is shown under its `score_title`."""
    return _UNITS.get(name, 1)


def in_unit(name: ScoreName, found: Estimate) -> Estimate:
    """A score and its interval as they stand under its `score_title`."""
    by = unit(name)
    return Estimate(value=by * found.value, low=by * found.low, high=by * found.high)


def wanted(name: ScoreName) -> Literal["less", "more"]:
    """Whether less or more is better."""
    return "less" if name in LESS_IS_BETTER else "more"


def arrow(name: ScoreName) -> str:
    """`↓` where less is better, `↑` where more is."""
    return "↓" if name in LESS_IS_BETTER else "↑"


def conditions(evaluation: Evaluation, each: str = "") -> str:
    """What was compared with what, in one sentence.

    Args:
        evaluation: any one of those that were taken alike.
        each: of what there are so many generated pictures, such as ` of each trial`.
    """
    split = {"train": "the training split", "holdout": "the holdout", "all": "all"}
    side, taken = evaluation.resolution, ", during training" if evaluation.training else ""
    return (
        f"{evaluation.n_fake:,} generated images{each} against {evaluation.n_real:,} real images "
        f"of {evaluation.dataset} ({split[evaluation.reference]}, {side} × {side} pixels), "
        f"seed {evaluation.seed}{taken}."
    )


def faces_sentence(faces: Faces) -> str:
    """In how many images a face is found, in one sentence."""
    return (
        f"A face is found in {formatted(faces.generated, percent=True)} of the generated "
        f"images and in {formatted(faces.real, percent=True)} of the real images "
        f"({faces.detector}, n = {faces.n:,})."
    )


def kinds_sentence(found: Kinds) -> str:
    """Which kinds of people are made too seldom, or too often, in a few sentences."""
    parts = []
    for words, some in (("too rarely", found.left_out), ("too often", found.overdone)):
        shown = [
            f"{kind.name} {percent(kind.generated.value)} instead of {percent(kind.real.value)}"
            for kind in some[:_MOST_KINDS]
        ]
        if len(some) > _MOST_KINDS:
            shown.append(f"{len(some) - _MOST_KINDS} more")
        if shown:
            parts.append(f"Generated {words}: {listed(shown)}.")
    said = " ".join(parts) or "No attribute is rarer or more frequent than chance explains."
    return (
        f"Attributes predicted by the attribute reader in {found.n:,} generated and "
        f"{found.n_real:,} real images. {said}"
    )


def percent(share: float) -> str:
    """`0.3 %`, `9.8 %`, `24 %`."""
    return f"{fixed(100 * share, 0 if share >= 0.2 else 1)} %"


def spectrum_sentence(found: Spectrum) -> str:
    """How much detail there is, from coarse to fine, in one sentence."""
    count = len(found.ratios)
    thirds = [found.ratios[i * count // 3 : (i + 1) * count // 3] for i in range(3)]
    coarse, middle, fine = (
        math.exp(sum(math.log(one.value) for one in part) / len(part)) for part in thirds
    )
    return (
        f"Detail, as spectral power relative to real images: coarse {coarse:.2f}, middle "
        f"{middle:.2f}, fine {fine:.2f}, checkerboard {brief(found.checkered.value)}."
    )


def compared(found: Agreement, when: str = "") -> str:
    """Which labels stand beside which, in words; `when` follows the number of pictures."""
    return (
        f"Labels requested for {found.n:,} images{when}, compared with those that the attribute "
        f"reader predicts from them; beside it the same for {found.n_real:,} real images and their "
        "labels. Chance is 0.5 for an AUC and 0 for a correlation."
    )


def plain(value: float) -> str:
    """A number without an interval, to four digits."""
    return fixed(value, min(max(_significant(value), 0), _MOST_DECIMALS))


def brief(value: float) -> str:
    """A number to three digits; whole numbers are not cut."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return fixed(value, min(max(decimals, 0), _MOST_DECIMALS))


def _significant(value: float) -> int:
    """Decimals that leave four digits."""
    return 3 - math.floor(math.log10(abs(value))) if value else 1


def fixed(value: float, decimals: int) -> str:
    """`1,234.5`, with a true minus sign and never `−0`."""
    rounded = round(value, decimals) + 0.0
    return f"{rounded:,.{decimals}f}".replace("-", "−")


def ratio(value: float | None) -> str:
    """`13.3 ×`; a dash where there is none."""
    if value is None:
        return NO_RATIO
    return f"{fixed(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)} ×"


def at_n(name: ScoreName, n: int) -> str:
    """`n 5,000`; `n → ∞` of what is extrapolated: no ratio stands without it."""
    return "n → ∞" if name == "fd_infinity" else f"n {n:,}"


def floor_title(floors: str | None) -> str:
    """What the first floor is, as a column's title; of older evaluations it is not known."""
    shown = {"shared": "real, same people", "apart": "real, other people"}
    return shown.get(floors or "", "real (floor)")


OTHERS = "real, other people"


def kimg(images: int) -> str:
    """Thousands of images, exactly, without idle zeros."""
    return f"{images / 1000:.15g}"


def duration(seconds: float) -> str:
    """`45 s`, `3 min 2 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, part = divmod(minutes, 60)
    return f"{hours} h {part} min" if hours else f"{minutes} min {rest} s"


def listed(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, last = list(items) or [""]
    return f"{', '.join(before)} and {last}" if before else last


def settings(values: dict[str, Any]) -> str:
    """`adam, lr 0.0002, betas 0.5 0.999`: a table of a recipe in reading order."""
    words = [str(values["kind"])] if "kind" in values else []
    for key, value in values.items():
        if key == "kind" or value is None:
            continue
        if isinstance(value, dict):
            text = f"({settings(value)})"
        elif isinstance(value, list):
            items = (f"({settings(v)})" if isinstance(v, dict) else str(v) for v in value)
            text = " ".join(items) or "none"
        else:
            text = str(value)
        words.append(f"{key.replace('_', ' ')} {text}")
    return ", ".join(words)
