"""Values that change over a training run, as functions of its progress.

Progress runs from 0 to 1 over the budget, so that one recipe serves any budget.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from facegan.config import Config

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Section = TypeVar("Section", bound=Config)


class _Ramp(Config):
    """Goes from `start` to `end` while progress goes from `begin` to `finish`; flat outside."""

    start: float
    end: float
    begin: Fraction = 0.0
    finish: Fraction = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> _Ramp:
        if self.finish <= self.begin:
            raise ValueError(f"finish ({self.finish}) must be after begin ({self.begin})")
        return self

    def _position(self, progress: float) -> float:
        return min(max((progress - self.begin) / (self.finish - self.begin), 0.0), 1.0)


class Linear(_Ramp):
    """A straight line between two values."""

    kind: Literal["linear"]

    def at(self, progress: float) -> float:
        """The value at `progress` in [0, 1]."""
        return self.start + (self.end - self.start) * self._position(progress)


class Cosine(_Ramp):
    """Half a cosine wave between two values: slow, fast, slow."""

    kind: Literal["cosine"]

    def at(self, progress: float) -> float:
        """The value at `progress` in [0, 1]."""
        rise = (1.0 - math.cos(math.pi * self._position(progress))) / 2.0
        return self.start + (self.end - self.start) * rise


# A plain number is a constant schedule.
Schedule = float | Annotated[Linear | Cosine, Field(discriminator="kind")]


def value_at(schedule: float | Linear | Cosine, progress: float) -> float:
    """Resolve a schedule, or a plain number, at `progress` in [0, 1]."""
    return schedule.at(progress) if isinstance(schedule, Linear | Cosine) else schedule


def bounds(schedule: float | Linear | Cosine) -> tuple[float, float]:
    """The smallest and largest value that a schedule takes."""
    if isinstance(schedule, Linear | Cosine):
        return min(schedule.start, schedule.end), max(schedule.start, schedule.end)
    return schedule, schedule


def _positive(schedule: float | Linear | Cosine) -> float | Linear | Cosine:
    low, high = bounds(schedule)
    if high <= 0 or low < 0:
        raise ValueError("It should be greater than 0; a schedule may begin or end at 0")
    return schedule


PositiveSchedule = Annotated[Schedule, AfterValidator(_positive)]


def _not_negative(schedule: float | Linear | Cosine) -> float | Linear | Cosine:
    if bounds(schedule)[0] < 0:
        raise ValueError("It should be at least 0")
    return schedule


NonNegativeSchedule = Annotated[Schedule, AfterValidator(_not_negative)]


def _share(schedule: float | Linear | Cosine) -> float | Linear | Cosine:
    low, high = bounds(schedule)
    if low < 0 or high > 1:
        raise ValueError("It should stay between 0 and 1")
    return schedule


ShareSchedule = Annotated[Schedule, AfterValidator(_share)]


def resolve(section: Section, progress: float) -> tuple[Section, dict[str, float]]:
    """A section as it is at one moment, with a plain number in the place of every schedule.

    Args:
        section: of a recipe, with sections of its own inside it.
        progress: of whatever the schedules run over, in [0, 1].

    Returns:
        The section (itself, if it has no schedules) and the value of each schedule by its
        path: `penalty.gamma`, `betas.1`.
    """
    values: dict[str, float] = {}
    return _resolve(section, progress, "", values), values


def constant(value: float | Linear | Cosine) -> float:
    """The number that `resolve` left in the place of a schedule.

    Raises TypeError if it is a schedule still: whoever computes with a section gets it resolved.
    """
    if isinstance(value, Linear | Cosine):
        raise TypeError(f"{value!r} was not resolved")
    return value


def _resolve(value: Any, progress: float, path: str, values: dict[str, float]) -> Any:
    if isinstance(value, Linear | Cosine):
        values[path] = value_at(value, progress)
        return values[path]
    if isinstance(value, tuple):
        items = [
            _resolve(item, progress, f"{path}.{index}", values) for index, item in enumerate(value)
        ]
        changed = any(new is not old for new, old in zip(items, value, strict=True))
        return tuple(items) if changed else value
    if isinstance(value, Config):
        fields = {
            name: (getattr(value, name), f"{path}.{name}" if path else name)
            for name in type(value).model_fields
        }
        update = {
            name: new
            for name, (old, inner) in fields.items()
            if (new := _resolve(old, progress, inner, values)) is not old
        }
        return value.model_copy(update=update) if update else value
    return value
