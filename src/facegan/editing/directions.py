"""Directions in a generator's latent space that change one thing about a face, and their file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from facegan.config import Config
from facegan.data.conditions import spelling
from facegan.errors import FaceganError, RunError, nearest, one_line, printable
from facegan.files import read_safetensors, sha256, write_bytes
from facegan.models.companions import companion
from facegan.parsing import parse_json
from facegan.values import Value
from facegan.version import __version__

Array = npt.NDArray[np.float32]
Kind = Literal["attribute", "age", "light", "pose"]

# What a direction's file adds to the name of the model's.
KEY, FORMAT = "facegan.directions", 1
# Farther than any face is from the mean, in standard deviations of what is read.
FARTHEST = 20.0
_MOST = 1024


class DirectionSearch(Config):
    """How directions were found.

    Attributes:
        model: SHA-256 (hex) of the generator's file.
        latent: the distribution of z.
        kinds: of each direction.
        explained: of each, the share of the reading's variance that a line in z explains, on
            latents that the line was not fitted to.
        faces: how many were read.
        seed: of their latents.
        measured: how many others the tables were measured on.
        step: how far those were moved, both ways, in standard deviations.
        identity: the space of the distance between faces before and after.
        weak: what was looked for, and not found well enough to be kept.
        reader: fingerprint of the attribute reader.
        version: of facegan.
    """

    model: str
    latent: Literal["normal", "uniform"]
    kinds: tuple[Kind, ...]
    explained: tuple[Annotated[float, Field(le=1.0)], ...]
    faces: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    measured: Annotated[int, Field(ge=1)]
    step: Annotated[float, Field(gt=0)]
    identity: str
    weak: tuple[str, ...] = ()
    reader: str = ""
    version: str = __version__


@dataclass(frozen=True)
class Directions(Value):
    """What can be changed about a generator's faces: K directions in its latent z of Z numbers.

    Moving z by +1 · vector raises what the direction is named after by about one standard
    deviation of it over the generator's own faces; `moved` does it. All other named readings stay
    about what they are, as far as the generator allows: `effect` says how far.

    Attributes:
        names: of the attributes as the reader has them (`Smiling`, `Age`), and of light and pose.
        vectors: float32 [K, Z].
        centre: float32 [K], the mean reading of the generator's own faces: logits, years for Age,
            and for light and pose what `facegan.editing.readings` says.
        spread: float32 [K], the standard deviation of the same.
        up: float32 [K, K], row k: what +1 of direction k does to every reading on average, in
            standard deviations of each, measured on steps upwards.
        down: the same, measured on steps downwards. The two differ where a reading can only rise,
            or only fall: a face without glasses cannot lose them.
        identity: float32 [K], how far a face is from what it was after a step, as a share of the
            mean distance between two faces of the generator.
        plain_up: `up` of the steepest directions, which regard nothing but their own reading, for
            comparison.
        plain_down: `down` of the same.
        plain_identity: `identity` of the same.
        found: how they were found.
    """

    names: tuple[str, ...]
    vectors: Array
    centre: Array
    spread: Array
    up: Array
    down: Array
    identity: Array
    plain_up: Array
    plain_down: Array
    plain_identity: Array
    found: DirectionSearch

    def __post_init__(self) -> None:
        k = len(self.names)
        if not 1 <= k <= _MOST or len({spelling(name) for name in self.names}) != k:
            raise ValueError("its names repeat, or there are none")
        z = self.vectors.shape[1] if self.vectors.ndim == 2 else 0
        shapes = {
            "vectors": (k, z),
            **dict.fromkeys(("centre", "spread", "identity", "plain_identity"), (k,)),
            **dict.fromkeys(("up", "down", "plain_up", "plain_down"), (k, k)),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32 or 0 in shape:
                raise ValueError(f"{name} is {array.dtype} {list(array.shape)}, not {list(shape)}")
            if not np.isfinite(array).all() or np.abs(array).max() > 1e9:
                raise ValueError(f"{name} has values that are not finite numbers")
        if (self.spread <= 0).any():
            raise ValueError("a spread is not above 0")
        if not len(self.found.kinds) == len(self.found.explained) == k:
            raise ValueError("what is said of them does not fit their number")

    @property
    def effect(self) -> Array:
        """Float32 [K, K]: the mean of `up` and `down`. The diagonal is the gain."""
        return ((self.up + self.down) / 2).astype(np.float32)

    @property
    def gain(self) -> Array:
        """Float32 [K]: standard deviations of its own reading for +1 of each direction."""
        return self.effect.diagonal().copy()

    @property
    def leakage(self) -> Array:
        """Float32 [K, K]: what else changes for one standard deviation of gain.

        Of a step up and a step down, the larger; 0 on the diagonal.
        """
        return _leakage(self.up, self.down)

    @property
    def plain_leakage(self) -> Array:
        """`leakage` of the steepest directions."""
        return _leakage(self.plain_up, self.plain_down)

    def rows(self) -> list[dict[str, Any]]:
        """One for each direction: `explained` (R²), `gain`, `leakage` (root mean square over all
        other readings), `most` leakage and `into` what, `identity`, and `plain_leakage` and
        `plain_identity` of the steepest direction.
        """
        leaked, plain = np.abs(self.leakage), np.abs(self.plain_leakage)
        others = max(len(self.names) - 1, 1)
        return [
            {
                "direction": name,
                "kind": self.found.kinds[k],
                "explained": self.found.explained[k],
                "gain": float(self.gain[k]),
                "leakage": float(np.sqrt((leaked[k] ** 2).sum() / others)),
                "most": float(leaked[k].max()),
                "into": self.names[int(leaked[k].argmax())],
                "identity": float(self.identity[k]),
                "plain_leakage": float(np.sqrt((plain[k] ** 2).sum() / others)),
                "plain_identity": float(self.plain_identity[k]),
            }
            for k, name in enumerate(self.names)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything in it, arrays as lists."""
        arrays = {name: getattr(self, name).tolist() for name in _TENSORS}
        return {"names": list(self.names), **arrays, "found": self.found.model_dump(mode="json")}

    def amounts(self, wanted: Mapping[str, float]) -> dict[str, float]:
        """Wanted edits by the names of the directions.

        Args:
            wanted: name → standard deviations; names in any case, with dashes or underscores.

        Raises:
            FaceganError: there is no such direction, an amount is impossible, or one is given
                twice.
        """
        known = {spelling(name): name for name in self.names}
        found: dict[str, float] = {}
        for name, amount in wanted.items():
            if spelling(name) not in known:
                weak = [each for each in self.found.weak if spelling(each) == spelling(name)]
                said = f"The generator's faces do not vary enough in {name}" if weak else ""
                raise FaceganError(
                    f"There is no direction {name!r}. {said}".strip() + ("." if weak else ""),
                    nearest(name, self.names),
                )
            own = known[spelling(name)]
            if not abs(amount) <= FARTHEST:
                raise FaceganError(
                    f"{own} cannot be moved by {amount:g}.",
                    f"Give standard deviations from -{FARTHEST:g} to {FARTHEST:g}; beyond 3 or 4 "
                    "faces fall apart.",
                )
            if own in found:
                raise FaceganError(f"{own} is given twice.", "Give it once.")
            found[own] = float(amount)
        return found

    def moved(self, z: Array, wanted: Mapping[str, float]) -> Array:
        """Latents of the edited faces.

        A normal z keeps its length, because nearly all that were drawn while training have about
        the same; a uniform z stays within [−1, 1]. Without edits, z stays as it is.

        Args:
            z: float32 [N, Z] or [N, Z + noise]; the noise stays.
            wanted: as `amounts` takes it.

        Returns:
            float32, the shape of z.

        Raises:
            FaceganError: as `amounts`, or the latents are of another size.
        """
        amounts = self.amounts(wanted)
        size = self.vectors.shape[1]
        if z.ndim != 2 or z.shape[1] < size:
            raise FaceganError(
                f"Latents of shape {list(z.shape)} do not fit directions of {size} numbers.",
                "Take the directions that were found for this generator.",
            )
        moved = np.array(z, np.float32)
        if any(amounts.values()):
            head = z[:, :size].astype(np.float64)
            rows = [self.names.index(name) for name in amounts]
            step = np.array(list(amounts.values())) @ self.vectors[rows].astype(np.float64)
            moved[:, :size] = kept_plausible(head + step, head, self.found.latent)
        return moved

    def save(self, path: Path) -> None:
        """Write the file. The same directions always give the same bytes."""
        write_bytes(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The file's content: safetensors, with the rest as JSON in its metadata."""
        from safetensors.numpy import save

        about = {"format": FORMAT, "names": self.names, **self.found.model_dump(mode="json")}
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _TENSORS}
        content: bytes = save(tensors, metadata={KEY: json.dumps(about)})
        return content

    @classmethod
    def load(cls, path: Path, model: Path | None = None) -> Directions:
        """Read a file that `save` wrote.

        Args:
            path: the file.
            model: the generator's file that they must have been found for; any without it.

        Raises:
            RunError: it is no such file, it is damaged, or it is for another generator.
        """
        tensors, metadata = read_safetensors(path)
        if KEY not in metadata:
            raise RunError(f"{path} holds no directions.", "Find them: facegan directions MODEL.")
        try:
            about = parse_json(metadata[KEY])
            if about.pop("format") > FORMAT:
                raise RunError(
                    f"{path} was written by facegan {one_line(about.get('version'), 40)}, in a "
                    "newer format.",
                    f"This is facegan {__version__}: upgrade it.",
                )
            names = tuple(printable(str(name))[:80] for name in about.pop("names"))
            found = DirectionSearch.model_validate_json(json.dumps(about))
            if set(tensors) != set(_TENSORS):
                raise ValueError(f"it has the tensors {', '.join(sorted(tensors))}")
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            directions = cls(names, found=found, **arrays)
        except RunError:
            raise
        except (ValidationError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise RunError(
                f"{path} does not hold directions that make sense: {one_line(error)}.",
                "Find them again: facegan directions MODEL.",
            ) from error
        if model is not None and found.model != sha256(model):
            raise RunError(
                f"{path} was made for another generator than {model}.",
                "A generator that was trained on has other directions. Find them again: "
                "facegan directions MODEL.",
            )
        return directions


_TENSORS = tuple(f.name for f in fields(Directions) if f.name not in ("names", "found"))


def kept_plausible(
    z: npt.NDArray[Any], before: npt.NDArray[Any], latent: Literal["normal", "uniform"]
) -> npt.NDArray[Any]:
    """Latents [N, Z] as the generator knows them: as long as before, or within [−1, 1]."""
    if latent == "uniform":
        return z.clip(-1.0, 1.0)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    return z * (np.linalg.norm(before, axis=1, keepdims=True) / np.maximum(length, 1e-12))


def path_beside(model: Path) -> Path:
    """Where a generator's directions are: NAME.directions.safetensors beside NAME.safetensors."""
    return companion(model, "directions")


def directions_beside(model: Path) -> Directions | None:
    """The directions beside a generator's file; None where there are none.

    Raises:
        RunError: the file is damaged, or was made for another generator.
    """
    path = path_beside(model)
    return Directions.load(path, model) if path.is_file() else None


def require_directions(model: Path) -> Directions:
    """`directions_beside`, or an error that says how to find them."""
    found = directions_beside(model)
    if found is None:
        raise RunError(
            f"There are no directions beside {model}.", "Find them first: facegan directions MODEL."
        )
    return found


def _leakage(up: Array, down: Array) -> Array:
    larger = np.where(np.abs(up) >= np.abs(down), up, down)
    gain = ((up + down) / 2).diagonal()[:, None]
    leaked = larger / np.where(np.abs(gain) < 1e-6, np.inf, gain)
    np.fill_diagonal(leaked, 0.0)
    return leaked.astype(np.float32)


def in_words(amounts: Mapping[str, float] | Sequence[tuple[str, float]]) -> str:
    """`Smiling=2, Age=-1`, for metadata and messages."""
    return ", ".join(f"{name}={amount:g}" for name, amount in dict(amounts).items())
