"""`facegan generate`: pictures from a trained generator."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from facegan.data.grid import grid as lay_out
from facegan.errors import FaceganError
from facegan.runs.find import find_generator
from facegan.runs.generator_file import GeneratorFile
from facegan.runs.png import save_png
from facegan.training.execution import Execution, choose_device
from facegan.training.samples import pictures


def generate(
    source: str | Path,
    out: str | Path,
    *,
    n: int = 64,
    seed: int = 0,
    grid: bool = False,
    columns: int | None = None,
    truncation: float = 1.0,
    best: bool = False,
    device: str = "auto",
) -> list[Path]:
    """Write generated pictures as PNG files that say they are generated.

    The picture of a seed is the same whatever else is asked for in the same call.

    Args:
        source: a run's folder, or a generator.safetensors file.
        out: a folder; with `grid`, also a file name ending in .png.
        n: how many; they have the seeds seed, seed + 1, …
        seed: of the first picture, 0 or more.
        grid: one picture of all of them instead of single ones.
        columns: of the grid; as square as possible by default.
        truncation: ψ in [0, 1]; less than 1 draws latents towards their mean: more typical,
            less varied.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.

    Returns:
        The files written.
    """
    _check(n=n, seed=seed, truncation=truncation, columns=columns)
    file = find_generator(source, lambda message: print(message, file=sys.stderr), best)
    loaded = GeneratorFile.load(file)
    generator = Execution(choose_device(device), channels_last=True).place(loaded.generator)
    seeds = range(seed, seed + n)
    model = {
        "recipe": loaded.recipe.name,
        "kimg": f"{loaded.images_seen / 1000:g}",
        "dataset": str(loaded.dataset.get("name")),
        "truncation": f"{truncation:g}",
    }
    groups = pictures(generator, loaded.pixels, seeds, truncation)
    target = Path(out)
    if grid:
        if target.suffix.lower() != ".png":
            target = target / f"grid-seeds-{seeds[0]}-{seeds[-1]}.png"
        save_png(target, lay_out(np.concatenate(list(groups)), columns), seeds, model)
        return [target]
    written: list[Path] = []
    for group in groups:
        for image in group:
            number = seeds[len(written)]
            path = target / f"seed{number:06}.png"
            save_png(path, image, [number], model)
            written.append(path)
    return written


def _check(n: int, seed: int, truncation: float, columns: int | None) -> None:
    if n < 1:
        raise FaceganError(f"-n {n}: there is nothing to generate.", "Ask for 1 or more.")
    if seed < 0:
        raise FaceganError(f"--seed {seed} is negative.", "Seeds are whole numbers from 0.")
    if not 0.0 <= truncation <= 1.0:
        raise FaceganError(
            f"--truncation {truncation:g} is outside [0, 1].",
            "1 is the full variety; 0.7 is more typical; 0 is the average face.",
        )
    if columns is not None and columns < 1:
        raise FaceganError(f"--columns {columns}: a grid needs columns.", "Ask for 1 or more.")
