"""One trial on a node of a cluster that shares no disk with the study."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from facegan.data.dataset import Dataset
from facegan.errors import DataError, DeviceError, storage
from facegan.files import cache_folder, new_folder, read_json, write_json
from facegan.study.execution import ENVIRONMENT
from facegan.study.execution.keeper import Keeper
from facegan.study.execution.mirror import PIECE, Mirror
from facegan.study.execution.process import GRACE, last_words, watched_by_parent
from facegan.version import __version__

# Of a trial that a signal asked to stop, and that has saved.
_STOPPED = (130, 143)


class WrongVersion(DeviceError):
    """A node has another facegan than the scheduler."""


@dataclass(frozen=True)
class Order:
    """What a node is told.

    Attributes:
        trial: its index at the keeper.
        arguments: for this node's Python, before the trial's folder.
        every: seconds between looks at what is to be sent.
        threads: of the processor that are the trial's.
        gpus: that are the trial's; Ray says which.
        version: of facegan.
    """

    trial: int
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
        said: how it ended, and its last line.
    """

    kind: Literal["result", "stopped", "blocked", "lost", "crashed"]
    said: str = ""


def perform(keeper: Keeper, node: str, where: str, order: Order) -> Outcome:
    """Fetch a trial, perform it, and send back what it writes, while it does.

    Args:
        keeper: of the study.
        node: this node's id.
        where: this node, for a person.
        order: what to do.

    Raises:
        Superseded: the trial has gone on elsewhere meanwhile.
        FaceganError: for what prevents the trial from being performed here.
    """
    if order.version != __version__:
        raise WrongVersion(
            f"{where} has facegan {__version__}, and the study runs with {order.version}.",
            "Install the same version on every node.",
        )
    begun = keeper.begin(order.trial, node, where)
    if begun is None:
        return Outcome("stopped")
    with scratch() as folder:
        mirror = Mirror(folder, keeper, order.trial, begun.lease)
        mirror.fetch(begun.files)
        _localise(folder / "trial.json", keeper, begun.datasets)
        stopping = False
        with _process(folder, order) as process:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(order.every)
                mirror.send()
                if not stopping and keeper.stopping(order.trial, begun.lease):
                    stopping = True
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(GRACE)
                    process.kill()
        mirror.send(ended=True)
        return _outcome(folder, process.returncode, stopping)


def _outcome(folder: Path, status: int, stopping: bool) -> Outcome:
    if (folder / "result.json").exists():
        return Outcome("result")
    if stopping or status in _STOPPED:
        return Outcome("stopped")
    said = f"its process ended with status {status}: {last_words(folder)}"
    return Outcome("blocked" if status == ENVIRONMENT else "crashed", said)


@contextlib.contextmanager
def _process(folder: Path, order: Order) -> Iterator[subprocess.Popen[bytes]]:
    """The trial's process, which ends with the block, and, by its leash, with this process."""
    environment = {"OMP_NUM_THREADS": str(order.threads)}
    if order.gpus == 0:  # one that is there is another's
        environment["CUDA_VISIBLE_DEVICES"] = ""
    process = watched_by_parent(folder, [sys.executable, *order.arguments], environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def datasets_of(spec: Mapping[str, Any]) -> list[str]:
    """Every dataset that a `trial.json` names."""
    first = spec.get("pretraining") or {}
    return [spec["dataset"], *(spec.get("mix") or ()), *([first["dataset"]] if first else [])]


def _localise(path: Path, keeper: Keeper, datasets: Mapping[str, str]) -> None:
    """Let a trial find on this node the datasets that it names by the scheduler's paths."""
    spec = read_json(path, "The trial")
    here = {name: name for name in datasets_of(spec)}
    here |= {name: str(_dataset(keeper, datasets[name])) for name in here if name in datasets}
    spec["dataset"] = here[spec["dataset"]]
    spec["mix"] = [here[name] for name in spec.get("mix") or ()]
    if spec.get("pretraining"):
        spec["pretraining"]["dataset"] = here[spec["pretraining"]["dataset"]]
    write_json(path, spec)


def _dataset(keeper: Keeper, fingerprint: str) -> Path:
    """A dataset on this node, fetched once and kept in the cache."""
    from filelock import FileLock

    datasets = cache_folder() / "datasets"
    target = datasets / fingerprint
    with storage(target):
        datasets.mkdir(parents=True, exist_ok=True)
    with FileLock(datasets / f".{fingerprint}.lock"):
        if not target.exists():
            with new_folder(target) as beside:
                for name in keeper.pack_files(fingerprint):
                    with storage(target), (beside / name).open("wb") as file:
                        while piece := keeper.read_dataset(fingerprint, name, file.tell(), PIECE):
                            file.write(piece)
                found = Dataset.open(beside, verify=True).fingerprint
                if found != fingerprint:
                    raise DataError(f"A dataset changed while it was sent to {target}.")
    return target


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one trial, removed at the end; what killed processes left is removed now."""
    from filelock import FileLock

    trials = cache_folder() / "trials"
    with storage(trials):
        trials.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname()  # several may share this folder, and their locks may not reach
    _sweep(trials, host)
    folder = trials / f"{host}-{secrets.token_hex(6)}"
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    with lock:
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def _sweep(trials: Path, host: str) -> None:
    from filelock import FileLock, Timeout

    for folder in trials.glob(f"{host}-*"):
        # The second is held by a trial that has lost the process above it, and is saving.
        mine, theirs = folder.with_name(f".{folder.name}.lock"), folder / ".lock"
        with contextlib.suppress(Timeout, OSError):
            with FileLock(mine, timeout=0), FileLock(theirs, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
            mine.unlink(missing_ok=True)
