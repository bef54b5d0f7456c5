"""Kill a training run at random moments, and see that nothing is lost.

Trains once without interruption, then again with KILLS violent ends, each followed by the
same command; in the end both must have the same bytes in every file of the last checkpoint,
in every sample grid, in the best snapshot and in metrics.jsonl. Each life is a fork of this
process, so that a kill costs no start-up; the system ends it after a random time, unasked.

    python benchmarks/kill_resume.py --kills 200
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

from forked import command_line, fork, lighter, plain_feature_space, run, without_pages

# Small networks, many checkpoints and measurements, so that kills also fall into these.
_SETTINGS = {
    "generator.hidden": "[16]",
    "discriminator.hidden": "[16]",
    "training.batch": 8,
    "training.ticks": 200,
    "training.snapshots": 100,
    "training.precision": "fp32",
    "evaluation.times": 10,
    "evaluation.extractor": "plain",
    "evaluation.n": 50,
    "evaluation.n_real": 50,
}

# Seconds of the processor, at most, that a life has for its steps: a few checkpoints.
_CHECKPOINT = 0.3


def main() -> None:
    """Run both, compare, and leave with status 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--budget", default="8kimg")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    lighter()
    plain_feature_space()
    without_pages()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = folder / "dataset"
        os.environ["FACEGAN_CACHE"] = str(folder / "cache")
        drawing = ["data", "portraits", str(dataset), "-n", "200", "--resolution", "16"]
        assert run(lambda: command_line(drawing), folder / "said") == 0
        assert run(lambda: _perform(dataset, folder / "first", "80img"), folder / "said") == 0
        begin = _children()
        _succeed(_train(dataset, folder / "whole", options.budget))
        seconds = _children() - begin
        print(f"uninterrupted: {seconds:.1f} s of the processor", flush=True)
        kills, points, differing = _train_and_kill(dataset, folder, options)
        print(f"killed {kills} times; lives began from {len(points)} different states")
    if differing:
        sys.exit("DIFFERENT: " + ", ".join(differing))
    print("equal: the last checkpoint's files, every sample grid, the best one, metrics.jsonl")


def _train_and_kill(
    dataset: Path, folder: Path, options: argparse.Namespace
) -> tuple[int, set[str], list[str]]:
    """Kill so many lives, of as many runs as that takes; each run lives to its end at last."""
    chance = random.Random(options.seed)
    points: set[str] = set()
    differing: list[str] = []
    kills = 0
    start = 0.5  # of the processor, until a life computes; found out on the way
    number = 0
    while kills < options.kills:
        run = folder / f"killed-{(number := number + 1)}"
        while True:
            before = _newest(run)
            points.add(f"{number} {before}")
            # Some also while they start and pick up their state.
            seconds = chance.uniform(0.02, 1.2) * start
            if late := chance.random() < 0.8:
                seconds = start + chance.uniform(0.0, _CHECKPOINT)
            if kills == options.kills:
                seconds = 0.0
            status = os.waitpid(_train(dataset, run, options.budget, seconds), 0)[1]
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
                kills += 1
                if late:
                    start *= 1.05 if _newest(run) == before else 0.98
            elif status == 0:
                break
            else:
                sys.exit((folder / "said").read_text("utf-8")[-2000:])
        differing += _differences(folder / "whole", run)
        differing += [str(path) for path in run.rglob(".*.part")]
    return kills, points, differing


def _newest(run: Path) -> str:
    return max((path.name for path in (run / "checkpoints").glob("[0-9]*k")), default="")


def _train(dataset: Path, run: Path, budget: str, cpu_seconds: float = 0.0) -> int:
    return fork(lambda: _perform(dataset, run, budget), run.parent / "said", cpu_seconds)


def _perform(dataset: Path, run: Path, budget: str) -> int:
    words = ["train", "gan", "--data", str(dataset), "--run", str(run), "--budget", budget]
    words += ["--log", "none", "--threads", "1"]
    for key, value in _SETTINGS.items():
        words += ["--set", f"{key}={value}"]
    return command_line(words)


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _succeed(pid: int) -> None:
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status


def _differences(one: Path, other: Path) -> list[str]:
    """Relative paths of the files that should be equal and are not."""
    found = [_files(one), _files(other)]
    return sorted(name for name in found[0] | found[1] if found[0].get(name) != found[1].get(name))


def _files(run: Path) -> dict[str, str]:
    last = max((run / "checkpoints").glob("[0-9]*k"))
    chosen = [run / "metrics.jsonl", *last.iterdir(), *(run / "samples").glob("*.png")]
    chosen += (run / "best").iterdir()
    return {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in chosen}


if __name__ == "__main__":
    main()
