"""Portraits as a dataset on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facegan.data.writer import DatasetWriter
from facegan.portraits.drawing import check_format, draw
from facegan.portraits.parameters import LABEL_NAMES, VERSION
from facegan.portraits.sampling import check_series, sample
from facegan.version import __version__

# Pixels held in memory at a time.
_CHUNK_PIXELS = 2**22


def write(
    path: Path | str,
    n: int,
    resolution: int = 64,
    channels: int = 3,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> None:
    """Draw items 0 … n - 1 of `seed` and write them, with their labels, as a dataset.

    Every picture is a person of its own; the last tenth (rounded down) is the holdout.

    Args:
        path: the folder to make.
        n: how many pictures, at least 1.
        resolution: height and width in pixels, 16 to 2048.
        channels: 3 for RGB, 1 for grey.
        seed: which series, see `sample`.
        progress: called with (pictures done, n) after each chunk.
        overwrite: replace a dataset that stands at `path`.

    Raises:
        DataError: for values outside these ranges, or a path that is taken.
        StorageError: where the disk is full or the folder cannot be written.
    """
    check_series(n, seed)
    check_format(resolution, channels)
    train = n - n // 10
    chunk = max(1, _CHUNK_PIXELS // resolution**2)
    with DatasetWriter(path, resolution, channels, LABEL_NAMES, overwrite=overwrite) as writer:
        for start in range(0, n, chunk):
            items = range(start, min(start + chunk, n))
            people = sample(len(items), seed, start)
            writer.add(
                images=draw(people, resolution, channels),
                names=[f"{i:06d}.png" for i in items],
                identities=[f"portrait {i:06d}" for i in items],
                splits=["train" if i < train else "holdout" for i in items],
                sources=[f"seed {seed}, item {i}" for i in items],
                labels=people.labels(),
            )
            if progress is not None:
                progress(items.stop, n)
        writer.finish(
            {
                "name": "portraits",
                "source": f"drawn by facegan {__version__} from known parameters, "
                f"seed {seed}, items 0 to {n - 1}; they show no real person",
                "licence": "CC0-1.0 (the pictures; facegan itself is Apache-2.0)",
                "crop": "none",
                "filter": "none: drawn at this resolution",
                "holdout": "the last tenth of the items; every picture is its own identity",
                "portraits": {"seed": seed, "n": n, "version": VERSION},
                "dropped": {},
            }
        )
