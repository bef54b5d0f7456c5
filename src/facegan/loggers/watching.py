"""Loggers as a reporter: what each is sent, and what happens when one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from facegan.files import write_json
from facegan.loggers.base import Logger, TrackedRun
from facegan.parsing import parse_json
from facegan.training.reporter import Reporter

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from facegan.device import Execution
    from facegan.recipe import Recipe
    from facegan.runs.directory import RunDirectory

FILE = "loggers.json"


class Logging(Reporter):
    """Tells loggers of a run. One that fails is left out from there on, and said so.

    The run's folder keeps, in `loggers.json`, what each tracker calls the run, and the last
    point of each kind that it was sent.

    Args:
        loggers: whom to tell.
        say: told when one fails.
    """

    def __init__(self, loggers: Iterable[Logger], say: Callable[[str], None]) -> None:
        self._loggers, self._say = list(loggers), say
        self._memory: dict[str, dict[str, Any]] = {}
        self._file: Path | None = None
        self._seen, self._total = 0, 0

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Begin or take up the run in each tracker; a finished run is left as it is."""
        self._seen, self._total = images_seen, total
        if images_seen >= total:
            self._loggers = []
        if not self._loggers:
            return
        self._file = run.path / FILE
        self._memory = _read(self._file)
        tracked = TrackedRun(
            path=run.path.resolve(),
            name=run.path.resolve().name,
            recipe=recipe.to_toml(),
            config=recipe.values() | {"total_images": total, "provenance": run.provenance()},
            images_seen=images_seen,
        )
        self._each(lambda logger: self._open(logger, tracked))

    def _open(self, logger: Logger, run: TrackedRun) -> None:
        memory = self._memory.setdefault(logger.name, {})
        memory["run"] = logger.open(run, memory.get("run"))
        if logger.rewinds:
            memory["sent"] = {}
        self._remember()

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """Ticks are enough; where the run is decides how it ended."""
        self._seen = images_seen

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """One point on every curve."""
        self._scalars("tick", line["images_seen"], line | timing)

    def measured(self, images_seen: int, values: dict[str, float]) -> None:
        """One point on the curves of probes, or of scores."""
        # Both come at one number of images, one after the other.
        kind = next(iter(values), "").partition("/")[0]
        self._scalars(kind, images_seen, values)

    def _scalars(self, kind: str, images_seen: int, values: dict[str, Any]) -> None:
        numbers = {
            name: float(value)
            for name, value in values.items()
            if name != "images_seen" and isinstance(value, int | float)
        }
        self._point(kind, images_seen, lambda logger: logger.scalars(images_seen, numbers))

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """A sample grid."""
        self._point("samples", images_seen, lambda logger: logger.samples(images_seen, grid))

    def _point(self, kind: str, images_seen: int, send: Callable[[Logger], None]) -> None:
        """Send what a tracker does not have yet."""

        def one(logger: Logger) -> None:
            sent = self._memory[logger.name].setdefault("sent", {})
            if images_seen > sent.get(kind, -1):
                send(logger)
                sent[kind] = images_seen

        self._each(one)
        self._remember()

    def end(self) -> None:
        """Close all."""
        self._each(lambda logger: logger.close(self._seen >= self._total))

    def _each(self, act: Callable[[Logger], None]) -> None:
        for logger in list(self._loggers):
            try:
                act(logger)
            except Exception as error:
                self._loggers.remove(logger)
                first = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
                self._say(
                    f"The logger {logger.name} failed and gets nothing more of this run, which "
                    f"goes on: {first}"
                )

    def _remember(self) -> None:
        """Keep what a run that goes on must know. Where the disk is full, training says so."""
        if self._loggers and self._file is not None:
            write_json(self._file, self._memory)


def _read(file: Path) -> dict[str, dict[str, Any]]:
    """What was kept; nothing of a file that is not there or damaged."""
    try:
        found = parse_json(file.read_bytes())
        return {
            str(name): {
                "run": each["run"] if isinstance(each.get("run"), str) else None,
                "sent": {str(kind): int(seen) for kind, seen in each.get("sent", {}).items()},
            }
            for name, each in found.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, LookupError, OverflowError):
        return {}
