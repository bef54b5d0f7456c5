"""`facegan generate`: pictures from a trained generator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facegan.apps.generated_pack import write_pack
from facegan.apps.generators import open_generator
from facegan.data.grid import grid as lay_out
from facegan.errors import FaceganError
from facegan.runs.png import save_png


def generate(
    source: str | Path,
    out: str | Path,
    *,
    n: int = 64,
    seed: int = 0,
    grid: bool = False,
    columns: int | None = None,
    truncation: float = 1.0,
    labels: Mapping[str, float] | None = None,
    pack: bool = False,
    holdout: float = 0.0,
    overwrite: bool = False,
    best: bool = False,
    device: str = "auto",
) -> list[Path]:
    """Write generated pictures, as PNG files or a dataset that say they are generated.

    The picture of a seed is the same whatever else is asked for in the same call, labels and
    truncation aside.

    Args:
        source: a run's folder, or a generator.safetensors file.
        out: a folder; with `grid`, also a file name ending in .png; with `pack`, the dataset's.
        n: how many; they have the seeds seed, seed + 1, …
        seed: of the first picture, 0 or more.
        grid: one picture of all of them instead of single ones.
        columns: of the grid; as square as possible by default.
        truncation: ψ in [0, 1]; less than 1 draws latents towards their mean: more typical,
            less varied.
        labels: of a generator trained with labels, name → value that all pictures share: 0 to
            1 for yes or no, a quantity as its dataset has it. Names in any case. The other
            labels are those of a training image that the seed chooses.
        pack: write a dataset instead of PNG files.
        holdout: of a pack, the share of its pictures that is kept from training, in [0, 1).
        overwrite: replace a pack that stands at `out`, once the new one is complete.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.

    Returns:
        The files written, or the pack's folder.
    """
    _check(n=n, seed=seed, truncation=truncation, columns=columns)
    _check_kind(grid, columns, pack, holdout, overwrite)
    opened = open_generator(source, best, device)
    seeds = range(seed, seed + n)
    if pack:
        return [write_pack(opened, out, seeds, truncation, labels, holdout, overwrite)]
    asked = opened.named(labels or {})
    loaded = opened.loaded
    model = {
        "recipe": loaded.recipe.name,
        "kimg": f"{loaded.images_seen / 1000:g}",
        "dataset": str(loaded.dataset.get("name")),
        "truncation": f"{truncation:g}",
    }
    if asked:
        model["labels"] = ", ".join(f"{name}={value:g}" for name, value in asked.items())
    groups = opened.pictures(seeds, truncation, asked)
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


def _check_kind(
    grid: bool, columns: int | None, pack: bool, holdout: float, overwrite: bool
) -> None:
    """Refuse options that would say nothing of what is written."""
    if pack and (grid or columns is not None):
        raise FaceganError(
            "--pack and --grid do not go together: a dataset is not laid out.",
            "Leave one of them out.",
        )
    if not pack and (holdout or overwrite):
        option = "--holdout" if holdout else "--overwrite"
        raise FaceganError(f"{option} is for datasets.", "Add --pack, or leave it out.")
