"""Trials on a SLURM cluster: one job each, through submitit.

The study's folder is on a disk that all nodes share. A job that is preempted, or reaches its time
limit, saves and goes on in the queue; one whose node is lost is submitted again, and goes on from
its last checkpoint. Every node needs facegan, in the same version, under the same Python.

submitit keeps what it runs, and what came of it, as pickles in the study's folder: whoever may
write there may run programs in your name.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.errors import DeviceError, FaceganError, one_line, storage
from facegan.files import write_text
from facegan.parsing import parse_json
from facegan.study.execution import COMMAND, GiveUp, Watch
from facegan.study.execution import node as nodes
from facegan.study.execution.node import Order, Outcome, datasets_of, perform
from facegan.study.execution.process import GRACE, Attempts, blocked, reached
from facegan.study.execution.storage import SharedFolder
from facegan.training.signals import stop_on_signals
from facegan.version import __version__

_POLL = 0.5  # seconds
# Between questions to SLURM about jobs that have not answered, seconds; submitit's own are 600.
_LOOK = 20.0
_FOLDER, _JOBS = "slurm", "jobs"
# Of a job, where nothing else is asked for: it saves and is queued again when it ends.
_MINUTES = 24 * 60
_REQUEUES = 10_000
# States in which the trial is not to blame.
_LOST = ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "TIMEOUT", "REQUEUED", "REVOKED", "DEADLINE")


def settings(text: str) -> dict[str, str]:
    """`partition=gpu,time=4:00:00` → what is asked of sbatch, by its options' names.

    Raises:
        DeviceError: it has another form.
    """
    found = {}
    for part in filter(None, text.split(",")):
        name, separator, value = part.partition("=")
        name = name.strip().lstrip("-")
        if not separator or not re.fullmatch(r"[a-z][a-z-]*", name) or not value.strip():
            raise DeviceError(
                f"{part!r} is not understood as an option of sbatch.",
                "Write NAME=VALUE, several with commas: partition=gpu,time=4:00:00,mem=8G.",
            )
        found[name] = value.strip()
    return found


def minutes(text: str) -> int:
    """`90`, `1:30:00`, `90:00`, `1-12`, `1-12:30`: a time limit as sbatch takes it, in minutes.

    Raises:
        DeviceError: it is none.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if match is None:
        raise DeviceError(f"{text!r} is no time limit.", "Write 90, 4:00:00 or 1-12:00:00.")
    days, *rest = match.groups()
    parts = [int(part) for part in rest if part is not None]
    if days is not None:
        hours, mins, seconds = (*parts, 0, 0)[:3]
        total = int(days) * 86_400 + hours * 3600 + mins * 60 + seconds
    elif len(parts) == 3:
        total = parts[0] * 3600 + parts[1] * 60 + parts[2]
    else:
        total = parts[0] * 60 + (parts[1] if len(parts) == 2 else 0)
    return max(-(-total // 60), 1)


def load() -> Any:
    """The package `submitit`. Raises DeviceError where it is not installed."""
    try:
        import submitit
    except ImportError as error:
        raise DeviceError(
            f"Studies on SLURM need submitit ({error}).",
            "Install it: pip install 'facegan[slurm]'.",
        ) from error
    return submitit


def run(
    trials: Sequence[Path],
    asked: Mapping[str, str],
    cpus: int,
    gpus: int,
    watch: Watch,
    give_up: GiveUp,
    at_once: int | None = None,
    local: bool = False,
    arguments: Sequence[str] = COMMAND[1:],
    every: float = 5.0,
    look: float = _LOOK,
) -> None:
    """Perform trials until each has a result.

    Args:
        trials: their folders, in the order in which to begin them; each holds `trial.json`.
        asked: what is asked of sbatch beside cores and GPUs, by its options' names.
        cpus: cores for one trial.
        gpus: GPUs for one trial.
        watch: told what happens.
        give_up: called with a folder and a reason for a trial whose process ended
            `ATTEMPTS` times without a result; writes a result that says so. To lose a node, or the
            time limit, is no fault of the trial while it makes progress.
        at_once: jobs in the queue; all by default.
        local: jobs are processes of this machine, started by submitit; to try things out.
        arguments: for a node's Python, which with the trial's folder perform the trial.
        every: seconds between looks at what a trial has written.
        look: seconds between questions to SLURM about jobs that have not answered.

    Raises:
        KeyboardInterrupt: after Ctrl-C or SIGTERM; the trials that ran have saved.
        DeviceError: submitit is not installed, or there is no SLURM.
        TrainingError: where a trial could not go on for what is not its own fault, such as a
            full disk or a folder that a node does not see; the others have saved.
    """
    submitit = load()
    folders = [folder.absolute() for folder in trials]
    root = Path(os.path.commonpath(folders))
    fingerprints = {name: each.fingerprint for name, each in datasets_of(folders).items()}
    executor = _executor(submitit, root / _FOLDER, asked, cpus, gpus, local)
    desk = FileDesk(root / _FOLDER)
    with contextlib.closing(SharedFolder(root)) as place:
        orders = [
            Order(
                *(number, folder, folder.name, place, fingerprints, tuple(arguments)),
                *(every, cpus, gpus, __version__),
            )
            for number, folder in enumerate(folders)
        ]
        dispatcher = _Dispatcher(executor, desk, orders, trials, watch, give_up, at_once, look)
        if not local:
            _cancel_left(submitit, root / _FOLDER)
        dispatcher.run()


def _cancel_left(submitit: Any, folder: Path) -> None:
    """End jobs of this study that an earlier call of it, which was killed, left queued."""
    with contextlib.suppress(OSError):
        for number in (folder / _JOBS).read_text("utf-8").split():
            submitit.SlurmJob(folder, number).cancel(check=False)


def _executor(
    submitit: Any, folder: Path, asked: Mapping[str, str], cpus: int, gpus: int, local: bool
) -> Any:
    if not local and shutil.which("srun") is None:
        raise DeviceError(
            "There is no SLURM on this machine: 'srun' is not found.",
            "Run the study where jobs are submitted from.",
        )
    rest = dict(asked)
    limit = minutes(rest.pop("time", str(_MINUTES)))
    with storage(folder):
        executor = submitit.AutoExecutor(
            folder=folder,
            cluster="local" if local else "slurm",
            **({"local_max_num_timeout": _REQUEUES} if local else {}),
            **({} if local else {"slurm_max_num_timeout": _REQUEUES}),
        )
    executor.update_parameters(name="facegan", timeout_min=limit, cpus_per_task=cpus)
    if gpus:
        executor.update_parameters(gpus_per_node=gpus)
    if not local:
        executor.update_parameters(
            stderr_to_stdout=True,
            # A trial that is asked to stop has as long as any other.
            slurm_signal_delay_s=int(GRACE),
            slurm_additional_parameters=rest,
        )
    return executor


@dataclass(frozen=True)
class FileDesk:
    """What nodes and the study tell each other, as files on the disk that they share.

    Attributes:
        folder: for the files.
    """

    folder: Path

    def begin(self, trial: int, node: str, where: str) -> None:
        """On a node: say that a trial begins here."""
        name = f"begun-{trial:06}-{time.time_ns()}.json"
        write_text(self.folder / name, json.dumps([trial, where]))

    def stopping(self) -> bool:
        """On a node: whether to stop."""
        return (self.folder / "stop").exists()

    def open(self) -> None:
        """Begin anew: nobody is to stop, and nothing is known."""
        with storage(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "stop").unlink(missing_ok=True)
            for path in self.folder.glob("begun-*.json"):
                path.unlink(missing_ok=True)

    def stop(self) -> None:
        """Tell all trials to save and end."""
        write_text(self.folder / "stop", "")

    def news(self) -> list[tuple[int, str]]:
        """Which trials began since the last call, and where, in words."""
        found = []
        for path in sorted(self.folder.glob("begun-*.json")):
            with contextlib.suppress(OSError, ValueError):
                trial, where = parse_json(path.read_bytes())
                found.append((int(trial), str(where)))
            path.unlink(missing_ok=True)
        return found


@dataclass(frozen=True)
class Job:
    """What submitit runs on a node.

    Attributes:
        desk: of the study.
        order: what to do.
    """

    desk: FileDesk
    order: Order

    def __call__(self) -> Outcome:
        """Perform the trial."""
        try:
            return perform(self.desk, "", f"node {socket.gethostname()}", self.order)
        except FaceganError as error:
            return Outcome("blocked", one_line(f"{error.message} {error.hint}", 500))

    def checkpoint(self) -> Any:
        """Shortly before the time limit, or preempted: save, and go on in the queue."""
        from submitit.helpers import DelayedSubmission

        for process in nodes.RUNNING:
            process.terminate()
        for process in nodes.RUNNING:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
        return DelayedSubmission(self)


class _Dispatcher:
    """Sees every trial to its end."""

    def __init__(
        self,
        executor: Any,
        desk: FileDesk,
        orders: Sequence[Order],
        trials: Sequence[Path],
        watch: Watch,
        give_up: GiveUp,
        at_once: int | None,
        look: float,
    ) -> None:
        self._executor, self._desk, self._orders = executor, desk, orders
        self._trials, self._watch = trials, watch
        self._at_once, self._look = at_once or len(trials), look
        self._looked = time.monotonic()
        self._attempts = Attempts(watch, give_up)
        self._jobs: dict[int, Any] = {}
        self._places: dict[int, str] = {}
        self._from: dict[int, str] = {}
        self._remembered = ""

    def run(self) -> None:
        self._desk.open()
        waiting = list(range(len(self._trials)))
        with stop_on_signals() as stop:
            try:
                while waiting or self._jobs:
                    while waiting and len(self._jobs) < self._at_once:
                        self._begin(waiting.pop(0))
                    self._hear()
                    self._ask()
                    ended = [n for n, job in self._jobs.items() if self._done(n, job)]
                    for trial in ended:
                        if not self._settled(trial, self._jobs.pop(trial)):
                            waiting.insert(0, trial)
                    self._remember()
                    self._watch.tick()
                    if stop():
                        raise KeyboardInterrupt
                    if not ended:
                        time.sleep(_POLL)
            finally:
                self._stop()
        self._attempts.require_none_killed()

    def _begin(self, trial: int) -> None:
        self._from[trial] = reached(self._trials[trial])
        self._jobs[trial] = self._executor.submit(Job(self._desk, self._orders[trial]))
        self._remember()

    def _remember(self) -> None:
        jobs = "".join(f"{job.job_id}\n" for job in self._jobs.values())
        if jobs != self._remembered:
            self._remembered = jobs
            write_text(self._desk.folder / _JOBS, jobs)

    def _hear(self) -> None:
        for trial, where in self._desk.news():
            self._places[trial] = where
            self._watch.started(self._trials[trial], where)

    def _ask(self) -> None:
        """Learn of jobs that ended without a word."""
        if self._jobs and time.monotonic() - self._looked >= self._look:
            self._looked = time.monotonic()
            with contextlib.suppress(NotImplementedError):  # on this machine there is nobody to ask
                next(iter(self._jobs.values())).watcher.update()

    def _done(self, trial: int, job: Any) -> bool:
        return (self._trials[trial] / "result.json").exists() or bool(job.done())

    def _settled(self, trial: int, job: Any) -> bool:
        """Whether a trial whose job has ended is done with."""
        folder, where = self._trials[trial], self._places.pop(trial, "a node")
        outcome, killed = self._outcome(folder, job)
        if outcome.kind == "result":
            self._watch.ended(folder)
            return True
        if outcome.kind == "blocked":
            raise blocked(folder, outcome.reason, where)
        if outcome.kind in ("lost", "stopped") and reached(folder) != self._from[trial]:
            self._attempts.again(folder, f"{where}, {outcome.reason or 'it was stopped'}")
            return False
        return not self._attempts.failed(folder, f"on {where}, ", outcome.reason, killed)

    def _outcome(self, folder: Path, job: Any) -> tuple[Outcome, bool]:
        """How a job ended, and whether it was killed for want of memory."""
        if (folder / "result.json").exists():
            return Outcome("result"), False
        state = str(job.state)
        said = f"its job ended as {state}"
        if job.paths.result_pickle.exists():
            try:
                found: Outcome = job.result()
                return found, False
            except Exception as error:  # whatever submitit makes of a job that failed
                said += f": {one_line(_last(error))}"
        if state.startswith(_LOST):
            return Outcome("lost", said), False
        return Outcome("crashed", said), state.startswith("OUT_OF_ME")

    def _stop(self) -> None:
        """Let the trials save and end; those that only wait are taken out of the queue."""
        if not self._jobs:
            return
        self._desk.stop()
        self._hear()
        for trial, job in self._jobs.items():
            if trial not in self._places:
                job.cancel(check=False)
        deadline = time.monotonic() + 1.5 * GRACE
        left = dict(self._jobs)
        with contextlib.suppress(KeyboardInterrupt):
            while left and time.monotonic() < deadline:
                left = {n: job for n, job in left.items() if not job.done()}
                time.sleep(_POLL if left else 0.0)
        for trial, job in left.items():
            job.cancel(check=False)
            self._watch.say(
                f"{self._trials[trial]} did not end in time: {reached(self._trials[trial])} counts."
            )
        for trial in self._jobs:
            if (self._trials[trial] / "result.json").exists():
                self._watch.ended(self._trials[trial])
        self._jobs.clear()
        self._remember()


def _last(error: BaseException) -> str:
    """The last line of an error that says anything."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
