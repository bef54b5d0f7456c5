"""Kill a study at random moments, and see that it ends with the same table.

Runs a small study once without interruption, then again with KILLS violent ends of its process
(and, every second time, of its trials), each followed by the same command. In the end all that
the trials found must be equal; how long they took may not be.

    python benchmarks/kill_study.py --kills 10
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SMALL = "'training.batch=16', 'training.precision=fp32'"
_NARROW = "'generator.channels=8', 'discriminator.channels=8'"
_PLAN = f"""
name = "killed"
seeds = 2
budget = "6400img"
[datasets]
faces = "portraits:600@32"
[methods.gan]
recipe = "gan"
set = [{_SMALL}]
[methods.dcgan]
recipe = "dcgan"
set = [{_SMALL}, {_NARROW}]
pretraining = {{ dataset = "portraits:600", share = 0.3 }}
without.pretraining = {{ pretraining = false }}
[methods.wild]
recipe = "dcgan"
set = [{_SMALL}, {_NARROW}, "stages.*.*.lr=1e30"]
[measure]
extractors = ["efflite0@64"]
n = 100
curve = 4
curve_n = 100
[[claims]]
says = "Convolution helps."
test = "better(dcgan, gan)"
"""
# What a trial took, and not what it found.
_TIMES = {"wall_seconds"}


def main() -> None:
    """Run both, compare, and leave with status 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plan.toml").write_text(_PLAN, "utf-8")
        begin = time.perf_counter()
        assert _start(folder, "whole").wait() == 0
        seconds = time.perf_counter() - begin
        print(f"uninterrupted: {seconds:.0f} s", flush=True)
        # What was measured once is measured once: the speeds are the same study's.
        (folder / "killed").mkdir()
        for file in ("study.toml", "study.json"):
            shutil.copy(folder / "whole" / file, folder / "killed" / file)
        ended = _run_and_kill(folder, options.kills, seconds, random.Random(options.seed))
        print(f"killed {options.kills} times, with {ended} of the trials ended", flush=True)
        whole, killed = (_table(folder / each) for each in ("whole", "killed"))
    if whole != killed:
        sys.exit("DIFFERENT tables")
    print(f"equal: all {len(whole)} rows of results.csv but for {', '.join(sorted(_TIMES))}")


def _run_and_kill(folder: Path, kills: int, seconds: float, chance: random.Random) -> list[int]:
    """Kill so many lives; then let one live to the end. How many trials had ended each time."""
    ended = []
    for number in range(kills):
        process = _start(folder, "killed")
        time.sleep(chance.uniform(0.05, 2.0) * seconds / kills + 2.0)
        if number % 2:
            for child in _children(process.pid):
                os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()
        ended.append(len(list((folder / "killed" / "trials").glob("*/*/*/result.json"))))
    assert _start(folder, "killed").wait() == 0
    return ended


def _start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "facegan", "study", str(folder / "plan.toml")]
    return subprocess.Popen(
        [*command, "--out", str(folder / name)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _children(pid: int) -> list[int]:
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in file.read_text().split()] if file.exists() else []


def _table(study: Path) -> list[dict[str, str]]:
    with (study / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if key not in _TIMES} for row in rows]


if __name__ == "__main__":
    main()
