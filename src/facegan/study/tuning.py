"""The same search for every method before they are compared.

Methods that were tuned beat methods that were not, whatever they are (Lucic et al. 2018,
arXiv:1711.10337). A plan with `[tuning]` gives each the same number of trials with the same
budget over the same ranges, with seeds that the comparison does not use. The first trial is the
method as the plan has it. The settings with the least FD are those that are compared. The search
is random, and its draws are the same for all methods.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from facegan.config import Config
from facegan.errors import RecipeError
from facegan.seeding import TUNING, random

if TYPE_CHECKING:
    import numpy as np

    from facegan.study.results import TrialResult

Value = bool | int | float | str


class Range(Config):
    """What a setting is drawn from: between two numbers, or among values.

    Attributes:
        low: the least.
        high: the largest.
        scale: whether logarithms are drawn evenly, or the numbers.
        whole: whether numbers are rounded to whole ones.
        among: values, each as probable as another, in the place of the four.
        times: whether the number multiplies what the method has, and does not take its place: a
            schedule stays a schedule, and two players' rates stay as different as they are.
    """

    low: float | None = None
    high: float | None = None
    scale: Literal["log", "linear"] = "log"
    whole: bool = False
    among: tuple[Value, ...] = ()
    times: bool = False

    @model_validator(mode="after")
    def _sound(self) -> Range:
        if self.times and (self.whole or not all(map(_positive, self.among))):
            raise ValueError("what a setting is multiplied by is a positive number")
        if self.among:
            if self.low is not None or self.high is not None:
                raise ValueError("a range has low and high, or among, not both")
            return self
        if self.low is None or self.high is None or not self.low < self.high:
            raise ValueError("a range has low and high, with low below high, or among")
        if self.scale == "log" and self.low <= 0:
            raise ValueError("a logarithmic range begins above 0; or give scale = 'linear'")
        return self

    def draw(self, generator: np.random.Generator) -> str:
        """A value, as an override has it."""
        if self.among:
            value = self.among[int(generator.integers(len(self.among)))]
            return str(value).lower() if isinstance(value, bool) else str(value)
        assert self.low is not None
        assert self.high is not None
        if self.scale == "log":
            ends = math.log(self.low), math.log(self.high)
            number = math.exp(generator.uniform(*ends))
        else:
            number = generator.uniform(self.low, self.high)
        return str(round(number)) if self.whole else f"{number:.3g}"


def _positive(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


class Tuning(Config):
    """A search before the comparison, equal for all methods.

    Attributes:
        trials: of each method on each dataset; the first is the method as it is.
        budget: of each, as a study's.
        seed: of the first; the others have the next ones. None may be one of the comparison's.
        ranges: by the name of the setting in a recipe, such as `stages.*.*.lr`.
        ablations: whether a method without one of its parts is searched by itself; otherwise it
            takes the settings of the whole one.
    """

    trials: Annotated[int, Field(ge=2, le=1000)]
    budget: str
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1000
    ranges: Annotated[dict[str, Range], Field(min_length=1)]
    ablations: bool = True

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of its trials, the same for every method."""
        return tuple(range(self.seed, self.seed + self.trials))

    def candidates(self, more: Mapping[str, Range]) -> list[tuple[str, ...]]:
        """The overrides of each trial: none for the first.

        Args:
            more: ranges of the method's own.
        """
        found: list[tuple[str, ...]] = [()]
        for number in range(1, self.trials):
            # The common settings first, so that all methods draw the same.
            draws = random(self.seed, TUNING, number)
            ranges = [*self.ranges.items(), *more.items()]
            found.append(
                tuple(
                    f"{key}{'*=' if each.times else '='}{each.draw(draws)}" for key, each in ranges
                )
            )
        return found


def multiplied(values: Any, key: str, factor: float) -> list[str]:
    """The overrides that multiply a setting wherever a recipe has it.

    Args:
        values: of the recipe, nested.
        key: `a.b`, with `*` for every table at its level.
        factor: what numbers are multiplied by; of a schedule, its `start` and its `end`.

    Raises:
        RecipeError: it is nowhere, or is no number.
    """
    found = []
    for path, value in _places(values, key.split("."), ""):
        if isinstance(value, dict) and {"start", "end"} <= value.keys():
            changed = {k: v * factor if k in ("start", "end") else v for k, v in value.items()}
            inside = ",".join(f"{k}={_toml(v)}" for k, v in changed.items())
            found.append(f"{path}={{{inside}}}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append(f"{path}={_toml(value * factor)}")
        else:
            raise RecipeError(f"{path} is {value!r}, which nothing can multiply.")
    if not found:
        raise RecipeError(f"{key} is nowhere in the recipe.", "It cannot be multiplied.")
    return found


def _toml(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else f"{value:.6g}"


def _places(values: Any, parts: list[str], path: str) -> Iterator[tuple[str, Any]]:
    """(path, value) of everything that a key with `*` in it names."""
    if not parts:
        yield path, values
        return
    key, rest = parts[0], parts[1:]
    if isinstance(values, list):
        tables = {str(place): value for place, value in enumerate(values)}
    else:
        tables = dict(values) if isinstance(values, dict) else {}
    for name, value in tables.items():
        if name == key or (key == "*" and isinstance(value, dict) and name != "method"):
            yield from _places(value, rest, f"{path}.{name}" if path else name)


def ranged(values: Range) -> str:
    """A range in words."""
    times = " times what the method has" if values.times else ""
    if values.among:
        return f"one of {', '.join(map(str, values.among))}{times}"
    kind = "logarithmic" if values.scale == "log" else "even"
    whole = ", whole" if values.whole else ""
    return f"{values.low:g} to {values.high:g}{times}, {kind}{whole}"


class SearchTrial(Config):
    """One trial of a search.

    Attributes:
        seed: of the trial.
        settings: its overrides; none for the method as it is.
        status: `waiting` until it has ended.
        fd: at its end; None where it failed, or was not measured.
        images: shown to the discriminator.
        seconds: machine-seconds of training.
        wall_seconds: that training and measuring took in fact.
    """

    seed: int
    settings: tuple[str, ...]
    status: Literal["finished", "failed", "waiting"] = "waiting"
    fd: float | None = None
    images: int = 0
    seconds: float = 0.0
    wall_seconds: float = 0.0


class Tuned(Config):
    """What the search for one method on one dataset found.

    Attributes:
        trials: in order.
    """

    trials: tuple[SearchTrial, ...]

    @property
    def chosen(self) -> int:
        """The number of the trial with the least FD, from 0; 0 where none has one."""
        known = [(trial.fd, number) for number, trial in enumerate(self.trials)]
        return min(((fd, n) for fd, n in known if fd is not None), default=(0.0, 0))[1]

    @property
    def settings(self) -> tuple[str, ...]:
        """The overrides that are compared."""
        return self.trials[self.chosen].settings

    @property
    def ended(self) -> int:
        """How many trials have ended."""
        return sum(trial.status != "waiting" for trial in self.trials)


def search_trial(seed: int, settings: tuple[str, ...], trial: TrialResult | None) -> SearchTrial:
    """A trial of a search, from its result; None while there is none."""
    if trial is None:
        return SearchTrial(seed=seed, settings=settings)
    return SearchTrial(
        seed=seed,
        settings=settings,
        status=trial.status,
        fd=trial.score("fd") if trial.status == "finished" else None,
        images=trial.images,
        seconds=trial.seconds,
        wall_seconds=trial.wall_seconds,
    )
