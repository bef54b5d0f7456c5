"""A reporter that cannot end a run: what it cannot print is not printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facegan.device import Execution
from facegan.recipe import Recipe
from facegan.runs.directory import RunDirectory
from facegan.training.loop import Reporter


class Undisturbed:
    """Passes everything on; a pipe that closed or a full disk behind it is no reason to stop.

    Args:
        reporter: who is told, until it cannot speak any more.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter: Reporter | None = reporter

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """See `Reporter`."""
        self._tell(lambda r: r.begin(recipe, run, total, images_seen, execution))

    def end(self) -> None:
        """See `Reporter`."""
        self._tell(lambda r: r.end())

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """See `Reporter`."""
        self._tell(lambda r: r.step(images_seen, values))

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """See `Reporter`."""
        self._tell(lambda r: r.tick(line, timing))

    def say(self, message: str) -> None:
        """See `Reporter`."""
        self._tell(lambda r: r.say(message))

    def _tell(self, what: Callable[[Reporter], None]) -> None:
        if self._reporter is None:
            return
        try:
            what(self._reporter)
        except OSError:  # closed, or no room
            self._reporter = None
