"""Values that change over a training run, as functions of its progress.

Progress runs from 0 to 1 over the budget, so that one recipe serves any budget.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from facegan.config import Config

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


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
