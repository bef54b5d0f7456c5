"""Kill a study at random moments, and see that it ends with the same table.

Runs a small study once without interruption, then again with KILLS violent ends of its process
(and, every second time, of its trial), each followed by the same command. In the end all that
the trials found must be equal; how long they took may not be. Where a study ends before all kills
are done, another one is begun. Processes are forks of this one, so that a kill costs no start-up.

    python benchmarks/kill_study.py --kills 50
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from forked import command_line, fork, lighter, plain_feature_space, run

_SMALL = "'training.batch=16', 'training.precision=fp32', 'training.snapshots=10'"
_GAN = "'generator.hidden=[16]', 'discriminator.hidden=[16]'"
_DCGAN = "'generator.channels=4', 'discriminator.channels=4'"
_PLAN = f"""
name = "killed"
seeds = 2
budget = "1600img"
[datasets]
faces = "portraits:300@32"
[methods.gan]
recipe = "gan"
set = [{_SMALL}, {_GAN}]
[methods.dcgan]
recipe = "dcgan"
set = [{_SMALL}, {_DCGAN}]
pretraining = {{ dataset = "portraits:300", share = 0.3 }}
[methods.wild]
recipe = "dcgan"
set = [{_SMALL}, {_DCGAN}, "stages.*.*.lr=1e30"]
[measure]
extractors = ["plain"]
n = 60
curve = 2
curve_n = 60
[[claims]]
says = "Convolution helps."
test = "better(dcgan, gan)"
"""
# What a trial took, and not what it found.
_TIMES = {"wall_seconds"}
# Seconds of the processor, at most, that a life has beyond its start.
_LIFE = 0.6


class Forked:
    """A trial's process, as `subprocess.Popen` would be, but a fork of this one.

    Args:
        folder: of the trial.
        environment: beside that of this process.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        from facegan.study.execution import PARENT_WATCH

        read, write = os.pipe()

        def task() -> int:
            from facegan.study import worker

            os.dup2(read, 0)
            os.close(write)
            os.environ |= {**environment, PARENT_WATCH: "1"}
            sys.argv = ["worker", str(folder)]
            return worker.main()

        self.pid = fork(task, folder / "log.txt")
        os.close(read)
        self.stdin = os.fdopen(write, "wb")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = 3600.0) -> int:
        """Wait for it."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a trial", timeout)
            time.sleep(0.02)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """Ask it to save and end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def main() -> None:
    """Run both, compare, and leave with status 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    lighter()
    plain_feature_space()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["FACEGAN_CACHE"] = str(folder / "cache")
        (folder / "plan.toml").write_text(_PLAN, "utf-8")
        begin = _children()
        assert run(lambda: _study(folder, "whole"), folder / "said") == 0, _said(folder)
        print(f"uninterrupted: {_children() - begin:.0f} s of the processor", flush=True)
        whole = _table(folder / "whole")
        kills, points, different = _run_and_kill(folder, options, whole)
        print(f"killed {kills} times, in {points} different states", flush=True)
    if different:
        sys.exit("DIFFERENT tables: " + ", ".join(different))
    print(f"equal: all {len(whole)} rows of results.csv but for {', '.join(sorted(_TIMES))}")


def _run_and_kill(
    folder: Path, options: argparse.Namespace, whole: list[dict[str, str]]
) -> tuple[int, int, list[str]]:
    """Kill so many lives, of as many studies as that takes; each lives to its end at last."""
    chance = random.Random(options.seed)
    points: set[str] = set()
    different: list[str] = []
    kills, start = 0, 0.5
    number = 0
    while kills < options.kills:
        name = f"killed-{(number := number + 1)}"
        (folder / name).mkdir()
        # What was measured once is measured once: the speeds are the same study's.
        for file in ("study.toml", "study.json"):
            shutil.copy(folder / "whole" / file, folder / name / file)
        while True:
            before = _reached(folder / name)
            points.add(f"{number} {before}")
            seconds = start + chance.uniform(0.0, _LIFE)
            if chance.random() < 0.2:
                seconds = chance.uniform(0.02, start)
            last = kills == options.kills
            status = _life(folder, name, 1e9 if last else seconds, trial_too=kills % 2 == 1)
            if status == -signal.SIGKILL:
                kills += 1
                start *= 1.03 if _reached(folder / name) == before else 0.97
            elif status == 0:
                break
            else:
                sys.exit(_said(folder))
        if _table(folder / name) != whole:
            different.append(name)
    return kills, len(points), different


def _life(folder: Path, name: str, seconds: float, trial_too: bool) -> int:
    """Run the study until it ends, or has computed for so long; then it is killed."""
    pid = fork(lambda: _study(folder, name), folder / "said")
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        children = _below(pid)
        if sum(map(_computed, [pid, *children])) >= seconds:
            break
        time.sleep(0.02)
    if trial_too:
        for child in children:
            with contextlib.suppress(ProcessLookupError):  # it ended a moment ago
                os.kill(child, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    for child in children:  # it saves and ends as soon as it sees that the study is gone
        while _runs(child):
            time.sleep(0.02)
    return os.waitstatus_to_exitcode(status)


def _study(folder: Path, name: str) -> int:
    from facegan.study.execution import local

    execution: Any = local

    def start(trial: Path, command: Sequence[str], environment: Mapping[str, str]) -> Forked:
        return Forked(trial, environment)

    execution.watched_by_parent = start
    return command_line(["study", str(folder / "plan.toml"), "--out", str(folder / name)])


def _said(folder: Path) -> str:
    return (folder / "said").read_text("utf-8", "replace")[-2000:]


def _reached(study: Path) -> str:
    """How far a study is: its results and checkpoints."""
    found = [*study.glob("trials/*/*/*/result.json"), *study.glob("trials/*/*/*/*/checkpoints/*k")]
    return " ".join(sorted(str(path.relative_to(study)) for path in found))


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _below(pid: int) -> list[int]:
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in file.read_text().split()] if file.exists() else []


def _runs(pid: int) -> bool:
    """Whether a process is there, and not one that ended and is not waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _computed(pid: int) -> float:
    """Seconds of the processor that a process and those that it waited for have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _table(study: Path) -> list[dict[str, str]]:
    with (study / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if key not in _TIMES} for row in rows]


if __name__ == "__main__":
    main()
