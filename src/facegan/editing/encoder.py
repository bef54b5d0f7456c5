"""A first guess of the latent that a picture was made from: one linear map, fitted in closed form.

It is fitted to the generator's own pictures, whose latents are known, so no photograph is needed.
It sees the picture at 16 × 16 pixels and maps of EfficientNet-Lite0 at 4 × 4 places.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, ValidationError
from torch import Tensor
from torch.nn import functional as F

from facegan.cache import cache_folder, not_kept
from facegan.config import Config
from facegan.editing.perceptual import Perceptual
from facegan.errors import FaceganError, RunError, one_line
from facegan.files import read_safetensors, sha256, write_bytes
from facegan.generation.generator import OpenGenerator
from facegan.models.companions import companion
from facegan.models.store import SUFFIX
from facegan.parsing import parse_json
from facegan.seeding import EDITING, Random, random
from facegan.version import __version__

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

KEY, FORMAT = "facegan.encoder", 1
_PIXELS, _PLACES = 16, 4
_GROUP = 32
# Of the ridge, as a share of the mean square of the features, for each picture.
_RIDGE = 0.2
# Guesses are shorter than latents: what the pictures do not tell is 0 in them. Most of the length
# is given back: on lfw-64, optimisation ends nearer from there than from either end.
_LENGTH = 0.8
# Of the generator's own pictures, how many say how far two of them are apart.
_COMPARED = 48


class Fitted(Config):
    """How an encoder was fitted.

    Attributes:
        model: SHA-256 (hex) of the generator's file.
        pictures: that it was fitted to.
        explained: share of the variance of z that it explains on pictures it was not fitted to.
        apart: mean distance between two of the generator's pictures, as
            `facegan.editing.inversion` measures it.
        own: the distance at which inversions of the generator's own pictures end, on average.
        version: of facegan.
    """

    model: str
    pictures: Annotated[int, Field(ge=1)]
    explained: Annotated[float, Field(le=1)]
    apart: Annotated[float, Field(gt=0)]
    own: Annotated[float, Field(ge=0)] = 0.0
    version: str = __version__


@dataclass(frozen=True)
class Encoder:
    """From pictures to latents.

    Attributes:
        mean: float32 [D], of the features.
        weight: float32 [D, Z], of the features less their mean.
        fitted: how.
    """

    mean: Floats
    weight: Floats
    fitted: Fitted

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.mean.shape != self.weight.shape[:1]:
            raise ValueError(f"its tensors are {self.mean.shape} and {self.weight.shape}")
        for each in (self.mean, self.weight):
            if each.dtype != np.float32 or not np.isfinite(each).all():
                raise ValueError("its tensors are not finite float32 numbers")

    def guess(self, images: Tensor, perceptual: Perceptual, typical: float | None) -> Tensor:
        """First guesses, float32 [N, Z].

        Args:
            images: float [N, C, H, W] in [0, 1].
            perceptual: whose maps are seen.
            typical: the usual length of a latent, which guesses get most of; None leaves theirs.

        Raises:
            RunError: it was fitted to pictures of another shape.
        """
        seen = features(images, perceptual)
        if seen.shape[1] != len(self.mean):
            raise RunError(
                f"The encoder takes {len(self.mean)} numbers, and these pictures give "
                f"{seen.shape[1]}.",
                "It belongs to another generator, or another version of facegan.",
            )
        mean, weight = (torch.from_numpy(t).to(seen.device) for t in (self.mean, self.weight))
        z = (seen - mean) @ weight
        if typical is not None:
            z = z * (_LENGTH * typical / z.norm(dim=1, keepdim=True).clamp(min=1e-6))
        return z

    def save(self, path: Path) -> None:
        """Write the file; weights in half precision."""
        from safetensors.numpy import save

        about = {"format": FORMAT, **self.fitted.model_dump(mode="json")}
        half = self.weight.astype(np.float16)
        tensors: dict[str, npt.NDArray[Any]] = {"mean": self.mean, "weight": half}
        write_bytes(path, save(tensors, metadata={KEY: json.dumps(about)}))

    @classmethod
    def load(cls, path: Path, model: str) -> Encoder:
        """Read a file that `save` wrote.

        Args:
            path: the file.
            model: SHA-256 (hex) of the generator's file.

        Raises:
            RunError: it is no such file, damaged, or for another generator.
        """
        tensors, metadata = read_safetensors(path)
        try:
            about = parse_json(metadata[KEY])
            if about.pop("format") != FORMAT or set(tensors) != {"mean", "weight"}:
                raise ValueError("another format")
            fitted = Fitted.model_validate_json(json.dumps(about))
            if fitted.model != model:
                raise ValueError("it was fitted to another generator")
            mean, weight = (tensors[name].float().numpy() for name in ("mean", "weight"))
            return cls(mean, weight, fitted)
        except (ValidationError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise RunError(
                f"{path} holds no encoder for this generator: {one_line(error)}.",
                "Remove the file: it is made again when it is needed.",
            ) from error


def features(images: Tensor, perceptual: Perceptual) -> Tensor:
    """What an encoder sees of images float [N, C, H, W] in [0, 1]: float [N, D]."""
    with torch.no_grad():
        places = F.adaptive_avg_pool2d(perceptual.raw(images)[-1], _PLACES).flatten(1)
        # As large as the maps, so that one ridge serves both.
        pixels = 2 * F.adaptive_avg_pool2d(images, _PIXELS).flatten(1)
        return torch.cat([places, pixels], 1)


def fit_encoder(
    model: OpenGenerator,
    perceptual: Perceptual,
    n: int = 8192,
    progress: Progress = lambda done, total: None,
) -> Encoder:
    """Fit an encoder to a generator's own pictures.

    Args:
        model: the generator.
        perceptual: whose maps it sees.
        n: pictures.
        progress: called with (pictures done, pictures in all).
    """
    generator, network = model.loaded.generator, model.network
    chance = Random(random(0, EDITING, 3))
    drawn, labels = generator.draw(chance, n), generator.draw_labels(chance, n)
    kept = max(n // 10, 1)
    size = generator.latent.size
    device = next(network.parameters()).device
    gram: npt.NDArray[np.float64] | None = None
    held: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = []
    some_maps: list[list[Tensor]] = []
    some_images: list[Tensor] = []
    for begin in range(0, n, _GROUP):
        z = drawn[begin : begin + _GROUP]
        rows = None if labels is None else labels[begin : begin + _GROUP].to(device)
        with torch.no_grad():
            images = model.loaded.pixels.to_unit(network(z.to(device), rows)).clamp(0, 1)
        seen = features(images, perceptual).double().cpu().numpy()
        known = z[:, :size].double().numpy()
        if begin < kept:
            held.append((seen, known))
            if begin < _COMPARED:
                with torch.no_grad():
                    some_maps.append(perceptual.maps(images))
                    some_images.append(images)
        else:
            both = np.concatenate([seen, np.ones((len(seen), 1)), known], 1)
            # In float32 several times as fast; sums over the groups are taken in float64.
            product = both.astype(np.float32).T @ both.astype(np.float32)
            gram = product.astype(np.float64) if gram is None else gram + product
        progress(min(begin + _GROUP, n), n)
    assert gram is not None
    mean, weight, count = _ridge(gram, size)
    seen, known = (np.concatenate(part) for part in zip(*held, strict=True))
    left = ((known - (seen - mean) @ weight) ** 2).mean()
    return Encoder(
        mean.astype(np.float32),
        weight.astype(np.float32),
        Fitted(
            model=sha256(model.path),
            pictures=count,
            explained=float(1 - left / max((known**2).mean(), 1e-12)),
            apart=_apart(some_maps, torch.cat(some_images)),
        ),
    )


def _ridge(
    gram: npt.NDArray[np.float64], size: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
    """Mean and weights of the ridge regression from features to z, from all their products."""
    d = len(gram) - size - 1
    count = gram[d, d]
    mean, centre = gram[d, :d] / count, gram[d, d + 1 :] / count
    covariance = gram[:d, :d] / count - np.outer(mean, mean)
    cross = gram[:d, d + 1 :] / count - np.outer(mean, centre)
    # Each feature has its own scale.
    scale = np.sqrt(np.maximum(covariance.diagonal(), 1e-8))
    scaled = covariance / np.outer(scale, scale) + _RIDGE * d / count * np.eye(d)
    weight = np.linalg.solve(scaled, cross / scale[:, None]) / scale[:, None]
    return mean, weight, round(count)


def _apart(maps: list[list[Tensor]], images: Tensor) -> float:
    """The mean distance between two of some pictures."""
    from facegan.editing.inversion import distance

    joined = [torch.cat(part) for part in zip(*maps, strict=True)]
    far = []
    for shift in range(1, min(9, len(images))):
        others = [each.roll(shift, 0) for each in joined]
        far.append(distance(joined, images, others, images.roll(shift, 0)).mean())
    return max(float(torch.stack(far).mean()), 1e-6) if far else 1e-6


def encoder_at_hand(model: OpenGenerator) -> Encoder | None:
    """The encoder beside a generator's file, or the one that was kept; None where there is none."""
    digest = sha256(model.path)
    for path in (companion(model.path, "encoder"), _kept(digest)):
        if path.is_file():
            try:
                return Encoder.load(path, digest)
            except RunError:
                continue  # of an earlier file of this name, or damaged: it can be made again
    return None


def encoder_of(
    model: OpenGenerator,
    perceptual: Perceptual,
    progress: Progress = lambda done, total: None,
) -> Encoder:
    """A generator's encoder: the one at hand, or one that is fitted now and kept in the cache."""
    from facegan.editing.inversion import with_own_error

    found = encoder_at_hand(model)
    if found is not None:
        return found
    found = with_own_error(model, fit_encoder(model, perceptual, progress=progress), perceptual)
    try:
        found.save(_kept(found.fitted.model))
    except FaceganError as error:
        not_kept("the encoder", error.message)
    return found


def _kept(digest: str) -> Path:
    return cache_folder() / "encoders" / f"{digest}{SUFFIX}"
