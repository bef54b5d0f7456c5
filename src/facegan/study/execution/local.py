"""Trials on this machine: one process each, the cores divided between them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from facegan.errors import DeviceError
from facegan.memory import usable_cores
from facegan.study.execution import COMMAND, ENVIRONMENT, GiveUp, Watch
from facegan.study.execution.process import GRACE, Attempts, blocked, last_words, watched_by_parent

_POLL = 0.2  # seconds


@dataclass(frozen=True)
class Slot:
    """A part of the machine that runs one trial at a time.

    Attributes:
        number: from 0.
        cores: of the processor; bound to them where the system can.
        environment: what a trial there has in its environment.
    """

    number: int
    cores: tuple[int, ...]
    environment: Mapping[str, str]


@dataclass
class _Running:
    folder: Path
    process: subprocess.Popen[bytes]
    slot: Slot


def slots(workers: int, gpus: Sequence[str] = ()) -> list[Slot]:
    """Divide the machine.

    Args:
        workers: trials at once; at most one for each core.
        gpus: their identifiers, as in CUDA_VISIBLE_DEVICES, dealt out in turn; empty where
            trials run on the processor.

    Raises:
        DeviceError: for more workers than cores.
    """
    cores = usable_cores()
    if not 1 <= workers <= len(cores):
        raise DeviceError(
            f"{workers} trials at once: there are {len(cores)} cores.",
            f"Give `workers` from 1 to {len(cores)}.",
        )
    each = len(cores) // workers
    found = []
    for number in range(workers):
        environment = {"OMP_NUM_THREADS": str(each)}
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        mine = tuple(cores[number * each : (number + 1) * each])
        found.append(Slot(number, mine, environment))
    return found


def run(
    trials: Sequence[Path],
    where: Sequence[Slot],
    watch: Watch,
    give_up: GiveUp,
    command: Sequence[str] = COMMAND,
) -> None:
    """Perform trials until each has a result.

    Args:
        trials: their folders, in the order in which to begin them; each holds `trial.json`.
        where: as many at once.
        watch: told what happens.
        give_up: called with a folder and a reason for a trial whose process ended
            `ATTEMPTS` times without a result; writes a result that says so.
        command: performs the trial whose folder is added to it.

    Raises:
        KeyboardInterrupt: after Ctrl-C or SIGTERM; the trials that ran have saved.
        TrainingError: where a trial could not go on for what is not its own fault, such as a
            full disk, and the others have saved; or was killed again and again, and the others
            have ended.
    """
    waiting = list(trials)
    attempts = Attempts(watch, give_up)
    free = list(where)
    running: list[_Running] = []
    try:
        with terminated_as_interrupt():
            while waiting or running:
                while waiting and free:
                    running.append(_start(waiting.pop(0), free.pop(0), command, watch))
                ended = [each for each in running if each.process.poll() is not None]
                for each in ended:
                    running.remove(each)
                    free.insert(0, each.slot)
                    if not _settled(each, attempts, watch):
                        waiting.insert(0, each.folder)
                free.sort(key=lambda slot: slot.number)
                watch.tick()
                if not ended:
                    time.sleep(_POLL)
    finally:
        _stop(running)
    attempts.require_none_killed()


def _start(folder: Path, slot: Slot, command: Sequence[str], watch: Watch) -> _Running:
    process = watched_by_parent(folder, command, slot.environment)
    if hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(process.pid, slot.cores)
        except OSError:
            watch.say(f"Worker {slot.number} could not be bound to its cores.")
    watch.started(folder, f"worker {slot.number}")
    return _Running(folder, process, slot)


def _settled(each: _Running, attempts: Attempts, watch: Watch) -> bool:
    """Whether a trial whose process has ended is done with."""
    status = each.process.returncode
    if each.process.stdin is not None:
        each.process.stdin.close()
    if (each.folder / "result.json").exists():
        watch.ended(each.folder)
        return True
    if status == ENVIRONMENT:
        raise blocked(each.folder, last_words(each.folder))
    reason = f"its process ended {_how(status)}: {last_words(each.folder)}"
    killed = os.name != "nt" and status == -signal.SIGKILL
    return not attempts.failed(each.folder, "", reason, killed)


def _how(status: int) -> str:
    if status >= 0:
        return f"with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"by {name}" + (" (perhaps for want of memory)" if name == "SIGKILL" else "")


@contextlib.contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """SIGTERM is a KeyboardInterrupt inside the block, where signals reach this thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(running: Sequence[_Running]) -> None:
    """Ask trials to save and end; a second Ctrl-C, or too long a wait, ends them at once."""
    try:
        for each in running:
            each.process.terminate()
        deadline = time.monotonic() + GRACE
        for each in running:
            each.process.wait(timeout=max(deadline - time.monotonic(), 0.1))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        pass
    finally:
        for each in running:
            each.process.kill()
            each.process.wait()
