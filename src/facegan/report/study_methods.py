"""The methods of a study as its page calls and colours them, and the state of its trials."""

from __future__ import annotations

import math
from dataclasses import dataclass

from facegan.errors import FaceganError
from facegan.evaluation.results import ScoreName
from facegan.evaluation.wording import fixed
from facegan.report.overlays import style
from facegan.report.plots import Dash
from facegan.study.plan import Method, Plan
from facegan.study.results import StudyResults

# KID is written in thousandths, as papers have it.
THOUSANDTHS = 1000
# Setbacks beyond ten times the size are not told apart.
_FAR = 10.0


@dataclass(frozen=True)
class Shown:
    """A method on the page.

    Attributes:
        name: in the plan.
        title: in words; an empty string where it has none beside its name.
        colour: 1…8, of its lines.
        dash: of its lines.
    """

    name: str
    title: str
    colour: int
    dash: Dash

    @property
    def key(self) -> str:
        """The CSS classes of its colour and dash."""
        return f"line{self.colour} {self.dash}"


def shown_methods(plan: Plan) -> dict[str, Shown]:
    """Every method by name, in the plan's order."""
    found = {}
    for number, (name, method) in enumerate(plan.all_methods().items()):
        # The name of an ablation says all that its title would.
        title = _title(method) if name in plan.methods else ""
        found[name] = Shown(name, "" if title == name else title, *style(number))
    return found


def _title(method: Method) -> str:
    try:
        return method.title or method.resolved().title
    except FaceganError:
        return ""  # the recipe's own file is gone; its trials are still here


def state(results: StudyResults) -> str:
    """How far the study is, in one sentence."""
    of, ended = len(results.keys), len(results.results)
    failed = sum(result.status == "failed" for result in results.results)
    said = f"All {of:,} trials have ended" if ended == of else f"{ended:,} of {of:,} trials ended"
    said += f", {failed:,} of them failed" if failed else ", none failed" if ended else ""
    waiting = of - ended
    if waiting:
        said += f", {waiting:,} {'is' if waiting == 1 else 'are'} waiting"
    if results.retried:
        said += f"; {results.retried:,} failed before, and were tried again"
    if results.outside:
        said += f"; {results.outside:,} more are in the folder that the plan no longer has"
    return f"{said}."


def scale(metric: ScoreName) -> int:
    """By what a score is multiplied where it is written down."""
    return THOUSANDTHS if metric == "kid" else 1


def brief(value: float) -> str:
    """A number to three digits; whole numbers are not cut."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return fixed(value, min(max(decimals, 0), 6))


def signed(value: float, relative: bool) -> str:
    """`+12 %` or `−0.031`: an improvement, with its sign."""
    if not math.isfinite(value):
        return brief(value)
    if relative:
        if value < -_FAR:
            return f"below {signed(-_FAR, relative)}"
        percent = 100 * value
        text = f"{fixed(percent, 1 if abs(percent) < 9.95 else 0)}\N{NO-BREAK SPACE}%"
    else:
        text = fixed(value, 3)
    return text if text.startswith("−") else f"+{text}"


_UNITS = ((3 * 3600.0, 3600.0, "hours"), (3 * 60.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


def time_unit(longest: float) -> tuple[float, str]:
    """(seconds in a unit, its name) for an axis that ends after so many seconds."""
    return next((seconds, name) for least, seconds, name in _UNITS if longest >= least)
