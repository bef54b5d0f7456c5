"""Training shared by several processes of this machine, started and watched from one.

`train(…, processes=N)` starts `python -m facegan.apps.shared` N times, connected as torchrun
would connect them, and is told by the main one what happens, line by line. So reporters, loggers
and errors are those of whoever called, in a script, a notebook or the command line.
"""

from __future__ import annotations

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
from facegan.training.signals import stop_on_signals

if TYPE_CHECKING:
    import numpy as np

    from facegan.apps.train import Outcome
    from facegan.recipe import Recipe
    from facegan.runs.directory import RunDirectory

# Those that were asked to stop are saving; those that wait for a dead one never end.
_GRACE_SECONDS = 30.0


def train_in_processes(
    count: int, recipe: Recipe, run: RunDirectory, reporter: Reporter, **options: Any
) -> Outcome:
    """Train in `count` processes, and pass on what the main one tells.

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
        heard = _Told(recipe, run, reporter, group.ask_to_stop)
        try:
            for line in group.events:
                heard.take(json.loads(line))
            statuses = group.wait()
        finally:
            group.kill()
            heard.end()
        if heard.error is not None:
            lost = _killed(statuses) if isinstance(heard.error, ConnectionLost) else None
            raise lost or heard.error
        # Once the main one has said how it ended, all is saved.
        if heard.outcome is None:
            _explain(stop.signal, statuses)
        outcome = heard.outcome
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
                    [sys.executable, "-m", "facegan.apps.shared"],
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
    def events(self) -> IO[str]:
        """What the main process tells, in lines of JSON, until it ends."""
        events = self._running[0].stdout
        assert events is not None
        return events

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
        heard, deadline = False, None
        while any(process.poll() is None for process in self._running):
            if not heard and (self._asked or self._stop()):
                heard = True
                for process in self._running:
                    process.send_signal(signal.SIGTERM)
            if deadline is None and any(process.poll() for process in self._running):
                deadline = time.monotonic() + _GRACE_SECONDS
            if deadline is not None and time.monotonic() > deadline:
                for process in self._running:
                    process.kill()
            time.sleep(0.05)


class _Told:
    """What the main process tells, as calls of a reporter."""

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
