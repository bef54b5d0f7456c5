"""`facegan film`: walks between faces, and attributes that come and go, as moving pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facegan.apps.edit import directions_of
from facegan.data.grid import grid
from facegan.editing.directions import Directions, said
from facegan.editing.face import EditedFace
from facegan.errors import FaceganError
from facegan.generation.films import enlarged, format_of, walk, write_film
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.progress import progress_bar

Frame = np.ndarray
# Frames that are computed together.
_GROUP = 32
# More than anybody watches, and what memory holds.
_MOST_FRAMES = 20_000


def film(
    source: str | Path | None = None,
    out: str | Path = "walk.webp",
    *,
    seeds: Sequence[int] = (0, 1, 2),
    edits: Mapping[str, float] | None = None,
    sweep: tuple[str, float, float] | None = None,
    seconds: float = 2.0,
    rate: float = 24.0,
    scale: int = 1,
    loop: bool = True,
    truncation: float = 1.0,
    labels: Mapping[str, float] | None = None,
    directions: str | Path | None = None,
    best: bool = False,
    device: str = "auto",
) -> Path:
    """Write a film: a walk from face to face, or an attribute that comes and goes.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name; the model in the
            box by default.
        out: the file, which ends in .mp4 (extra `film`), .webp, .apng or .gif.
        seeds: of the faces. A walk goes from each to the next along the sphere on which latents
            lie, slowly near each of them.
        edits: name of a direction → standard deviations, of all faces.
        sweep: a direction, from where to where. The faces are then shown side by side, while all
            of them are moved along it, there and, with `loop`, back.
        seconds: from one face to the next, or from one end of the sweep to the other.
        rate: frames a second, from 1 to 60.
        scale: how many times as large as the generator's pictures, 1 to 16.
        loop: whether the end leads back to the beginning.
        truncation: ψ in [0, 1].
        labels: of a generator trained with labels, name → value that all faces share.
        directions: a file of directions; that beside the generator's file by default.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.

    Returns:
        The file.

    Raises:
        FaceganError: the format or a number is not possible, or ffmpeg is missing.
    """
    target = Path(out)
    format_of(target)
    steps = round(seconds * rate) if math.isfinite(seconds * rate) else 0
    if not seeds or not 1 <= rate <= 60 or not 1 <= scale <= 16 or steps < 1:
        raise FaceganError(
            f"A film of {len(seeds)} seeds, {seconds:g} seconds between them, {rate:g} frames a "
            f"second and scale {scale} is not possible.",
            "Allowed: one seed or more, a frame or more between two, 1 to 60 frames a second, and "
            "a scale from 1 to 16.",
        )
    if sweep is None and len(seeds) < 2:
        raise FaceganError(
            "A walk needs two faces.", "Give more seeds, or sweep a direction of one face."
        )
    total = _frames(len(seeds), steps, sweep is not None, loop)
    if total > _MOST_FRAMES:
        raise FaceganError(
            f"The film would have {total:,} frames.",
            f"{_MOST_FRAMES:,} are allowed: take fewer seeds or seconds.",
        )
    opened = open_generator(source, best, device)
    named = opened.named(labels or {})
    known = directions_of(opened, directions) if edits or sweep else None
    asked = known.amounts(edits or {}) if known else {}
    faces = [EditedFace(seed=seed, truncation=truncation, labels=named) for seed in seeds]
    about = opened.about(truncation, named)
    about["seeds"] = " ".join(map(str, seeds))
    if asked:
        about["edits"] = said(asked)
    if sweep is None:
        edited = [replace(face, edits=asked) for face in faces]
        images = _walk(opened, edited, known, steps, loop)
    else:
        assert known is not None
        (name,) = known.amounts({sweep[0]: sweep[1]})
        known.amounts({sweep[0]: sweep[2]})
        about["sweep"] = f"{name} from {sweep[1]:g} to {sweep[2]:g}"
        amounts = _sweep(sweep[1], sweep[2], steps, loop)
        images = _swept(opened, faces, known, asked, name, amounts)
    with progress_bar("filming") as progress:
        write_film(target, _counted(images, total, scale, progress), rate, about)
    return target


def _frames(seeds: int, steps: int, swept: bool, loop: bool) -> int:
    if swept:
        return 2 * steps if loop else steps + 1
    return seeds * steps if loop else (seeds - 1) * steps + 1


def _walk(
    opened: OpenGenerator,
    faces: Sequence[EditedFace],
    known: Directions | None,
    steps: int,
    loop: bool,
) -> Iterator[Frame]:
    inputs = [face.inputs(opened, known) for face in faces]
    latents = np.concatenate([z for z, _ in inputs])
    rows = [row for _, row in inputs if row is not None]
    labels = torch.cat(rows) if rows else None
    latent = opened.loaded.generator.latent
    waiting: list[tuple[np.ndarray, torch.Tensor | None]] = []
    for place, share, z in walk(
        latents, steps, size=latent.size, distribution=latent.distribution, loop=loop
    ):
        waiting.append((z, None if labels is None else _row(labels, place, share)))
        if len(waiting) == _GROUP:
            yield from _made(opened, waiting)
            waiting = []
    if waiting:
        yield from _made(opened, waiting)


def _row(labels: torch.Tensor, place: int, share: float) -> torch.Tensor:
    """Labels between two faces; where one is unknown, those of the nearer face."""
    one, other = labels[place], labels[(place + 1) % len(labels)]
    mixed = (1 - share) * one + share * other
    return torch.where(mixed.isnan(), one if share < 0.5 else other, mixed)[None]


def _made(
    opened: OpenGenerator, waiting: Sequence[tuple[np.ndarray, torch.Tensor | None]]
) -> Iterator[Frame]:
    z = torch.from_numpy(np.concatenate([z for z, _ in waiting]))
    rows = [row for _, row in waiting if row is not None]
    yield from opened.pictures_at(z, torch.cat(rows) if rows else None)


def _sweep(low: float, high: float, steps: int, loop: bool) -> list[float]:
    """There with a slow beginning and end, and back where it is a loop."""
    count = 2 * steps if loop else steps + 1
    return [low + (high - low) * (1 - math.cos(math.pi * k / steps)) / 2 for k in range(count)]


def _swept(
    opened: OpenGenerator,
    faces: Sequence[EditedFace],
    known: Directions,
    edits: Mapping[str, float],
    name: str,
    amounts: Sequence[float],
) -> Iterator[Frame]:
    inputs = [face.inputs(opened) for face in faces]
    z = np.concatenate([z for z, _ in inputs])
    rows = [row for _, row in inputs if row is not None]
    labels = torch.cat(rows) if rows else None
    for amount in amounts:
        moved = known.moved(z, {**edits, name: edits.get(name, 0.0) + amount})
        images = opened.pictures_at(torch.from_numpy(moved), labels)
        yield images[0] if len(images) == 1 else grid(images)


def _counted(
    images: Iterator[Frame], total: int, scale: int, progress: Callable[[int, int], None]
) -> Iterator[Frame]:
    for done, image in enumerate(images, 1):
        yield enlarged(image, scale)
        progress(done, total)
