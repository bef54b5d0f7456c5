"""Requests to the API, checked before anything is computed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from facegan.editing.directions import Directions
from facegan.editing.face import EditedFace
from facegan.errors import FaceganError, one_line
from facegan.generation.generator import OpenGenerator
from facegan.generation.inputs import Inputs, Mixture, joined
from facegan.parsing import parse_json

Floats = npt.NDArray[np.float32]

# Pictures in one answer.
MOST = 256
# Faces kept at a time, and frames of a film.
MOST_KEPT, MOST_FRAMES = 500, 720
_LARGEST_SEED = 2**53 - 1
# No latent that a generator was trained with has such numbers.
_FAR = 100.0

Seed = Annotated[int, Field(ge=0, le=_LARGEST_SEED)]
Number = Annotated[float, Field(ge=-_FAR, le=_FAR, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=80)]
Amounts = Annotated[dict[Name, float], Field(max_length=64)]
Latent = Annotated[list[Number], Field(max_length=100_000)]
Format = Literal["png", "webp", "raw", "zip"]


class RequestError(FaceganError):
    """A request that makes no sense."""


class RequestBody(BaseModel):
    """The base: exact, without unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Kind = TypeVar("Kind", bound=RequestBody)


class MixRequest(RequestBody):
    """The face that is mixed into others, by seed or by latent.

    Attributes:
        side: in pixels; what maps of this side and larger decide is this face's. `GET /api/model`
            lists the sides under `mixing`; without any, the generator cannot mix.
        seed: of the face.
        latent: in its place, Z numbers, or Z + noise.
        edits: of this face alone; truncation and labels are those of the request.
    """

    side: Annotated[int, Field(ge=1, le=65_536)]
    seed: Seed | None = None
    latent: Latent | None = None
    edits: Amounts = {}

    @model_validator(mode="after")
    def _one_of_them(self) -> MixRequest:
        if (self.seed is None) == (self.latent is None):
            raise ValueError("give a seed or a latent, one of them")
        return self


class PicturesRequest(RequestBody):
    """Pictures by seeds or by latents.

    Attributes:
        seeds: of the pictures; the same as of `facegan generate`.
        latents: in their place, rows of Z numbers, or Z + noise, as they enter the network.
        truncation: ψ in [0, 1], of seeds and latents.
        labels: name → value as the dataset has it, that all pictures share; the others are those of
            a training image that the seed chooses, or unknown for latents.
        edits: name of a direction → standard deviations; GET /api/model lists them.
        mix: another face, of which all pictures take what fine maps decide.
        format: `png` or `webp` (several pictures as a grid), `raw` (bytes [N, H, W, C], the shape
            in the header X-Shape), or `zip` (a PNG each).
        columns: of a grid.
    """

    seeds: Annotated[list[Seed], Field(min_length=1, max_length=MOST)] | None = None
    latents: Annotated[list[Latent], Field(min_length=1, max_length=MOST)] | None = None
    truncation: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    labels: Amounts = {}
    edits: Amounts = {}
    mix: MixRequest | None = None
    format: Format = "png"
    columns: Annotated[int, Field(ge=1, le=MOST)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> PicturesRequest:
        if (self.seeds is None) == (self.latents is None):
            raise ValueError("give seeds or latents, one of them")
        return self


class PageMix(RequestBody):
    """What is mixed into a face of the page, as base64 of float32.

    Attributes:
        z: [Z + noise] of the other face.
        row: [L] its scaled labels, NaN where unknown.
        share: [R] of it at each modulated resolution, in [0, 1].
    """

    z: Annotated[str, Field(max_length=600_000)]
    row: Annotated[str, Field(max_length=20_000)] | None = None
    share: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(max_length=16)]


class PageFace(RequestBody):
    """A face of the page: what enters the network, as base64 of float32.

    Attributes:
        z: [Z + noise].
        row: [L] scaled labels, NaN where unknown.
        mix: what is mixed in.
        name: for a file.
        edits: what was changed, for a dataset's labels.
    """

    z: Annotated[str, Field(max_length=600_000)]
    row: Annotated[str, Field(max_length=20_000)] | None = None
    mix: PageMix | None = None
    name: Annotated[str, Field(max_length=80, pattern=r"^[\w -]*$")] = ""
    edits: Amounts = {}


class FacesRequest(RequestBody):
    """Several faces of the page."""

    faces: Annotated[list[PageFace], Field(min_length=1, max_length=MOST_KEPT)]


class FilmRequest(FacesRequest):
    """A film of a walk between faces.

    Attributes:
        loop: back to the first face, too.
        frames: how many pictures.
        rate: a second.
        format: of the file; `GET /api/model` says which can be written here.
    """

    loop: bool = True
    frames: Annotated[int, Field(ge=2, le=MOST_FRAMES)] = 96
    rate: Annotated[int, Field(ge=1, le=60)] = 24
    format: Literal["mp4", "webp", "apng"] = "webp"


def parsed(kind: type[Kind], body: bytes) -> Kind:
    """A request's JSON body, checked. Raises RequestError where it makes no sense."""
    try:
        return kind.model_validate(parse_json(body))
    except ValidationError as error:
        raise RequestError(
            _reason(error), "GET /api/openapi.json describes what may be asked."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body is no JSON: {one_line(error)}.", "Send an object.") from error


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = one_line(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}." if where else f"{message}."


_RANGE = re.compile(r"([0-9]{1,16})(?:-([0-9]{1,16}))?")
# `SEED@SIDE`.
MIX = re.compile(r"([0-9]{1,16})@([0-9]{1,5})")


def pictures_of_query(query: Sequence[tuple[str, str]]) -> PicturesRequest:
    """`seeds=0-63&truncation=0.7&label=Smiling=1&edit=Age=-1&mix=12@16`, checked."""
    values: dict[str, Any] = {}
    for name, text in query:
        if name == "seeds":
            values.setdefault("seeds", []).extend(_seeds(text))
        elif name in ("label", "edit"):
            key, _, amount = text.rpartition("=")
            try:
                number = float(amount)
            except ValueError:
                key = ""
            if not key:
                raise RequestError(
                    f"{name}={one_line(text, 80)} is not understood.", f"Write {name}=NAME=VALUE."
                )
            values.setdefault(f"{name}s", {})[key] = number
        elif name in values:
            raise RequestError(f"{one_line(name, 80)} is given twice.", "Give it once.")
        elif name == "mix":
            values[name] = _mix(text)
        elif name in ("truncation", "columns", "format"):
            values[name] = text
        else:
            raise RequestError(
                f"There is no parameter {one_line(name, 80)!r}.",
                "Allowed: seeds, truncation, label, edit, mix, format, columns.",
            )
    try:
        return PicturesRequest.model_validate({"seeds": [0]} | values)
    except ValidationError as error:
        raise RequestError(
            _reason(error), "GET /api/openapi.json describes what may be asked."
        ) from error


def _mix(text: str) -> dict[str, int]:
    match = MIX.fullmatch(text)
    if match is None:
        raise RequestError(
            f"mix={one_line(text, 80)} is not understood.",
            "Write SEED@SIDE: with 12@16, maps of 16 pixels and larger are seed 12's.",
        )
    return {"seed": int(match[1]), "side": int(match[2])}


def _seeds(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(",")[: MOST + 1]:
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise RequestError(
                f"seeds={one_line(text, 80)} is not understood.", "Write 7, or 1,5,9, or 0-63."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST - len(found):
            raise RequestError(
                f"seeds={one_line(text, 80)} is not possible.", f"Ask for 1 to {MOST} at a time."
            )
        found.extend(range(first, last + 1))
    return found


def faces_of(
    asked: PicturesRequest, opened: OpenGenerator, directions: Directions | None, model: str
) -> list[EditedFace]:
    """The faces that are wanted.

    Args:
        asked: what is wanted.
        opened: the generator.
        directions: its own; None where there are none.
        model: the SHA-256 of its file.

    Raises:
        FaceganError: an unknown label or direction, or latents of another size.
    """
    labels = opened.named(asked.labels)

    def face(
        seed: int | None, latent: list[float] | None, edits: dict[str, float], **more: Any
    ) -> EditedFace:
        return EditedFace(
            seed=seed,
            latent=None if latent is None else _whole(latent, opened),
            truncation=asked.truncation,
            labels=labels,
            edits=_named(edits, directions),
            **more,
        )

    mixed = None
    if asked.mix is not None:
        mixed = (face(asked.mix.seed, asked.mix.latent, asked.mix.edits), asked.mix.side)
    several: list[tuple[int | None, list[float] | None]] = (
        [(seed, None) for seed in asked.seeds]
        if asked.seeds is not None
        else [(None, latent) for latent in asked.latents or []]
    )
    return [face(seed, latent, asked.edits, mixed=mixed, model=model) for seed, latent in several]


def _named(edits: dict[str, float], directions: Directions | None) -> dict[str, float]:
    if not edits:
        return {}
    if directions is None:
        raise RequestError(
            "This generator has no directions to edit along.",
            "Find them: facegan directions MODEL.",
        )
    return directions.amounts(edits)


def _whole(latent: list[float], opened: OpenGenerator) -> Floats:
    """A latent with its noise; 0 where none was given."""
    generator = opened.loaded.generator
    size = generator.latent.size + generator.noise
    if len(latent) not in (generator.latent.size, size):
        raise RequestError(
            f"A latent has {len(latent)} numbers.",
            f"This generator's have {generator.latent.size}"
            + (f", or {size} with noise." if generator.noise else "."),
        )
    whole = np.zeros(size, np.float32)
    whole[: len(latent)] = latent
    return whole


def inputs_of_faces(faces: Sequence[PageFace], opened: OpenGenerator) -> Inputs:
    """What enters the network for faces of the page. Raises RequestError where it cannot be."""
    width = len(opened.loaded.generator.modulated)
    several = []
    for face in faces:
        own, mix = _plain_inputs(face, opened), face.mix
        if mix is not None:
            if len(mix.share) != width or not width:
                raise RequestError(
                    f"A mixture has {len(mix.share)} shares.",
                    f"This generator can be mixed at {width} resolutions.",
                )
            other = _plain_inputs(mix, opened)
            share = np.array([mix.share], np.float32)
            own = Inputs(own.z, own.rows, Mixture(other.z, other.rows, share))
        several.append(own)
    return joined(several)


def _plain_inputs(face: PageFace | PageMix, opened: OpenGenerator) -> Inputs:
    generator = opened.loaded.generator
    z = _floats(face.z, generator.latent.size + generator.noise)
    if not np.isfinite(z).all() or np.abs(z).max() > _FAR:
        raise RequestError("A latent has values that are not possible.", "Send finite numbers.")
    labels = len(opened.labels)
    if not labels:
        return Inputs(z[None])
    unknown = np.full(labels, np.nan, np.float32)
    return Inputs(z[None], (unknown if face.row is None else _floats(face.row, labels))[None])


def _floats(text: str, n: int) -> Floats:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError("A latent is no base64.", "Send float32 numbers as base64.") from error
    if len(raw) != 4 * n:
        raise RequestError(f"A latent has {len(raw)} bytes.", f"Send {n} float32 numbers.")
    return np.frombuffer(raw, "<f4").astype(np.float32)
