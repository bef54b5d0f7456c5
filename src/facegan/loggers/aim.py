"""Aim: one run there for each run here, in the repository of the current folder or AIM_REPO."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from facegan.loggers.base import Logger, TrackedRun

if TYPE_CHECKING:
    import numpy as np


class Aim(Logger):
    """In the experiment `facegan`. A run that goes on keeps its hash, and Aim keeps one value a
    step: a point that comes again takes the place of the one before.
    """

    name: ClassVar[str] = "aim"
    package: ClassVar[str | None] = "aim"
    rewinds: ClassVar[bool] = True
    _run: Any

    def open(self, run: TrackedRun, identity: str | None) -> str | None:
        """Begin a run, or take it up by its hash."""
        from aim import Run

        self._run = Run(
            run_hash=identity,
            repo=os.environ.get("AIM_REPO"),
            experiment="facegan",
            system_tracking_interval=None,
            capture_terminal_logs=False,  # our terminal output stays ours
        )
        self._run.name = run.name
        self._run["config"] = run.config
        return str(self._run.hash)

    def scalars(self, images_seen: int, values: dict[str, float]) -> None:
        """See `Logger.scalars`."""
        for name, value in values.items():
            self._run.track(value, name=name, step=images_seen)

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """See `Logger.samples`."""
        from aim import Image

        picture = Image(grid.squeeze(), caption=f"{images_seen / 1000:g} kimg")
        self._run.track(picture, name="samples", step=images_seen)

    def close(self, finished: bool) -> None:
        """See `Logger.close`."""
        self._run.close()
