"""Pictures as answers: PNG, WebP, raw bytes, zip; each says that it is generated, and by what."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from facegan.data.grid import grid
from facegan.editing.face import ENTRY, EditedFace
from facegan.generation.films import description, xmp
from facegan.generation.png import generated_png

Pictures = npt.NDArray[np.uint8]

MEDIA_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "raw": "application/octet-stream",
    "zip": "application/zip",
}


def encoded(
    pictures: Pictures,
    format: str,
    faces: Sequence[EditedFace],
    model: Mapping[str, str],
    columns: int | None = None,
) -> bytes:
    """The body of an answer.

    Args:
        pictures: uint8 [N, H, W, C].
        format: `png`, `webp` (several as a grid), `raw` or `zip`.
        faces: that they show; a PNG of one face holds what makes it again.
        model: what made them.
        columns: of a grid; as square as possible by default.
    """
    if format == "raw":
        return np.ascontiguousarray(pictures).tobytes()
    if format == "zip":
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for place, (picture, face) in enumerate(zip(pictures, faces, strict=True)):
                name = f"latent{place:06}.png" if face.seed is None else f"seed{face.seed:06}.png"
                # A fixed date: equal pictures, equal bytes.
                archive.writestr(zipfile.ZipInfo(name), _png(picture, [face], model))
        return target.getvalue()
    whole = pictures[0] if len(pictures) == 1 else grid(pictures, columns)
    return _png(whole, faces, model) if format == "png" else webp(whole, model)


def _png(picture: Pictures, faces: Sequence[EditedFace], model: Mapping[str, str]) -> bytes:
    seeds = [face.seed for face in faces if face.seed is not None]
    entry = {ENTRY: faces[0].entry()} if len(faces) == 1 else {}
    return generated_png(picture, seeds, model, entry)


def webp(picture: Pictures, model: Mapping[str, str]) -> bytes:
    """A lossless WebP file of uint8 [H, W, C]."""
    from PIL import Image

    target = io.BytesIO()
    image = Image.fromarray(picture if picture.shape[2] == 3 else picture[:, :, 0])
    image.convert("RGB").save(target, "WEBP", lossless=True, method=2, xmp=xmp(description(model)))
    return target.getvalue()
