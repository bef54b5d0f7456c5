"""`facegan film`: walks between faces, and attributes that come and go, as moving pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facegan.apps.edit import added, directions_of
from facegan.data.grid import grid
from facegan.editing.directions import Directions, in_words
from facegan.editing.face import EditedFace
from facegan.editing.saved_faces import saved_faces
from facegan.errors import FaceganError
from facegan.files import sha256
from facegan.generation.films import enlarged, format_of, write_film
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.generation.inputs import Inputs, joined, walked
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
    faces: Sequence[str | Path] = (),
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
        faces: in the place of seeds, faces that were kept, with their edits and truncation: PNG
            files that facegan or its studio wrote, folders of them, or zips that the studio saved.
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
    if faces and (truncation != 1.0 or labels):
        raise FaceganError(
            "Kept faces have a truncation and labels of their own.", "Leave yours out."
        )
    if (not seeds and not faces) or not 1 <= rate <= 60 or not 1 <= scale <= 16 or steps < 1:
        raise FaceganError(
            f"A film of {len(faces) or len(seeds)} faces, {seconds:g} seconds between them, "
            f"{rate:g} frames a second and scale {scale} is not possible.",
            "Allowed: one face or more, a frame or more between two, 1 to 60 frames a second, and "
            "a scale from 1 to 16.",
        )
    opened = open_generator(source, best, device)
    named = opened.named(labels or {})
    about = opened.about(truncation, named)
    if faces:
        called = opened.model or str(opened.path)
        begun = saved_faces([Path(each) for each in faces], sha256(opened.path), called)
        about["faces"] = f"{len(begun)} that were kept"
    else:
        begun = [EditedFace(seed=seed, truncation=truncation, labels=named) for seed in seeds]
        about["seeds"] = " ".join(map(str, seeds))
    if sweep is None and len(begun) < 2:
        raise FaceganError(
            "A walk needs two faces.", "Give more of them, or sweep a direction of one face."
        )
    total = _frames(len(begun), steps, sweep is not None, loop)
    if total > _MOST_FRAMES:
        raise FaceganError(
            f"The film would have {total:,} frames.",
            f"{_MOST_FRAMES:,} are allowed: take fewer faces or seconds.",
        )
    edited = edits or sweep or any(each for face in begun for each in _edits(face))
    known = directions_of(opened, directions) if edited else None
    asked = known.amounts(edits or {}) if known else {}
    if asked:
        about["edits"] = in_words(asked)
    if asked:
        begun = [replace(face, edits=added(face.edits, asked)) for face in begun]
    if sweep is None:
        images = _walk(opened, begun, known, steps, loop)
    else:
        assert known is not None
        (name,) = known.amounts({sweep[0]: sweep[1]})
        known.amounts({sweep[0]: sweep[2]})
        about["sweep"] = f"{name} from {sweep[1]:g} to {sweep[2]:g}"
        amounts = _sweep(sweep[1], sweep[2], steps, loop)
        images = _swept(opened, begun, known, name, amounts)
    with progress_bar("filming") as progress:
        write_film(target, _counted(images, total, scale, progress), rate, about)
    return target


def _edits(face: EditedFace) -> list[Mapping[str, float]]:
    return [face.edits, *([] if face.mixed is None else [face.mixed[0].edits])]


def _frames(faces: int, steps: int, swept: bool, loop: bool) -> int:
    if swept:
        return 2 * steps if loop else steps + 1
    return faces * steps if loop else (faces - 1) * steps + 1


def _walk(
    opened: OpenGenerator,
    faces: Sequence[EditedFace],
    known: Directions | None,
    steps: int,
    loop: bool,
) -> Iterator[Frame]:
    begun = joined([face.inputs(opened, known) for face in faces])
    waiting: list[Inputs] = []
    for place in walked(begun, steps, opened.loaded.generator.latent, loop):
        waiting.append(place)
        if len(waiting) == _GROUP:
            yield from joined(waiting).pictures(opened)
            waiting = []
    if waiting:
        yield from joined(waiting).pictures(opened)


def _sweep(low: float, high: float, steps: int, loop: bool) -> list[float]:
    """There with a slow beginning and end, and back where it is a loop."""
    count = 2 * steps if loop else steps + 1
    return [low + (high - low) * (1 - math.cos(math.pi * k / steps)) / 2 for k in range(count)]


def _swept(
    opened: OpenGenerator,
    faces: Sequence[EditedFace],
    known: Directions,
    name: str,
    amounts: Sequence[float],
) -> Iterator[Frame]:
    for amount in amounts:
        moved = [replace(face, edits=added(face.edits, {name: amount})) for face in faces]
        images = joined([face.inputs(opened, known) for face in moved]).pictures(opened)
        yield images[0] if len(images) == 1 else grid(images)


def _counted(
    images: Iterator[Frame], total: int, scale: int, progress: Callable[[int, int], None]
) -> Iterator[Frame]:
    for done, image in enumerate(images, 1):
        yield enlarged(image, scale)
        progress(done, total)
