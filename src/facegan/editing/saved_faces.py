"""Faces that were kept as files: PNGs by facegan or its studio, folders and zips of them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from facegan.editing.face import EditedFace
from facegan.errors import DataError, FaceganError, one_line

# More than anybody keeps, and bytes of the largest PNG of one face.
_MOST, _LARGEST = 500, 64 << 20


def saved_faces(paths: Sequence[Path], model: str, called: str) -> list[EditedFace]:
    """The faces of files, in their order; those of a folder by name, of a zip as it lists them.

    Args:
        paths: PNG files, folders of them, or zips as the studio saves them.
        model: SHA-256 (hex) of the generator's file that made them all.
        called: what that generator is called.

    Raises:
        DataError: a file shows no face that can be made again.
        FaceganError: there is none, there are too many, or another generator made one.
    """
    found = []
    for path in paths:
        for name, face in _faces(path):
            if face.model not in (None, model):
                raise FaceganError(
                    f"{name} was made by another generator than {called}.",
                    "Name the one that made it.",
                )
            found.append(replace(face, model=model))
            if len(found) > _MOST:
                raise FaceganError(
                    f"There are more than {_MOST} faces in {path}.", "Give fewer of them."
                )
    if not found:
        raise FaceganError(
            f"There is no PNG in {', '.join(map(str, paths))}.",
            "Give PNG files, a folder of them, or a zip that the studio saved.",
        )
    return found


def _faces(path: Path) -> Iterator[tuple[str, EditedFace]]:
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix.lower() == ".png":
                yield str(file), EditedFace.of_png(file)
    elif path.suffix.lower() == ".zip":
        yield from _zipped(path)
    else:
        yield str(path), EditedFace.of_png(path)


def _zipped(path: Path) -> Iterator[tuple[str, EditedFace]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.filename.lower().endswith(".png"):
                    continue
                name = f"{path}: {one_line(member.filename, 80)}"
                if member.file_size > _LARGEST:
                    raise DataError(f"{name} is too large.", "Give PNGs of one face each.")
                # No more is unpacked than the file said.
                with archive.open(member) as file:
                    data = file.read(_LARGEST)
                yield name, EditedFace.of_png(io.BytesIO(data), name)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{path} cannot be read as a zip: {one_line(error)}.",
            "Give a zip that the studio saved.",
        ) from error
