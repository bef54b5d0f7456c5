"""What the diagnosis reads of a journal: numbers by name, and comparable Fréchet distances.

A journal may come from an older version, or have been edited: whatever is not what it should
be is left out, and nothing raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facegan.optimizers import PLAYERS

if TYPE_CHECKING:
    from facegan.recipe import Recipe

# Of an evaluation and of its feature space (evaluation/results.py): what must be equal before
# two distances are compared.
_CONDITIONS = ("dataset_fingerprint", "reference", "n_real", "n_fake", "seed", "resolution")
# Variety, as a share of the real pictures', that is gained in this share of a run by pictures that
# are on their way.
_RISE, _LATELY = 0.03, 0.145
# An FD below this share of the lowest before it falls.
_FALL = 0.98
_SPACE = ("extractor", "resizer", "fingerprint")


@dataclass(frozen=True)
class Distance:
    """A Fréchet distance (FD) that was measured while training.

    Attributes:
        at: images seen then.
        value: FD.
        low: lower end of its interval.
        high: upper end.
        conditions: all that must be equal before two are compared.
    """

    at: float
    value: float
    low: float
    high: float
    conditions: str

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Line:
    """One line of the journal.

    Attributes:
        at: images seen.
        values: every finite number that stands directly in the line, by name.
        distance: of an evaluation, the FD in its first feature space.
    """

    at: float
    values: dict[str, float]
    distance: Distance | None

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Line | None:
        """None if it is not known where in the run the line belongs."""
        values = {name: number for name in line if (number := _number(line[name])) is not None}
        at = values.get("images_seen")
        return None if at is None else cls(at, values, _distance(line.get("evaluation"), at))

    @property
    def probed(self) -> bool:
        """Whether it holds what `Probe.measure` found."""
        return any(name.startswith("probe/") for name in self.values)

    def probe(self, name: str) -> float:
        """What was probed; NaN, which lies on no side of any limit, where it was not."""
        return self.values.get(f"probe/{name}", math.nan)


@dataclass
class Past:
    """What is known of the run up to a line.

    Attributes:
        total: images in the whole run.
        recipe: of the run, so that nobody is advised to do what he does; None where unknown.
        learning: the networks that learn at present.
        rates: the highest learning rate of each so far.
        penalised: whether the discriminator pays a penalty.
        found: kinds of trouble that were said.
        falling: whether the newest FD is below all but the latest before it, by more than chance.
        rising: whether the variety of the pictures has risen of late: they are on their way.
    """

    total: int
    recipe: Recipe | None = None
    learning: frozenset[str] = frozenset(PLAYERS)
    rates: dict[str, float] = field(default_factory=dict)
    penalised: bool = False
    found: set[str] = field(default_factory=set)
    falling: bool = False
    rising: bool = False
    _varied: list[tuple[float, float]] = field(default_factory=list)
    _distances: dict[str, list[Distance]] = field(default_factory=dict)

    @property
    def loss(self) -> str:
        """Of the adversarial game; empty where it is not known."""
        return str(getattr(self.recipe.method, "loss", "")) if self.recipe is not None else ""

    @property
    def generator(self) -> str:
        """The kind of the generator; empty where it is not known."""
        return str(self.recipe.generator.kind) if self.recipe is not None else ""

    def follow(self, line: Line) -> None:
        """Take in a line."""
        rates = {p: line.values[f"{p}/lr"] for p in PLAYERS if f"{p}/lr" in line.values}
        if rates:
            self.learning = frozenset(rates)
        for player, rate in rates.items():
            self.rates[player] = max(rate, self.rates.get(player, 0.0))
        self.penalised |= "discriminator/penalty" in line.values
        if self.recipe is not None:
            self.penalised |= getattr(self.recipe.method, "penalty", None) is not None
        if (variety := line.probe("diversity")) >= 0:
            self._varied.append((line.at, variety))
            before = [v for at, v in self._varied if at <= line.at - _LATELY * self.total]
            self.rising = not before or variety >= before[-1] + _RISE
        if (distance := line.distance) is not None:
            series = self._distances.setdefault(distance.conditions, [])
            # Pictures that are all alike have an interval of no width: a little is no fall.
            before = [one.value for one in series if one.at <= line.at - _LATELY * self.total]
            self.falling = bool(before) and distance.high < _FALL * min(before)
            series.append(distance)


def _number(value: object) -> float | None:
    """A finite number; None for anything else that JSON can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _distance(evaluation: object, at: float) -> Distance | None:
    if not isinstance(evaluation, dict) or evaluation.get("training") is not True:
        return None
    space = _part(evaluation, "features", 0)
    numbers = [
        _number(_part(space, "scores", "fd", "generated", name))
        for name in ("value", "low", "high")
    ]
    value, low, high = numbers
    if value is None or low is None or high is None:
        return None
    conditions = [_part(evaluation, name) for name in _CONDITIONS]
    conditions += [_part(space, name) for name in _SPACE]
    return Distance(at, value, low, high, repr(conditions))


def _part(value: Any, *path: str | int) -> Any:
    """`value[a][b]…`; None where there is no such part."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value
