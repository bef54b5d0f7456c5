"""`facegan invert`: the face of a photograph, found in a generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegan.data.grid import grid
from facegan.editing.encoder import Encoder, encoder_of
from facegan.editing.face import ENTRY, EditedFace
from facegan.editing.inversion import STEPS, Inverted, invert_all, with_own_error
from facegan.editing.perceptual import Perceptual
from facegan.editing.photographs import cut_out, laid, lie_of, open_photograph
from facegan.errors import FaceganError
from facegan.files import sha256
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.generation.png import save_png
from facegan.models.companions import companion
from facegan.progress import progress_bar
from facegan.values import Value

_FEWEST_PICTURES = 1000  # fewer do not hold the encoder's weights


@dataclass(frozen=True)
class Inversion(Value):
    """The face of a photograph, as a generator makes it.

    Attributes:
        path: of the PNG with the generated face, which holds its latent.
        face: the generated face, for `facegan.edit` and films.
        photograph: uint8 [H, W, C], as it was cut out.
        inverted: the latent, the picture, and how near it is.
        faces: how many faces the photograph shows; None where it was not looked at.
    """

    path: Path
    face: EditedFace
    photograph: np.ndarray
    inverted: Inverted
    faces: int | None = None

    def rows(self) -> list[dict[str, object]]:
        """One: how near the face is, and what that means."""
        found = self.inverted
        return [
            {
                "path": str(self.path),
                "error": found.error,
                "first guess": found.curve[0],
                "own pictures": found.own,
                "two faces apart": found.apart,
                "verdict": found.verdict,
            }
        ]


def invert(
    source: str | Path | None = None,
    photograph: str | Path = "",
    out: str | Path | None = None,
    *,
    aligned: bool = False,
    crop: int | None = None,
    compare: str | Path | None = None,
    steps: int = STEPS,
    best: bool = False,
    device: str = "auto",
) -> Inversion:
    """Find the face of a photograph in a generator, and write what the generator makes of it.

    The PNG holds the latent, and no pixel of the photograph: `facegan edit --from` goes on from it.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name; the model in the
            box by default.
        photograph: a picture file. Its main face is found, turned upright, and cut as the
            generator's own faces lie in their pictures.
        out: the PNG; the photograph's name with `-found.png`, in the current folder, by default.
        aligned: whether the photograph is cut out already, as the training pictures were: its
            largest centred square is taken as it is.
        crop: with `aligned`, the side in pixels of the centred square.
        compare: where to write the photograph, as it was cut, beside the generated face. It shows
            a real person: keep it where the photograph may be.
        steps: of the optimisation; 0 for the first guess alone.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.

    Raises:
        DataError: the photograph cannot be opened, or shows no face that can be used.
    """
    path = Path(photograph)
    if steps < 0 or (crop is not None and not aligned):
        raise FaceganError(
            f"steps is {steps}, crop {crop}, aligned {aligned}.",
            "Allowed: steps from 0; a crop of pictures that are aligned alone.",
        )
    target = Path(out) if out is not None else Path(f"{path.stem}-found.png")
    for each in (target, *([] if compare is None else [Path(compare)])):
        if each.suffix.lower() != ".png":
            raise FaceganError(f"{each} is no name of a PNG file.", "Let it end in .png.")
    pixels = open_photograph(path)
    opened = open_generator(source, best, device)
    spec = opened.loaded.generator.spec
    faces = None
    if aligned:
        seen = cut_out(pixels, crop, spec.resolution, spec.channels)
    else:
        seen, faces = laid(pixels, lie_of(opened), spec.resolution, spec.channels)
    perceptual = Perceptual(next(opened.network.parameters()).device)
    encoder = _encoder(opened, perceptual)
    with progress_bar("looking for the face") as progress:
        (found,) = invert_all(
            opened,
            seen[None],
            steps=steps,
            encoder=encoder,
            perceptual=perceptual,
            progress=progress,
        )
    face = EditedFace(latent=found.latent, model=sha256(opened.path), photograph=True)
    about = opened.about(1.0, {})
    about["inverted"] = f"after a photograph, error {found.error:.3f}"
    save_png(target, found.picture, [], about, {ENTRY: face.entry()})
    if compare is not None:
        about["shows"] = "on the left a photograph, on the right what the generator made of it"
        save_png(Path(compare), grid(np.stack([seen, found.picture]), 2), [], about)
    return Inversion(target, face, seen, found, faces)


def prepare_encoder(
    source: str | Path | None = None,
    out: str | Path | None = None,
    *,
    n: int = 8192,
    best: bool = False,
    device: str = "auto",
) -> Encoder:
    """Fit the encoder that makes the first guesses of `invert`, and write it.

    Without this, it is fitted when the first photograph comes, and kept in the cache.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name.
        out: the file; NAME.encoder.safetensors beside the generator's by default.
        n: of the generator's pictures that it is fitted to, 1,000 or more.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.
    """
    from facegan.editing.encoder import fit_encoder

    if n < _FEWEST_PICTURES:
        raise FaceganError(f"n is {n}.", f"Allowed: {_FEWEST_PICTURES} or more.")
    opened = open_generator(source, best, device)
    perceptual = Perceptual(next(opened.network.parameters()).device)
    with progress_bar("fitting the encoder") as progress:
        encoder = fit_encoder(opened, perceptual, n, progress)
    encoder = with_own_error(opened, encoder, perceptual)
    encoder.save(companion(opened.path, "encoder") if out is None else Path(out))
    return encoder


def _encoder(opened: OpenGenerator, perceptual: Perceptual) -> Encoder:
    with progress_bar("fitting the encoder, once") as progress:
        return encoder_of(opened, perceptual, progress)
