"""Kill a training run with SIGKILL at random moments, and see that nothing is lost.

Trains once without interruption, then again with KILLS violent ends, each followed by the
same command; in the end both must have the same bytes in every file of the last checkpoint,
in every sample grid and in metrics.jsonl.

    python benchmarks/kill_resume.py --kills 50
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Small networks and many checkpoints, so that kills also fall into the writing of one.
_SETTINGS = {
    "generator.channels": 8,
    "discriminator.channels": 8,
    "training.batch": 32,
    "training.ticks": 200,
    "training.snapshots": 100,
    "training.precision": "fp32",
}


def main() -> None:
    """Run both, compare, and leave with status 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--budget", default="100kimg")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = folder / "dataset"
        drawing = ["data", "portraits", str(dataset), "-n", "1000", "--resolution", "32"]
        subprocess.run([sys.executable, "-m", "facegan", *drawing], check=True)
        begin = time.perf_counter()
        assert _train(dataset, folder / "whole", options.budget).wait() == 0
        print(f"uninterrupted: {time.perf_counter() - begin:.0f} s", flush=True)
        kills, points = _train_and_kill(dataset, folder / "killed", options)
        print(f"killed {kills} times; lives began from {len(set(points))} different states")
        differing = _differences(folder / "whole", folder / "killed")
    if differing:
        sys.exit("DIFFERENT: " + ", ".join(differing))
    print("equal: the last checkpoint's files, every sample grid, metrics.jsonl")


def _train_and_kill(dataset: Path, run: Path, options: argparse.Namespace) -> tuple[int, list[str]]:
    """Kill so many lives; then let one live to the end."""
    chance = random.Random(options.seed)
    kills, points = 0, []
    while kills < options.kills:
        points.append(max((p.name for p in (run / "checkpoints").glob("[0-9]*k")), default=""))
        reached = _seen(run)
        process = _train(dataset, run, options.budget)
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0.0, 4.0))  # also while it starts and picks up its state
        else:
            while process.poll() is None and _seen(run) <= reached:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 1.0))
        if process.poll() is not None:
            sys.exit(f"The run ended after {kills} kills: give it a larger --budget.")
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    assert _train(dataset, run, options.budget).wait() == 0
    return kills, points


def _train(dataset: Path, run: Path, budget: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "facegan", "train", "dcgan"]
    command += ["--data", str(dataset), "--run", str(run), "--budget", budget]
    for key, value in _SETTINGS.items():
        command += ["--set", f"{key}={value}"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _seen(run: Path) -> int:
    """Images seen in the journal's last whole line."""
    journal = run / "metrics.jsonl"
    if not journal.exists():
        return 0
    whole = journal.read_text("utf-8").rpartition("\n")[0].splitlines()
    return int(json.loads(whole[-1])["images_seen"]) if whole else 0


def _differences(one: Path, other: Path) -> list[str]:
    """Relative paths of the files that should be equal and are not."""
    found = [_files(one), _files(other)]
    return sorted(name for name in found[0] | found[1] if found[0].get(name) != found[1].get(name))


def _files(run: Path) -> dict[str, str]:
    last = max((run / "checkpoints").glob("[0-9]*k"))
    chosen = [run / "metrics.jsonl", *last.iterdir(), *(run / "samples").glob("*.png")]
    return {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in chosen}


if __name__ == "__main__":
    main()
