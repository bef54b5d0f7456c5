"""Weights & Biases: one run there for each run here, online or offline as WANDB_MODE says."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from facegan.loggers.base import Logger, TrackedRun

if TYPE_CHECKING:
    import numpy as np

# How long the end of a run waits for what is not sent yet; `wandb sync` sends it later.
_PATIENCE_SECONDS = 60.0


class WeightsAndBiases(Logger):
    """In the project WANDB_PROJECT, or `facegan`; its files lie in the run's folder `wandb`.

    A run that goes on keeps its id. Its steps are images seen, and Weights & Biases ignores a
    step before the last that it has: so nothing is shown twice.
    """

    name: ClassVar[str] = "wandb"
    package: ClassVar[str | None] = "wandb"
    _run: Any

    def open(self, run: TrackedRun, identity: str | None) -> str | None:
        """Begin a run with an id of our own, or take it up."""
        import wandb

        identity = identity or uuid.uuid4().hex
        settings = wandb.Settings(
            console="off",  # our terminal output stays ours
            silent=True,
            finish_timeout=_PATIENCE_SECONDS,
        )
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "facegan",
            id=identity,
            name=run.name,
            resume="allow",
            dir=run.path,
            config=run.config,
            allow_val_change=True,  # the budget, where a run was extended
            settings=settings,
        )
        return identity

    def scalars(self, images_seen: int, values: dict[str, float]) -> None:
        """See `Logger.scalars`."""
        self._run.log(values, step=images_seen)

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """See `Logger.samples`."""
        import wandb

        picture = wandb.Image(grid, caption=f"{images_seen / 1000:g} kimg")
        self._run.log({"samples": picture}, step=images_seen)

    def close(self, finished: bool) -> None:
        """See `Logger.close`."""
        self._run.finish()
