"""One face of a generator: where its latent comes from and what was changed of it.

A PNG holds it as the entry `facegan.face`, one JSON object, so that the picture can be made again
and edited further, here and in the studio, which writes and reads the same entry.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facegan.data.conditions import scaled_by_column
from facegan.data.pictures import MAX_PIXELS, open_picture
from facegan.editing.components import moved
from facegan.editing.directions import FARTHEST, Directions, in_words
from facegan.editing.mixing import mixed
from facegan.errors import DataError, FaceganError, RunError, one_line
from facegan.generation.generator import OpenGenerator
from facegan.generation.inputs import Inputs, joined
from facegan.generation.samples import GROUP, image_inputs
from facegan.parsing import parse_json

ENTRY = "facegan.face"
Floats = npt.NDArray[np.float32]
# No latent that a generator was trained with has such numbers.
_FAR = 1000.0


@dataclass(frozen=True)
class EditedFace:
    """A face and its edits.

    Attributes:
        seed: whose latent it begins with; None for a latent of its own.
        latent: float32 [Z + noise], for a face without a seed, such as an inverted one.
        row: float32 [L], scaled labels of a face without a seed, NaN where unknown; None for all
            unknown.
        truncation: ψ in [0, 1], of the latent, before any edit.
        labels: name → value as the dataset has it, in the place of the seed's own.
        edits: name of a direction → standard deviations.
        parts: number of a component, from 0 → how far (`facegan.editing.components`).
        mixed: another face, and the side in pixels of the maps from which on it decides.
        model: SHA-256 (hex) of the generator's file; None where nobody said.
        photograph: whether its latent was found for a photograph.
    """

    seed: int | None = None
    latent: Floats | None = None
    row: Floats | None = None
    truncation: float = 1.0
    labels: Mapping[str, float] = field(default_factory=dict)
    edits: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[int, float] = field(default_factory=dict)
    mixed: tuple[EditedFace, int] | None = None
    model: str | None = None
    photograph: bool = False

    def __post_init__(self) -> None:
        if (self.seed is None) == (self.latent is None):
            raise FaceganError(
                "A face begins with a seed or with a latent.", "Give one of the two."
            )
        if self.seed is not None and self.seed < 0:
            raise FaceganError(f"The seed {self.seed} is negative.", "Seeds start at 0.")
        if not 0.0 <= self.truncation <= 1.0:
            raise FaceganError(
                f"The truncation {self.truncation:g} is outside [0, 1].",
                "1 is the full variety; 0.7 is more typical; 0 is the average face.",
            )
        if self.mixed is not None and self.mixed[0].mixed is not None:
            raise FaceganError("A mixture is mixed in.", "Mix in one face.")

    def inputs(self, model: OpenGenerator, directions: Directions | None = None) -> Inputs:
        """What enters the network, of one face.

        Args:
            model: the generator.
            directions: its own; None where there are no edits.

        Raises:
            FaceganError: a label or an edit that it does not know, a latent of another size, or a
                mixture that it cannot make.
        """
        z, rows = self._own_inputs(model, directions)
        own = Inputs(z, None if rows is None else rows.numpy())
        if self.mixed is None:
            return own
        other, side = self.mixed
        return mixed(model, own, other.inputs(model, directions), side)

    def _own_inputs(
        self, model: OpenGenerator, directions: Directions | None
    ) -> tuple[Floats, torch.Tensor | None]:
        generator = model.loaded.generator
        columns = scaled_by_column(self.labels, model.labels)
        rows: torch.Tensor | None = None
        if self.seed is not None:
            latent, rows = image_inputs(generator, self.seed, columns)
            z = latent.numpy()
        else:
            assert self.latent is not None
            size = generator.latent.size + generator.noise
            if self.latent.shape not in ((size,), (generator.latent.size,)):
                raise FaceganError(
                    f"The face has a latent of {self.latent.size} numbers.",
                    f"This generator's have {size}: open the one that made it.",
                )
            z = np.zeros((1, size), np.float32)
            z[0, : self.latent.size] = self.latent
            if model.labels:
                rows = self._row(len(model.labels))
                for column, value in columns.items():
                    rows[:, column] = value
        z = z * np.float32(self.truncation)
        if any(self.edits.values()):
            if directions is None:
                raise RunError(
                    "The face is edited, and this generator has no directions.",
                    "Find them: facegan directions MODEL.",
                )
            z = directions.moved(z, self.edits)
        if any(self.parts.values()):
            z = moved(model, torch.from_numpy(z), self.parts).numpy()
        return z, rows

    def _row(self, labels: int) -> torch.Tensor:
        if self.row is None:
            return torch.full((1, labels), torch.nan)
        if self.row.shape != (labels,):
            raise FaceganError(
                f"The face has {self.row.size} labels.", f"This generator knows {labels}."
            )
        return torch.from_numpy(self.row.copy())[None]

    def about(self, model: OpenGenerator) -> dict[str, str]:
        """What made its picture, in words for a file's metadata."""
        said = model.about(self.truncation, self.labels)
        if self.edits:
            said["edits"] = in_words(self.edits)
        if self.mixed is not None:
            other, side = self.mixed
            named = "a latent" if other.seed is None else f"seed {other.seed}"
            said["mixed"] = f"from {side} px on with {named}"
        return said

    def entry(self) -> str:
        """The JSON that a PNG holds under `ENTRY`."""
        said: dict[str, Any] = {} if self.model is None else {"model": self.model}
        return json.dumps(said | self._values(), separators=(",", ":"))

    def _values(self) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if self.latent is not None:
            said["z"] = _text(self.latent)
            if self.row is not None:
                said["row"] = _text(self.row)
            if self.photograph:
                said["from"] = "photograph"
        else:
            said["seed"] = self.seed
        if self.truncation != 1.0:
            said["psi"] = self.truncation
        parts = {str(number): amount for number, amount in self.parts.items()}
        for name, values in (("labels", self.labels), ("edits", self.edits), ("parts", parts)):
            kept = {k: v for k, v in sorted(values.items()) if name == "labels" or v}
            if kept:
                said[name] = kept
        if self.mixed is not None:
            said["mix"] = {"side": self.mixed[1], "face": self.mixed[0]._values()}
        return said

    @classmethod
    def of_entry(cls, text: str) -> EditedFace:
        """The face that `entry` wrote. Raises ValueError where the text makes no sense."""
        return cls._of_values(_Entry.model_validate(parse_json(text, longest=1 << 22)))

    @classmethod
    def _of_values(cls, said: _Entry) -> EditedFace:
        mix = said.mix
        return cls(
            seed=said.seed,
            latent=None if said.z is None else _floats(said.z),
            row=None if said.row is None else _floats(said.row, missing=True),
            truncation=said.psi,
            labels=said.labels,
            edits=said.edits,
            parts={int(number): amount for number, amount in said.parts.items()},
            mixed=None if mix is None else (cls._of_values(mix.face), mix.side),
            model=said.model,
            photograph=said.origin == "photograph",
        )

    @classmethod
    def of_png(cls, file: Path | BinaryIO, name: str = "") -> EditedFace:
        """The face of a PNG that facegan wrote.

        Args:
            file: the file.
            name: what it is called in errors, where it is no path.

        Raises:
            DataError: the file is none, shows several faces, or was changed.
        """
        texts = _texts(file, name or str(file))
        try:
            if ENTRY in texts:
                return cls.of_entry(texts[ENTRY])
            return _of_texts(texts)
        except (ValidationError, ValueError, FaceganError) as error:
            raise DataError(
                f"{name or file} tells of no face that can be made again: {one_line(error)}.",
                "Give a PNG of one face that facegan or its studio wrote.",
            ) from error


def drawn(model: OpenGenerator, faces: Inputs) -> npt.NDArray[np.uint8]:
    """Pictures of faces, computed as those of seeds are: the same ones, whatever the others.

    Args:
        model: the generator.
        faces: N of them.

    Returns:
        uint8 [N, H, W, C].
    """
    made = []
    for begin in range(0, len(faces), GROUP):
        some = faces.part(slice(begin, begin + GROUP))
        # Filled up with the last one, as `facegan.generation.samples` does.
        some = joined([some, *[some.part(slice(len(some) - 1, None))] * (GROUP - len(some))])
        made.append(some.pictures(model))
    return np.concatenate(made)[: len(faces)]


def pictures_of(
    model: OpenGenerator, faces: Sequence[EditedFace], known: Directions | None
) -> npt.NDArray[np.uint8]:
    """The pictures of some faces, uint8 [N, H, W, C]; `known` are the generator's directions."""
    return drawn(model, joined([face.inputs(model, known) for face in faces]))


class _Entry(BaseModel):
    """What may stand in the entry; others' entries are refused, not guessed at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    z: str | None = None
    row: str | None = None
    origin: Annotated[str | None, Field(alias="from")] = None
    psi: Annotated[float, Field(ge=0, le=1)] = 1.0
    labels: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    edits: dict[str, Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]] = {}
    parts: dict[
        Annotated[str, Field(pattern="^[0-9]{1,2}$")],
        Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)],
    ] = {}
    mix: _Mix | None = None


class _Mix(BaseModel):
    """The other face of a mixture."""

    model_config = ConfigDict(extra="forbid", strict=True)

    side: Annotated[int, Field(ge=1)]
    face: _Entry


def _of_texts(texts: Mapping[str, str]) -> EditedFace:
    """A picture of `facegan generate`, which has a seed and says how it was asked for."""
    seed = texts.get("facegan.seed", "")
    if not seed.isascii() or not seed.isdigit() or len(seed) > 18:
        raise ValueError(f"its seed is {seed!r:.40}" if seed else "it has no seed")
    words = dict(
        part.split(": ", 1) for part in texts.get("facegan.model", "").split("; ") if ": " in part
    )
    labels = dict(pair.rsplit("=", 1) for pair in words.get("labels", "").split(", ") if pair)
    return EditedFace(
        seed=int(seed),
        truncation=float(words.get("truncation", "1")),
        labels={name: float(value) for name, value in labels.items()},
    )


def _texts(file: Path | BinaryIO, name: str) -> dict[str, str]:
    try:
        with open_picture(file, ("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError("it is too large")
            # Texts behind the pixels are read with them.
            image.load()
            return {str(k): v for k, v in image.info.items() if isinstance(v, str)}
    except Exception as error:  # decoders meet foreign bytes and let out whatever they please
        raise DataError(
            f"{name} cannot be read as a PNG: {one_line(error)}.",
            "Give a PNG that facegan or its studio wrote.",
        ) from error


def _text(values: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _floats(text: str, missing: bool = False) -> Floats:
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    except (binascii.Error, ValueError) as error:
        raise ValueError("its numbers are no base64") from error
    known = values[~np.isnan(values)] if missing else values
    if not values.size or not (np.abs(known) <= _FAR).all():
        raise ValueError("its numbers are not finite, or far from any face")
    return values
