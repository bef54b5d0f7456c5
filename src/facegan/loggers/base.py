"""What a tracker of runs must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run.

    Attributes:
        path: the run's folder.
        name: what a person calls it.
        recipe: in full, as TOML.
        config: the recipe's values, the images in the whole run and the provenance, as nested
            dicts of plain values.
        images_seen: where it goes on; 0 where it begins.
    """

    path: Path
    name: str
    recipe: str
    config: dict[str, Any]
    images_seen: int


class Logger:
    """Sends a run's curves and sample grids to a tracker.

    A subclass imports its package inside `open`, so that naming it costs nothing. Whatever it
    raises is said in one sentence and ends the logging, never the run. Points are keyed by the
    number of images shown to the discriminator so far.

    Attributes:
        name: what it is asked for by.
        package: the module that must be installed; None where nothing else is needed.
        rewinds: whether the points beyond `images_seen` are hidden by `open`, or replaced by those
            that come again. To a tracker that can do neither, points that it has are not sent
            again: a run that goes on computes the same.
    """

    name: ClassVar[str]
    package: ClassVar[str | None] = None
    rewinds: ClassVar[bool] = False

    def open(self, run: TrackedRun, identity: str | None) -> str | None:
        """Begin a run in the tracker, or take one up.

        Args:
            run: what is trained.
            identity: what this returned when the run began; None where it begins.

        Returns:
            What the tracker calls the run, to find it again; None where nothing is needed.
        """
        raise NotImplementedError

    def scalars(self, images_seen: int, values: dict[str, float]) -> None:
        """One point on each curve. The names of one point come in several calls."""

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """A sample grid: uint8 [H, W, C], of one channel or three."""

    def close(self, finished: bool) -> None:
        """Send what is left. `finished`: whether the budget was spent."""
