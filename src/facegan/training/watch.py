"""What the loop is given to look at its own progress with. It is told nothing of metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from facegan.networks.interfaces import Generator
from facegan.runs.best import Best


@dataclass(frozen=True)
class Measured:
    """A measurement of the averaged generator.

    Attributes:
        line: for the journal, keyed by images_seen.
        best: what decides whether this is the best snapshot.
        said: one line for a person.
        scores: by name, for whoever draws curves: `evaluation/fd`, `evaluation/coverage`.
    """

    line: dict[str, Any]
    best: Best
    said: str
    scores: dict[str, float] = field(default_factory=dict)


# (averaged generator, images seen) → what was found.
Measure = Callable[[Generator, int], Measured]
