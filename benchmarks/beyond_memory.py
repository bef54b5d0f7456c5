"""Train and evaluate on a dataset that is larger than the memory the process may use.

Makes a dataset of drawn blobs once, then trains the same short run twice, in turn: in a control
group with a limit of memory (which counts the system's cache of the file, too), and without one.
Prints the speeds, their ratio and the peak of memory. Status 1 if a run was killed. Needs the right
to make control groups (root in most containers), version 1 or 2.

    python benchmarks/beyond_memory.py /tmp/big --pictures 12000 --resolution 256 --limit 900
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from facegan.data.writer import DatasetWriter

_GROUPS = Path("/sys/fs/cgroup")
_SMALL = (
    *("--set", "generator.channels=4", "--set", "discriminator.channels=4"),
    *("--set", "training.batch=16", "--set", "training.snapshots=1"),
    *("--set", "training.precision=fp32", "--device", "cpu", "--threads", "1"),
)


def main() -> None:
    """Make the dataset, train with and without the limit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=12_000)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--limit", type=int, default=900, help="MB")
    parser.add_argument("--images", type=int, default=640, help="that each run is shown")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    dataset = options.folder / f"blobs-{options.pictures}-{options.resolution}"
    if not dataset.exists():
        make(dataset, options.pictures, options.resolution)
    size = (dataset / "images.npy").stat().st_size
    print(f"dataset: {size / 1e6:,.0f} MB; limit: {options.limit:,} MB")
    speeds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(options.rounds):
        for limited in (True, False):
            run = options.folder / f"run-{number}-{limited}"
            shutil.rmtree(run, ignore_errors=True)
            limit = options.limit << 20 if limited else None
            speed, peak = train(dataset, run, options.images, limit)
            speeds[limited].append(speed)
            said = "with the limit" if limited else "without"
            print(f"{said}: {speed:.2f} img/s, peak {peak / 1e6:,.0f} MB", flush=True)
    ratio = statistics.median(speeds[True]) / statistics.median(speeds[False])
    print(f"speed with the limit over that without: {ratio:.2f}")


def make(path: Path, pictures: int, resolution: int) -> None:
    """Blobs, in batches, so that this needs little memory too."""
    random = np.random.default_rng(0)
    with DatasetWriter(path, resolution, 3) as writer:
        for begin in range(0, pictures, 64):
            count = min(64, pictures - begin)
            coarse = random.integers(0, 256, (count, 8, 8, 3), np.uint8)
            images = coarse.repeat(resolution // 8, 1).repeat(resolution // 8, 2)
            names = [f"{begin + place:07}.png" for place in range(count)]
            splits = ["holdout" if place % 10 == 9 else "train" for place in range(count)]
            writer.add(images, names, names, splits, names)
        writer.finish({"name": "blobs", "source": "drawn", "licence": "CC0-1.0"})


def train(dataset: Path, run: Path, images: int, limit: int | None) -> tuple[float, int]:
    """Images a second of one run, and the most memory that it had."""
    words = [sys.executable, "-m", "facegan", "train", "dcgan", "--data", str(dataset)]
    words += ["--run", str(run), "--budget", f"{images}img", *_SMALL]
    with group(limit) as (joins, peak):
        begun = time.perf_counter()
        done = subprocess.run(words, preexec_fn=joins, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            print(f"status {done.returncode} after {time.perf_counter() - begun:.0f} s")
            sys.exit(1)
        most = peak()
    lines = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()]
    return statistics.median(line["img_per_s"] for line in lines), most


@contextlib.contextmanager
def group(limit: int | None) -> Iterator[tuple[Callable[[], object], Callable[[], int]]]:
    """What a child calls to be in a new control group, and the peak of that group's memory."""
    old = (_GROUPS / "memory").is_dir()
    folder = (_GROUPS / "memory" if old else _GROUPS) / f"facegan-{os.getpid()}"
    folder.mkdir()
    try:
        if limit is not None:
            (folder / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(limit))
        peak = folder / ("memory.max_usage_in_bytes" if old else "memory.peak")
        yield (
            lambda: (folder / "cgroup.procs").write_text(str(os.getpid())),
            lambda: int(peak.read_text()),
        )
    finally:
        folder.rmdir()


if __name__ == "__main__":
    main()
