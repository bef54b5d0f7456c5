"""The same pictures for everyone: a dataset for facegan, PNG files for the others.

Run as a script it writes the PNG files: pictures.py DATASET FOLDER
"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

_DRAWN = 2000


def prepare(python: Path, folder: Path, archive: Path | None) -> tuple[Path, Path]:
    """Make them, or find them made.

    Args:
        python: of an environment with facegan.
        folder: where they are kept.
        archive: the LFW archive; portraits are drawn without one.

    Returns:
        The dataset, and the folder of PNG files.
    """
    folder = folder / ("portraits" if archive is None else "lfw")
    dataset, images = folder / "dataset", folder / "images"
    facegan = [str(python), "-m", "facegan", "data"]
    if not dataset.exists():
        if archive is None:
            made = ["portraits", str(dataset), "-n", str(_DRAWN), "--resolution", "64"]
        else:
            made = ["import", str(archive), str(dataset), "--resolution", "64"]
        subprocess.run([*facegan, *made], check=True)
    if not images.exists():
        subprocess.run([str(python), __file__, str(dataset), str(images)], check=True)
    return dataset, images


def write(dataset: Path, images: Path) -> None:
    """The training split, in the one class folder that ImageFolder asks for."""
    import numpy as np
    from PIL import Image

    arrays = np.load(dataset / "images.npy", mmap_mode="r")
    with (dataset / "items.csv").open(encoding="utf-8", newline="") as lines:
        splits = [item["split"] for item in csv.DictReader(lines)]
    unfinished = images.with_name("unfinished")
    target = unfinished / "all"
    target.mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(splits):
        if split == "train":
            Image.fromarray(arrays[number]).save(target / f"{number:06}.png")
    unfinished.rename(images)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
