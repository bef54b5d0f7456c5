"""Training shared by several processes of this machine, started and watched from one.

`train(…, processes=N)` starts this module N times, connected as torchrun would connect them. Each
reads the job as a line of JSON on its standard input, which stays open while somebody watches. The
main one writes what happens to its standard output, a line of JSON for each event. So reporters,
loggers and errors are those of the caller, in a script, a notebook or the command line.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from facegan import errors
from facegan.device import MEETING
from facegan.errors import ConnectionLost, FaceganError, TrainingError
from facegan.training.reporter import Reporter
from facegan.training.signals import end_with_parent, stop_on_signals

if TYPE_CHECKING:
    import numpy as np

    from facegan.apps.train import Outcome
    from facegan.device import Execution
    from facegan.recipe import Recipe
    from facegan.runs.directory import RunDirectory

# Those that were asked to stop are saving; those that wait for a dead one never end.
_GRACE_SECONDS = 30.0


def train_in_processes(
    count: int, recipe: Recipe, run: RunDirectory, reporter: Reporter, **options: Any
) -> Outcome:
    """Train in `count` processes, and pass on the events of the main one.

    Ctrl-C and SIGTERM, and a reporter that wants to stop, ask all of them to save and leave. They
    do so too when this process dies.

    Args:
        count: how many.
        recipe: what to train.
        run: the run's folder.
        reporter: told what happens, in this process.
        **options: of `facegan.train`, as plain values.

    Raises:
        FaceganError: what the main one raised.
        TrainingError: where one of them died.
    """
    job = {**options, "run": str(run.path), "recipe": recipe.to_toml()}
    with stop_on_signals() as stop:
        group = _Group(count, json.dumps(job), stop)
        events = _Events(recipe, run, reporter, group.ask_to_stop)
        try:
            for line in group.lines:
                events.take(json.loads(line))
            statuses = group.wait()
        finally:
            group.kill()
            events.end()
        if events.error is not None:
            lost = _killed(statuses) if isinstance(events.error, ConnectionLost) else None
            raise lost or events.error
        # Once the main one has said how it ended, all is saved.
        if events.outcome is None:
            _explain(stop.signal, statuses)
        outcome = events.outcome
    assert outcome is not None
    outcome["run"] = Path(outcome["run"])
    # What they were told by this process is not what this process was told.
    outcome["stopped_by"] = stop.signal
    from facegan.apps.train import Outcome

    return Outcome(**outcome)


def _killed(statuses: list[int]) -> TrainingError | None:
    """What to say where a signal ended one of the processes, and the others lost it."""
    for rank, status in enumerate(statuses):
        if status < 0:
            name = signal.Signals(-status).name
            return TrainingError(
                f"Process {rank + 1} of {len(statuses)} was ended by {name}.",
                "Run the same command again: the run goes on from its last checkpoint.",
            )
    return None


def _explain(stopped_by: str | None, statuses: list[int]) -> None:
    """Raise for processes that did not say how they ended."""
    if stopped_by == "SIGINT":
        raise KeyboardInterrupt  # before any of them listened
    if stopped_by is not None:
        raise SystemExit(128 + signal.Signals[stopped_by])
    shown = ", ".join(map(str, statuses))
    raise _killed(statuses) or TrainingError(
        f"Of {len(statuses)} processes that shared each batch, not all came to the end "
        f"(their exit statuses: {shown}).",
        "What was saved before stays: run the same again to go on from there.",
    )


class _Group:
    """Connected processes; a thread ends them all when one fails or somebody asks.

    Args:
        count: how many.
        job: what each reads from its standard input.
        stop: whether a signal asked them to stop.
    """

    def __init__(self, count: int, job: str, stop: Callable[[], bool]) -> None:
        # They meet in a file: a port that is free now may be another's when they look for it.
        self._folder = tempfile.TemporaryDirectory(prefix="facegan-")
        environment = {
            "OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // count, 1)),
            **os.environ,
            MEETING: (Path(self._folder.name) / "meeting").as_uri(),
            "WORLD_SIZE": str(count),
        }
        self._stop, self._asked = stop, False
        self._running: list[subprocess.Popen[str]] = []
        try:
            for rank in range(count):
                process = subprocess.Popen(
                    [sys.executable, "-m", "facegan.apps.processes"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if rank == 0 else None,
                    encoding="utf-8",
                    env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                    # Ctrl-C is for this process, which tells them.
                    start_new_session=True,
                )
                self._running.append(process)
                assert process.stdin is not None
                process.stdin.write(job + "\n")
                process.stdin.flush()
        except BaseException:
            self.kill()
            raise
        self._guard = threading.Thread(target=self._watch, daemon=True)
        self._guard.start()

    @property
    def lines(self) -> IO[str]:
        """The events of the main process in JSON, until it ends."""
        lines = self._running[0].stdout
        assert lines is not None
        return lines

    def ask_to_stop(self) -> None:
        """Let them save and leave."""
        self._asked = True

    def wait(self) -> list[int]:
        """Their exit statuses, once all have ended."""
        self._guard.join()
        return [process.wait() for process in self._running]

    def kill(self) -> None:
        """End what is left."""
        for process in self._running:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._folder.cleanup()

    def _watch(self) -> None:
        told, deadline = False, None
        while any(process.poll() is None for process in self._running):
            if not told and (self._asked or self._stop()):
                told = True
                for process in self._running:
                    process.send_signal(signal.SIGTERM)
            if deadline is None and any(process.poll() for process in self._running):
                deadline = time.monotonic() + _GRACE_SECONDS
            if deadline is not None and time.monotonic() > deadline:
                for process in self._running:
                    process.kill()
            time.sleep(0.05)


class _Events:
    """The events of the main process, as calls of a reporter."""

    def __init__(
        self, recipe: Recipe, run: RunDirectory, reporter: Reporter, stop: Callable[[], None]
    ) -> None:
        self._recipe, self._run, self._reporter, self._stop = recipe, run, reporter, stop
        self._begun = False
        self.outcome: dict[str, Any] | None = None
        self.error: FaceganError | None = None

    def take(self, event: dict[str, Any]) -> None:
        """Pass one event on."""
        kind, about = event["event"], event["about"]
        if kind == "begin":
            self._begin(*about)
        elif kind == "samples":
            self._reporter.samples(about[0], self._grid(about[0]))
        elif kind == "error":
            self.error = getattr(errors, about[0], FaceganError)(*about[1:])
        elif kind == "outcome":
            self.outcome = about[0]
        else:
            getattr(self._reporter, kind)(*about)
        if kind == "step" and self._reporter.should_stop():
            self._stop()

    def _begin(self, total: int, images_seen: int, described: dict[str, Any]) -> None:
        import torch

        from facegan.device import Execution

        execution = Execution(**{**described, "device": torch.device(described["device"])})
        self._begun = True
        self._reporter.begin(self._recipe, self._run, total, images_seen, execution)

    def _grid(self, images_seen: int) -> np.ndarray:
        """The grid that the main process has just written."""
        import numpy as np

        from facegan.data.pictures import open_picture
        from facegan.runs.checkpoint import folder_name

        with open_picture(self._run.samples / f"{folder_name(images_seen)}.png") as picture:
            grid = np.asarray(picture)
        return grid if grid.ndim == 3 else grid[:, :, None]

    def end(self) -> None:
        """As the main process ended, whatever ended it."""
        if self._begun:
            self._begun = False
            self._reporter.end()


class _EventWriter(Reporter):
    """In the main process: writes an event for each call. Its `end` is the end of the lines."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, event: str, *about: Any) -> None:
        """One line; where nobody listens any more, this process is about to be asked to stop."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"event": event, "about": about}), file=self._stream, flush=True)

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """See `Reporter`."""
        described = {**vars(execution), "device": str(execution.device)}
        self.write("begin", total, images_seen, described)

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """See `Reporter`."""
        self.write("step", images_seen, values)

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """See `Reporter`."""
        self.write("tick", line, timing)

    def measured(self, images_seen: int, values: dict[str, float]) -> None:
        """See `Reporter`."""
        self.write("measured", images_seen, values)

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """Only that there is one: its file is in the run's folder."""
        self.write("samples", images_seen)

    def say(self, message: str) -> None:
        """See `Reporter`."""
        self.write("say", message)


def main() -> int:
    """Be one of the processes: the job comes on standard input, events go to standard output."""
    job = json.loads(_first_line())
    end_with_parent()
    # Whatever else is printed must not stand between the events.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main_one = os.environ["RANK"] == "0"
    writer = _EventWriter(events)
    from facegan.apps.train import train
    from facegan.recipe import Recipe

    recipe = Recipe.parse(job.pop("recipe"))
    try:
        outcome = train(recipe, reporter=writer if main_one else Reporter(), loggers=(), **job)
    except FaceganError as error:
        if main_one:
            writer.write("error", type(error).__name__, error.message, error.hint)
        return error.exit_code
    except Exception:
        # The main one has said what is wrong; the others only lost their connection.
        if main_one:
            raise
        return 1
    if main_one:
        writer.write("outcome", {**vars(outcome), "run": str(outcome.run)})
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
