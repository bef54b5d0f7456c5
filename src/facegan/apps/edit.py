"""`facegan edit`: faces of a generator, changed by meaning; and `facegan directions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from facegan.data.grid import grid
from facegan.editing.directions import (
    Directions,
    path_beside,
    require_directions,
)
from facegan.editing.face import ENTRY, EditedFace, pictures_of
from facegan.errors import FaceganError
from facegan.files import sha256
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.generation.png import file_name, save_png
from facegan.progress import progress_bar

_FEWEST_FACES = 1000  # of fewer, a direction is mostly chance
# Of a sheet: how far each column is moved, in standard deviations.
SHEET = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


def directions(
    source: str | Path | None = None,
    out: str | Path | None = None,
    *,
    names: Sequence[str] | None = None,
    n: int = 8192,
    measured: int = 128,
    seed: int = 0,
    best: bool = False,
    device: str = "auto",
) -> Directions:
    """Find directions in which a generator's faces change by meaning, and write them.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name; the model in the
            box by default.
        out: the file; NAME.directions.safetensors beside the generator's by default, where it is
            found again without being named.
        names: what to look for; the usual attributes, light and pose by default.
        n: faces that are read, 1,000 or more.
        measured: other faces on which gain and leakage are measured, from 8.
        seed: of their latents.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.
    """
    from facegan.editing.finding import find_directions

    if n < _FEWEST_FACES or measured < 8 or seed < 0:
        raise FaceganError(
            f"n is {n}, measured {measured}, seed {seed}.",
            f"Allowed: n from {_FEWEST_FACES}, measured from 8, seed from 0.",
        )
    opened = open_generator(source, best, device)
    with progress_bar("reading faces") as progress:
        found = find_directions(opened, names, n, measured, seed=seed, progress=progress)
    found.save(path_beside(opened.path) if out is None else Path(out))
    return found


def edit(
    source: str | Path | None = None,
    out: str | Path | None = None,
    *,
    edits: Mapping[str, float] | None = None,
    seed: int = 0,
    n: int = 1,
    start: str | Path | None = None,
    sheet: str | None = None,
    mix: tuple[int, int] | None = None,
    truncation: float = 1.0,
    labels: Mapping[str, float] | None = None,
    directions: str | Path | None = None,
    columns: int | None = None,
    best: bool = False,
    device: str = "auto",
) -> list[Path]:
    """Write faces that were changed by meaning, as a PNG file that says so.

    The file holds the face's seed or latent and its edits, so that it can be made again, and
    edited further: give it as `start`.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name; the model in the
            box by default.
        out: the PNG file; by default in the current folder, with a name that tells what it shows.
        edits: name of a direction → standard deviations, in any order; names in any case.
        seed: of the first face.
        n: how many faces, side by side.
        start: in the place of seeds, a PNG of one face that facegan or its studio wrote. What is
            asked for here is added to its edits.
        sheet: a direction that is shown in steps from −3 to 3, a row for each face.
        mix: a seed and a side in pixels: what maps of this side and larger decide is that of the
            seed's face. Where the latent modulates no maps, this is refused.
        truncation: ψ in [0, 1], of seeds.
        labels: of a generator trained with labels, name → value that all faces share.
        directions: a file of directions; that beside the generator's file by default.
        columns: of the grid of several faces.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.

    Returns:
        The file written.

    Raises:
        FaceganError: nothing is to be changed, or a direction or label is unknown.
    """
    if n < 1 or seed < 0:
        raise FaceganError(f"n is {n}, seed {seed}.", "Allowed: n from 1, seed from 0.")
    if start is None and not edits and sheet is None and mix is None:
        raise FaceganError("There is nothing to change.", "Give edits, such as smiling=2.")
    opened = open_generator(source, best, device)
    # A mixture alone needs no directions.
    known = directions_of(opened, directions) if edits or sheet or start or directions else None
    asked = known.amounts(edits or {}) if known else {}
    if start is not None:
        begun = [face_of(Path(start), opened)]
        if n != 1:
            raise FaceganError("One face is begun with, and more are asked for.", "Leave n at 1.")
        assert known is not None
        begun[0] = replace(begun[0], edits=known.amounts(begun[0].edits))
    else:
        named = opened.named(labels or {})
        model = sha256(opened.path)
        begun = [
            EditedFace(seed=seed + k, truncation=truncation, labels=named, model=model)
            for k in range(n)
        ]
    if mix is not None:
        first = begun[0]
        other = EditedFace(seed=mix[0], truncation=first.truncation, labels=first.labels)
        begun = [replace(face, mixed=(other, mix[1])) for face in begun]
    faces = [replace(face, edits=added(face.edits, asked)) for face in begun]
    shown = faces
    if sheet is not None:
        assert known is not None
        (name,) = known.amounts({sheet: 0.0})
        shown = [
            replace(face, edits=added(face.edits, {name: amount}))
            for face in faces
            for amount in SHEET
        ]
        columns = len(SHEET)
    about = faces[0].about(opened)
    if sheet is not None:
        about["sheet"] = f"{sheet} from {SHEET[0]:g} to {SHEET[-1]:g}"
    target = Path(out) if out is not None else Path(_file_name(opened, faces, sheet))
    if target.suffix.lower() != ".png":
        raise FaceganError(f"{target} is no name of a PNG file.", "Let it end in .png.")
    images = pictures_of(opened, shown, known)
    more = {ENTRY: faces[0].entry()} if len(shown) == 1 else {}
    seeds = [face.seed for face in faces if face.seed is not None]
    whole = images[0] if len(images) == 1 else grid(images, columns)
    save_png(target, whole, seeds, about, more)
    return [target]


def directions_of(opened: OpenGenerator, path: str | Path | None = None) -> Directions:
    """A generator's directions: those of a file, or those beside its own."""
    if path is None:
        return require_directions(opened.path)
    return Directions.load(Path(path), opened.path)


def face_of(path: Path, opened: OpenGenerator) -> EditedFace:
    """The face of a PNG, which this generator must have made."""
    face = EditedFace.of_png(path)
    own = sha256(opened.path)
    if face.model not in (None, own):
        raise FaceganError(
            f"{path} was made by another generator than {opened.model or opened.path}.",
            "Name the one that made it.",
        )
    return replace(face, model=own)


def added(edits: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """Both edits, amounts added up; those that cancel are left out."""
    names = [*edits, *(name for name in more if name not in edits)]
    total = {name: edits.get(name, 0.0) + more.get(name, 0.0) for name in names}
    return {name: amount for name, amount in total.items() if amount}


def _file_name(opened: OpenGenerator, faces: Sequence[EditedFace], sheet: str | None) -> str:
    """A file's name from what decides its pictures."""
    first, last = faces[0], faces[-1]
    parts = [opened.model or opened.loaded.recipe.name]
    parts += [f"{name}-{value:g}" for name, value in (*first.labels.items(), *first.edits.items())]
    if first.truncation != 1.0:
        parts.append(f"truncation-{first.truncation:g}")
    if sheet is not None:
        parts.append(f"{sheet}-sheet")
    if first.mixed is not None:
        other, side = first.mixed
        parts.append(f"mixed-{'latent' if other.seed is None else other.seed}-from-{side}px")
    if first.seed is None:
        parts.append("latent")
    else:
        parts.append(f"seed-{first.seed}" + (f"-{last.seed}" if len(faces) > 1 else ""))
    return file_name(parts)
