"""One of the processes that share each batch of a run: see `facegan.apps.processes`.

The job comes as a line of JSON on standard input, which stays open while somebody watches. The
main process tells what happens on standard output, a line of JSON for each event.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import IO, TYPE_CHECKING, Any

from facegan.errors import FaceganError
from facegan.training.reporter import Reporter
from facegan.training.signals import end_with_parent

if TYPE_CHECKING:
    import numpy as np

    from facegan.device import Execution
    from facegan.recipe import Recipe
    from facegan.runs.directory import RunDirectory


class _Teller(Reporter):
    """Tells the process that started this one. Its `end` is the end of the lines."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def tell(self, event: str, *about: Any) -> None:
        """One line; where nobody listens any more, this process is about to be asked to stop."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"event": event, "about": about}), file=self._stream, flush=True)

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Tell."""
        described = {**vars(execution), "device": str(execution.device)}
        self.tell("begin", total, images_seen, described)

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """Tell."""
        self.tell("step", images_seen, values)

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """Tell."""
        self.tell("tick", line, timing)

    def measured(self, images_seen: int, values: dict[str, float]) -> None:
        """Tell."""
        self.tell("measured", images_seen, values)

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """Tell that there is one: its file is in the run's folder."""
        self.tell("samples", images_seen)

    def say(self, message: str) -> None:
        """Tell."""
        self.tell("say", message)


def main() -> int:
    """Be one of the processes: the job comes on standard input, events go to standard output."""
    job = json.loads(_first_line())
    end_with_parent()
    # Whatever else is printed must not stand between the events.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main_one = os.environ["RANK"] == "0"
    teller = _Teller(events)
    from facegan.apps.train import train
    from facegan.recipe import Recipe

    recipe = Recipe.parse(job.pop("recipe"))
    try:
        outcome = train(recipe, reporter=teller if main_one else Reporter(), loggers=(), **job)
    except FaceganError as error:
        if main_one:
            teller.tell("error", type(error).__name__, error.message, error.hint)
        return error.exit_code
    except Exception:
        # The main one has said what is wrong; the others only lost their connection.
        if main_one:
            raise
        return 1
    if main_one:
        teller.tell("outcome", {**vars(outcome), "run": str(outcome.run)})
    return 0


def _first_line() -> str:
    """Of standard input, byte by byte: what follows it belongs to the thread that waits."""
    found = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        found += byte
    return found.decode()


if __name__ == "__main__":
    from facegan.startup import leave, tune_process

    tune_process()
    leave(main())
