"""TensorBoard: event files in the run's folder `tensorboard`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from facegan.loggers.base import Logger, TrackedRun

if TYPE_CHECKING:
    import numpy as np


class TensorBoard(Logger):
    """Curves, sample grids and the recipe, for `tensorboard --logdir RUN`."""

    name: ClassVar[str] = "tensorboard"
    package: ClassVar[str | None] = "tensorboard"
    rewinds: ClassVar[bool] = True
    _writer: Any

    def open(self, run: TrackedRun, identity: str | None) -> str | None:
        """A new event file, which hides what an earlier one has beyond where the run goes on."""
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(run.path / "tensorboard"), purge_step=run.images_seen + 1)
        if identity is None:
            self._writer.add_text("recipe", f"```toml\n{run.recipe}```", run.images_seen)
        return "tensorboard"

    def scalars(self, images_seen: int, values: dict[str, float]) -> None:
        """See `Logger.scalars`."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, images_seen)

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """See `Logger.samples`."""
        self._writer.add_image("samples", grid, images_seen, dataformats="HWC")
        self._writer.flush()

    def close(self, finished: bool) -> None:
        """See `Logger.close`."""
        self._writer.close()
