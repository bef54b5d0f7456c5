"""The same pictures for everyone: a pack for facegan, PNG files for the others.

Run as a script it writes the PNG files: pictures.py PACK FOLDER
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
        The pack, and the folder of PNG files.
    """
    folder = folder / ("portraits" if archive is None else "lfw")
    pack, images = folder / "pack", folder / "images"
    facegan = [str(python), "-m", "facegan", "data"]
    if not pack.exists():
        if archive is None:
            made = ["portraits", str(pack), "-n", str(_DRAWN), "--resolution", "64"]
        else:
            made = ["import", str(archive), str(pack), "--resolution", "64"]
        subprocess.run([*facegan, *made], check=True)
    if not images.exists():
        subprocess.run([str(python), __file__, str(pack), str(images)], check=True)
    return pack, images


def write(pack: Path, images: Path) -> None:
    """The training split, in the one class folder that ImageFolder asks for."""
    import numpy as np
    from PIL import Image

    arrays = np.load(pack / "images.npy", mmap_mode="r")
    with (pack / "items.csv").open(encoding="utf-8", newline="") as lines:
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
