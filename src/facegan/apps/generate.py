"""`facegan generate`: pictures from a trained generator, or from the one in the box."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch

from facegan.data.grid import grid as lay_out
from facegan.device import Precision
from facegan.errors import FaceganError
from facegan.files import sha256
from facegan.generation.background import in_background
from facegan.generation.generator import Engine, OpenGenerator, open_generator
from facegan.generation.png import WEIGHTS, file_name, made_otherwise, save_png
from facegan.memory import require_memory
from facegan.progress import progress_bar

# Each file is forced to the disk on its own. Most of that is waiting, and disks take several
# files in the time of one.
_WRITERS = 4
# Files that may wait to be written.
_WAITING = 64
# Endings of files that nobody means for a folder.
_OTHER_PICTURES = {".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"}
# From so many pictures on, they take long enough to show progress.
_MANY = 500


def generate(
    source: str | Path | None = None,
    out: str | Path | None = None,
    *,
    n: int = 64,
    seed: int = 0,
    grid: bool = False,
    columns: int | None = None,
    truncation: float = 1.0,
    labels: Mapping[str, float | str] | None = None,
    dataset: bool = False,
    holdout: float = 0.0,
    overwrite: bool = False,
    best: bool = False,
    device: str = "auto",
    precision: Precision = "fp32",
    engine: Engine = "torch",
) -> list[Path]:
    """Write generated pictures, as PNG files or a dataset that say they are generated.

    The picture of a seed is the same whatever else is asked for in the same call, labels,
    truncation and precision aside.

    Args:
        source: a run's folder, a generator.safetensors file, or the name of a model in the box
            or installed; the box's own by default.
        out: a folder; with `grid`, also a file name ending in .png; with `dataset`, the dataset's.
            Of a model, a file name ending in .png asks for a grid, and so does nothing at all:
            then it is written into the current folder, with a name that tells what it shows.
        n: how many; they have the seeds seed, seed + 1, …
        seed: of the first picture, 0 or more.
        grid: one picture of all of them instead of single ones.
        columns: of the grid; as square as possible by default.
        truncation: ψ in [0, 1]; less than 1 draws latents towards their mean: more typical,
            less varied.
        labels: of a generator trained with labels, name → value that all pictures share: 0 to
            1 for yes or no, a quantity as its dataset has it. Names in any case, with dashes or
            underscores. The other labels are those of a training image that the seed chooses.
        dataset: write a dataset instead of PNG files.
        holdout: of a dataset, the share of its pictures that is kept from training, in [0, 1).
        overwrite: replace a dataset that stands at `out`, once the new one is complete.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.
        precision: `fp32`, or `bf16`, which is faster where the processor computes in bfloat16;
            its pictures differ by less than one level of 255 on average.
        engine: what computes: `torch`, or `onnx` for ONNX Runtime (extra `onnx`) on the processor,
            whose pictures differ by a level of 255 at most. Single pictures come sooner.

    Returns:
        The files written, or the dataset's folder.
    """
    _check(n=n, seed=seed, truncation=truncation, columns=columns)
    _check_kind(grid, columns, dataset, holdout, overwrite)
    opened = open_generator(source, best, device, precision, engine)
    seeds = range(seed, seed + n)
    if out is None and (dataset or opened.model is None):
        raise FaceganError("`out` is missing: where to write.", "Name a folder.")
    if dataset:
        from facegan.generation.dataset import write_dataset

        assert out is not None
        return [write_dataset(opened, out, seeds, truncation, labels, holdout, overwrite)]
    asked = opened.named(labels or {})
    model = opened.about(truncation, asked)
    target = Path(_file_name(opened, seeds, truncation, asked) if out is None else out)
    is_file = target.suffix.lower() == ".png"
    laid_out = grid or (opened.model is not None and is_file)
    if laid_out and target.suffix.lower() in _OTHER_PICTURES and not target.is_dir():
        raise FaceganError(
            f"{target} would be a picture, and a grid is a PNG.",
            "Give it a name that ends in .png, or name a folder.",
        )
    if laid_out:
        spec = opened.loaded.generator.spec
        require_memory(
            3 * n * spec.resolution**2 * spec.channels,
            torch.device("cpu"),
            f"A grid of {n:,} pictures",
            "Ask for fewer, or for a folder of files.",
        )
    with _progress(n) as progress:
        groups = _counted(opened.pictures(seeds, truncation, asked), n, progress)
        if not laid_out:
            return _write_files(target, groups, seeds, model, sha256(opened.path)[:16])
        images = np.concatenate(list(groups))
    if not is_file:
        target = target / f"grid-seeds-{seeds[0]}-{seeds[-1]}.png"
    save_png(target, lay_out(images, columns), seeds, model)
    return [target]


def _write_files(
    folder: Path,
    groups: Iterable[np.ndarray],
    seeds: range,
    model: Mapping[str, str],
    weights: str,
) -> list[Path]:
    """A file for each picture, encoded and written while the network computes the next ones."""
    written: list[Path] = []
    with in_background(_WRITERS, _WAITING) as do:
        for group in groups:
            for image in group:
                number = seeds[len(written)]
                path = folder / f"seed{number:06}.png"
                do(partial(save_png, path, image, [number], model, {WEIGHTS: weights}))
                written.append(path)
    if others := made_otherwise(folder, written, model, weights):
        many = "a picture" if others == 1 else f"{others:,} pictures"
        print(
            f"{folder} also holds {many} of another model, or made otherwise: who measures or "
            "shows the folder takes all together. Give each a folder of its own.",
            file=sys.stderr,
        )
    return written


def _progress(n: int) -> AbstractContextManager[Callable[[int, int], None]]:
    """What shows progress, where there is something to wait for."""
    return progress_bar("generating") if n >= _MANY else nullcontext(lambda done, total: None)


def _counted(
    groups: Iterable[np.ndarray], n: int, progress: Callable[[int, int], None]
) -> Iterator[np.ndarray]:
    """The same groups; tells after each how many of `n` pictures are made."""
    done = 0
    for group in groups:
        done += len(group)
        progress(done, n)
        yield group


def _file_name(
    opened: OpenGenerator, seeds: range, truncation: float, labels: Mapping[str, float]
) -> str:
    """A file's name from all that decides its pictures, so that no two overwrite each other."""
    values = dict(labels) | ({} if truncation == 1.0 else {"truncation": truncation})
    parts = [opened.model, *(f"{name}-{value:g}" for name, value in values.items())]
    if opened.precision != "fp32":
        parts.append(opened.precision)
    if opened.engine != "torch":
        parts.append(opened.engine)
    parts.append(f"seeds-{seeds[0]}-{seeds[-1]}")
    return file_name(parts)


def _check(n: int, seed: int, truncation: float, columns: int | None) -> None:
    if n < 1:
        raise FaceganError(f"-n {n}: there is nothing to generate.", "Ask for 1 or more.")
    if seed < 0:
        raise FaceganError(f"`seed` {seed} is negative.", "Seeds are whole numbers from 0.")
    if not 0.0 <= truncation <= 1.0:
        raise FaceganError(
            f"`truncation` {truncation:g} is outside [0, 1].",
            "1 is the full variety; 0.7 is more typical; 0 is the average face.",
        )
    if columns is not None and columns < 1:
        raise FaceganError(f"`columns` {columns}: a grid needs columns.", "Ask for 1 or more.")


def _check_kind(
    grid: bool, columns: int | None, dataset: bool, holdout: float, overwrite: bool
) -> None:
    """Refuse options that would say nothing of what is written."""
    if dataset and (grid or columns is not None):
        raise FaceganError(
            "`dataset` and `grid` do not go together: a dataset is not laid out.",
            "Leave one of them out.",
        )
    if not dataset and (holdout or overwrite):
        option = "`holdout`" if holdout else "`overwrite`"
        raise FaceganError(f"{option} is for datasets.", "Add `dataset`, or leave it out.")
