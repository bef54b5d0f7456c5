"""The worker's side of a measurement: what it is asked, and the one line that it answers.

    PYTHONPATH=benchmarks python benchmarks/peers/workers/plain_worker.py train-dcgan \\
        --images FOLDER --dataset DATASET --scratch FOLDER --steps 10 --warmup 3 --threads 2

The last line of its output is one JSON object: task, figure, parameters, note, peak_mib,
seconds, and torch and capability where it used PyTorch. A worker that cannot measure dies with
an exception; the last line of its standard error is what the table shows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BATCH = 64
LATENT = 100
CHANNELS = 64

_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception)\b")


@dataclass(frozen=True)
class Job:
    """What is asked of a worker.

    Attributes:
        task: one of `roster.TASKS`.
        images: a folder for `ImageFolder`: the training pictures as PNG files of 64 pixels.
        dataset: the same pictures as a dataset of facegan.
        scratch: an empty folder, which is also the working directory.
        archive: the LFW archive; None where it was not given.
        steps: training steps to time, after `warmup` others.
        warmup: steps before the timed ones.
        pictures: to generate.
        width: channels of a residual network at the data's resolution.
        threads: of the processor.
        began: when the worker's process was started, seconds since 1970.
        package: the peer's name in the package index; empty for what is not from there.
        bridge: whether the worker may supply what newer releases took away from the peer.
    """

    task: str
    images: Path
    dataset: Path
    scratch: Path
    archive: Path | None
    steps: int
    warmup: int
    pictures: int
    width: int
    threads: int
    began: float
    package: str
    bridge: bool


@dataclass(frozen=True)
class Measured:
    """What a worker found.

    Attributes:
        figure: in the task's unit.
        parameters: of generator and discriminator, where both were built.
        note: how it was done, where that differs from the other workers.
    """

    figure: float
    parameters: tuple[int, int] | None = None
    note: str = ""


Task = Callable[[Job], Measured]


def gan(train: Task, sample: Task, startup: Task) -> dict[str, Task]:
    """The tasks of a worker that has a DCGAN, by name."""
    training = dict.fromkeys(("train-dcgan", "first-step"), train)
    sampling = dict.fromkeys(("sample", "sample-png", "latency"), sample)
    return training | sampling | {"startup": startup}


def serve(tasks: Mapping[str, Task]) -> None:
    """Do what the command line asks, and print the answer.

    Tasks import their libraries themselves: threads are settled here, before PyTorch starts.

    Args:
        tasks: those that this worker knows.
    """
    job = _job(sys.argv[1:], sorted(tasks))
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(job.threads)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the comparison is about processors
    os.chdir(job.scratch)
    begin = time.perf_counter()
    measured = tasks[job.task](job)
    answer = {
        "task": job.task,
        **asdict(measured),
        "peak_mib": peak_mib(),
        "seconds": time.perf_counter() - begin,
        **_torch(),
    }
    sys.stdout.flush()
    print("\n" + json.dumps(answer), flush=True)


def peak_mib() -> float:
    """The largest resident memory so far, of this process or one that it has waited for."""
    unit = 1 if sys.platform == "darwin" else 1024
    each = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in each) * unit / 2**20


def _torch() -> dict[str, str]:
    """PyTorch's release and the instructions that it uses, if it was used at all."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    capability = torch.backends.cpu.get_cpu_capability()
    return {"torch": torch.__version__, "capability": capability}


def command_seconds(command: Sequence[str]) -> float:
    """Seconds from a command's start to its end.

    Raises:
        ChildProcessError: the command failed; with its last error.
    """
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise ChildProcessError(last_error(done.stderr) or f"exit status {done.returncode}")
    return seconds


def last_error(errors: str) -> str:
    """What a process died of: its last exception's first line, or its last line."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    exceptions = [line for line in errors.splitlines() if _EXCEPTION.match(line)]
    # A command that a worker started died of what follows, and the worker of that.
    return (exceptions or lines or [""])[-1].removeprefix(f"{ChildProcessError.__name__}: ")


def since_start(job: Job, at: float | None = None) -> float:
    """Seconds from the start of the worker's process to `at`, a `perf_counter`; now by default."""
    passed = 0.0 if at is None else time.perf_counter() - at
    return time.time() - passed - job.began


def _job(arguments: Sequence[str], tasks: Sequence[str]) -> Job:
    parser = argparse.ArgumentParser(description="One measurement; see peers/protocol.py.")
    parser.add_argument("task", choices=tasks)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--width", type=int, default=CHANNELS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--began", type=float, default=time.time())
    parser.add_argument("--package", default="")
    parser.add_argument("--bridge", action="store_true")
    options = parser.parse_args(arguments)
    for name in ("images", "dataset", "scratch", "archive"):
        path = getattr(options, name)
        setattr(options, name, path and path.resolve())
    return Job(**vars(options))
