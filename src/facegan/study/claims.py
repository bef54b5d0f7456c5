"""Claims as they stand in a plan: `better(ignm, dcgan, metric=fd)`.

Four forms, each about methods of the plan and tested on every dataset of it:

    better(A, B, metric=fd, by=0.0, margin=0.05)   A scores better than B
    no_worse(A, B, metric=fd, margin=0.05)         A is at most so much worse than B
    faster_to(A, B, fd=100, axis=seconds)          A reaches that FD sooner than B
    ablation(A, without=PART, metric=fd, by=0.0)   A is better than A without the part

`by` and `margin` are shares for FD, KID and times (0.05 is five percent) and absolute
differences for precision, recall, density and coverage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from facegan.errors import RecipeError, nearest
from facegan.evaluation.results import ScoreName

Axis = Literal["kimg", "seconds"]
DEFAULT_MARGIN = 0.05


@dataclass(frozen=True)
class Better:
    """A scores better than B.

    Attributes:
        method: A.
        other: B.
        metric: the score.
        by: at least how much better.
        margin: an improvement smaller than this is none worth the name: where the data rule
            out one of this size, the claim does not hold.
    """

    method: str
    other: str
    metric: ScoreName = "fd"
    by: float = 0.0
    margin: float = DEFAULT_MARGIN


@dataclass(frozen=True)
class NoWorse:
    """A is at most `margin` worse than B."""

    method: str
    other: str
    metric: ScoreName = "fd"
    margin: float = DEFAULT_MARGIN


@dataclass(frozen=True)
class FasterTo:
    """A reaches an FD sooner than B, on the curve that is measured on the way.

    Attributes:
        method: A.
        other: B.
        fd: to reach: at most this, in the space and at the n of the plan's curve.
        axis: sooner in what.
        margin: as in `Better`, as a share of the time.
    """

    method: str
    other: str
    fd: float
    axis: Axis = "seconds"
    margin: float = DEFAULT_MARGIN


Test = Better | NoWorse | FasterTo

_FORMS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "better": (("A", "B"), {"metric": str, "by": float, "margin": float}),
    "no_worse": (("A", "B"), {"metric": str, "margin": float}),
    "faster_to": (("A", "B"), {"fd": float, "axis": str, "margin": float}),
    "ablation": (("A",), {"without": str, "metric": str, "by": float, "margin": float}),
}
_EXAMPLES = {
    "better": "better(tanh-gan, gan, metric=fd)",
    "no_worse": "no_worse(ignm-cpu, dcgan, metric=recall, margin=0.02)",
    "faster_to": "faster_to(ignm-cpu, dcgan, fd=100)",
    "ablation": "ablation(ignm, without=attention)",
}


def parse_test(text: str) -> Test:
    """Read a claim's test.

    Raises:
        RecipeError: for anything else than the four forms, with an example of what was meant.
    """
    name, methods, given = _split(text)
    form, allowed = _FORMS[name]
    example = f"For example {_EXAMPLES[name]}."
    if len(methods) != len(form):
        raise RecipeError(
            f"{text!r}: {name} compares {len(form)} method(s) by name, not {len(methods)}.", example
        )
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in allowed:
            raise RecipeError(f"{text!r}: {name} has no {key!r}.", nearest(key, allowed))
        values[key] = _value(text, key, value, allowed[key])
    if name == "faster_to" and "fd" not in values:
        raise RecipeError(f"{text!r} does not say which FD is to be reached.", example)
    if name == "ablation":
        if "without" not in values:
            raise RecipeError(f"{text!r} does not say without which part.", example)
        part = values.pop("without")
        return Better(methods[0], ablated(methods[0], part), **values)
    kinds: dict[str, type[Any]] = {"better": Better, "no_worse": NoWorse, "faster_to": FasterTo}
    test: Test = kinds[name](*methods, **values)
    if test.method == test.other:
        raise RecipeError(f"{text!r} compares {test.method!r} with itself.", example)
    return test


def ablated(method: str, part: str) -> str:
    """What a method without one of its parts is called."""
    return f"{method}-without-{part}"


def _split(text: str) -> tuple[str, list[str], dict[str, str]]:
    """`better(a, b, metric=fd)` → ("better", ["a", "b"], {"metric": "fd"})."""
    name, separator, rest = text.strip().partition("(")
    name = name.strip()
    if not separator or not rest.rstrip().endswith(")"):
        raise RecipeError(f"{text!r} is not a claim.", f"For example {_EXAMPLES['better']}.")
    if name not in _FORMS:
        raise RecipeError(f"{text!r}: there is no comparison {name!r}.", nearest(name, _FORMS))
    methods: list[str] = []
    given: dict[str, str] = {}
    for part in rest.rstrip()[:-1].split(","):
        key, separator, value = (each.strip() for each in part.partition("="))
        if not key or (separator and not value):
            raise RecipeError(f"{text!r} has an empty place.", f"For example {_EXAMPLES[name]}.")
        if separator:
            if key in given:
                raise RecipeError(f"{text!r} says {key} twice.")
            given[key] = value
        elif given:
            raise RecipeError(
                f"{text!r}: methods come before values.", f"For example {_EXAMPLES[name]}."
            )
        else:
            methods.append(key)
    return name, methods, given


def _value(text: str, key: str, value: str, kind: type) -> Any:
    if key == "metric":
        return _one_of(text, key, value, get_args(ScoreName))
    if key == "axis":
        return _one_of(text, key, value, get_args(Axis))
    if kind is str:
        return value
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not (0 < number < 1e9 if key == "fd" else 0 <= number < 1):
        raise RecipeError(
            f"{text!r}: {key}={value} is not allowed.",
            "Give a positive number." if key == "fd" else "Give a number from 0 to below 1.",
        )
    return number


def _one_of(text: str, key: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise RecipeError(f"{text!r}: {key}={value} is not known.", nearest(value, allowed))
    return value
