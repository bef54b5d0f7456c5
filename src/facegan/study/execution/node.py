"""One trial on a node of a cluster."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from facegan.data.dataset import Dataset, is_dataset
from facegan.errors import DeviceError, FaceganError
from facegan.files import read_json
from facegan.study.execution import DATASETS, ENVIRONMENT
from facegan.study.execution.process import GRACE, last_words, watched_by_parent
from facegan.study.execution.storage import Place
from facegan.version import __version__

# The trials of this process that run now, for whoever must end them where `perform` cannot.
RUNNING: list[subprocess.Popen[bytes]] = []
# Of a trial that a signal asked to stop, and that has saved.
_STOPPED = (130, 143)


class Desk(Protocol):
    """What a node asks the study's machine."""

    def begin(self, trial: int, node: str, where: str) -> None:
        """Say that a trial begins here."""

    def stopping(self) -> bool:
        """Whether to stop."""


@dataclass(frozen=True)
class Order:
    """What a node is told.

    Attributes:
        trial: its number.
        folder: on the study's machine.
        state: what the trial is called in the storage.
        place: the storage.
        datasets: fingerprints of those that are folders of the study's machine, by name.
        arguments: for this node's Python, before the trial's folder.
        every: seconds between looks at what the trial has written.
        threads: of the processor that are the trial's.
        gpus: that are the trial's; Ray says which.
        version: of facegan.
    """

    trial: int
    folder: Path
    state: str
    place: Place
    datasets: dict[str, str]
    arguments: tuple[str, ...]
    every: float
    threads: int
    gpus: int
    version: str


@dataclass(frozen=True)
class Outcome:
    """How a trial's process ended.

    Attributes:
        kind: `result`: it has one; `stopped`: a signal asked it to stop, and it has saved;
            `blocked`: for want of something that is not its own fault, such as room on the
            disk; `lost`: with its node; `crashed`: all else.
        reason: how it ended, and its last line.
    """

    kind: Literal["result", "stopped", "blocked", "lost", "crashed"]
    reason: str = ""


def perform(desk: Desk, node: str, where: str, order: Order) -> Outcome:
    """Perform a trial, and hand on what it writes while it does.

    Args:
        desk: of the study.
        node: this node's id.
        where: this node, for a person.
        order: what to do.

    Raises:
        FaceganError: for what prevents the trial from being performed here.
    """
    if order.version != __version__:
        raise DeviceError(
            f"{where} has facegan {__version__}, and the study runs with {order.version}.",
            "Install the same version on every node.",
        )
    if desk.stopping():
        return Outcome("stopped")
    if (wrong := order.place.missing()) is not None:
        raise DeviceError(f"{where} cannot perform trials: {wrong[0]}.", wrong[1])
    datasets = {name: str(_dataset(name, order)) for name in order.datasets}
    desk.begin(order.trial, node, where)
    with order.place.opened(order.folder, order.state) as (folder, keep):
        with _process(folder, order, datasets) as process:
            stopping = False
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(order.every)
                keep(False)
                if not stopping and desk.stopping():
                    stopping = True
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(GRACE)
                    process.kill()
        keep(True)
        return _outcome(folder, process.returncode, stopping)


def datasets_of(trials: Sequence[Path]) -> dict[str, Dataset]:
    """The datasets that are folders of this machine, by their names in `trial.json`."""
    names: set[str] = set()
    for folder in trials:
        spec = read_json(folder / "trial.json", "The trial")
        names |= {spec["dataset"], *(spec.get("mix") or ())}
        if spec.get("pretraining"):
            names.add(spec["pretraining"]["dataset"])
    return {name: Dataset.open(name) for name in sorted(names) if is_dataset(Path(name))}


def has_dataset(name: str, fingerprint: str) -> bool:
    """Whether this machine has a dataset at the path that the study's machine has it at."""
    with contextlib.suppress(FaceganError, OSError):
        return Dataset.open(name).fingerprint == fingerprint
    return False


def _dataset(name: str, order: Order) -> Path:
    fingerprint = order.datasets[name]
    found = Path(name) if has_dataset(name, fingerprint) else order.place.dataset(fingerprint)
    if found is None:
        raise DeviceError(
            f"This node does not find the dataset {name} ({fingerprint[:12]}…).",
            "Put it there, at the same path on all nodes; or run the study again with a storage, "
            "through which it is sent.",
        )
    return found


def _outcome(folder: Path, status: int, stopping: bool) -> Outcome:
    if (folder / "result.json").exists():
        return Outcome("result")
    if stopping or status in _STOPPED:
        return Outcome("stopped")
    said = f"its process ended with status {status}: {last_words(folder)}"
    return Outcome("blocked" if status == ENVIRONMENT else "crashed", said)


@contextlib.contextmanager
def _process(
    folder: Path, order: Order, datasets: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The trial's process, which ends with the block, and with this process."""
    environment = {"OMP_NUM_THREADS": str(order.threads), DATASETS: json.dumps(datasets)}
    if order.gpus == 0:  # one that is there is another's
        environment["CUDA_VISIBLE_DEVICES"] = ""
    process = watched_by_parent(folder, [sys.executable, *order.arguments], environment)
    RUNNING.append(process)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        RUNNING.remove(process)
        assert process.stdin is not None
        process.stdin.close()
