"""Train and evaluate on a dataset that is larger than the memory the process may use.

Makes a dataset of drawn blobs once, then trains the same short run twice, in turn: in a control
group with a limit of memory (which counts the system's cache of the file, too), and without one.
Prints the speeds, their ratio and the peak of memory. Status 1 if a run was killed. Needs the right
to make control groups (root in most containers), version 1 or 2.

    python benchmarks/beyond_memory.py /tmp/big --pictures 12000 --resolution 256 --limit 900

With `--against`, the run without the limit trains on so many of the pictures, which stay in memory:
what reading costs. FFHQ has 70,000 pictures, 13.8 GB at 256 pixels:

    python benchmarks/beyond_memory.py /tmp/big --pictures 70000 --limit 2000 --against 1024
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from facegan.data.append import GrowingArray
from facegan.data.dataset import fingerprint
from facegan.data.writer import DatasetWriter

_GROUPS = Path("/sys/fs/cgroup")
# Pictures that differ.
_DRAWN = 4096
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
    parser.add_argument("--against", type=int, help="pictures of the run without the limit")
    parser.add_argument("--unmeasured", action="store_true", help="leave out the runs' evaluations")
    options = parser.parse_args()
    counts = {True: options.pictures, False: options.against or options.pictures}
    datasets = {}
    for limited, count in counts.items():
        datasets[limited] = options.folder / f"blobs-{count}-{options.resolution}"
        if not datasets[limited].exists():
            make(datasets[limited], count, options.resolution)
        size = (datasets[limited] / "images.npy").stat().st_size
        said = f"; limit: {options.limit:,} MB" if limited else ", without a limit"
        print(f"dataset: {size / 1e6:,.0f} MB{said}", flush=True)
    speeds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(options.rounds):
        for limited in (True, False):
            run = options.folder / f"run-{number}-{limited}"
            shutil.rmtree(run, ignore_errors=True)
            limit = options.limit << 20 if limited else None
            more = ("--set", "evaluation.times=0") if options.unmeasured else ()
            speed, peak = train(datasets[limited], run, options.images, limit, more)
            speeds[limited].append(speed)
            said = "with the limit" if limited else "without"
            print(f"{said}: {speed:.2f} img/s, peak {peak / 1e6:,.0f} MB", flush=True)
    ratio = statistics.median(speeds[True]) / statistics.median(speeds[False])
    print(f"speed with the limit over that without: {ratio:.2f}")


def make(path: Path, pictures: int, resolution: int) -> None:
    """Blobs; beyond some thousand pictures they repeat, so that many gigabytes take a minute."""
    random = np.random.default_rng(0)
    first = path if pictures <= _DRAWN else path.with_name(f"{path.name}-first")
    with DatasetWriter(first, resolution, 3, overwrite=True) as writer:
        for begin in range(0, min(pictures, _DRAWN), 64):
            count = min(64, pictures - begin)
            coarse = random.integers(0, 256, (count, 8, 8, 3), np.uint8)
            images = coarse.repeat(resolution // 8, 1).repeat(resolution // 8, 2)
            rows = range(begin, begin + count)
            names = [name(row) for row in rows]
            writer.add(images, names, names, [split(row) for row in rows], names)
        writer.finish({"name": "blobs", "source": "drawn", "licence": "CC0-1.0"})
    if first != path:
        repeat(first, path, pictures)
        shutil.rmtree(first)


def name(row: int) -> str:
    """What a picture is called."""
    return f"{row:07}.png"


def split(row: int) -> str:
    """One in ten is held out."""
    return "holdout" if row % 10 == 9 else "train"


def repeat(first: Path, path: Path, pictures: int) -> None:
    """A dataset whose pictures are those of another, again and again, under names of their own."""
    beside = path.with_name(f"{path.name}-partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    block = np.load(first / "images.npy")
    shape = (pictures, *block.shape[1:])
    images = GrowingArray(beside / "images.npy", np.uint8, shape[1:])
    for begin in range(0, pictures, len(block)):
        images.append(block[: pictures - begin])
    images.complete(pictures)
    held = sum(split(row) == "holdout" for row in range(pictures))
    items = "name,identity,split,source\n" + "".join(
        f"{name(row)},{name(row)},{split(row)},{name(row)}\n" for row in range(pictures)
    )
    (beside / "items.csv").write_text(items)
    card = json.loads((first / "dataset.json").read_text())
    card["counts"] |= {"kept": pictures, "train": pictures - held, "holdout": held}
    card["counts"] |= {"identities": pictures, "duplicates": pictures - len(block)}
    items_hash = hashlib.sha256(items.encode()).hexdigest()
    card["fingerprint"] = fingerprint(shape, images.sha256, (), "", items_hash)
    (beside / "dataset.json").write_text(json.dumps(card))
    beside.rename(path)


def train(
    dataset: Path, run: Path, images: int, limit: int | None, more: Sequence[str] = ()
) -> tuple[float, int]:
    """Images a second of one run, and the most memory that it had."""
    words = [sys.executable, "-m", "facegan", "train", "dcgan", "--data", str(dataset)]
    words += ["--run", str(run), "--budget", f"{images}img", *_SMALL, *more]
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
