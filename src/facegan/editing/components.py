"""Directions in a latent space along which pictures change most, for any generator.

They have no names, and cost no labels and no reader. For z normal, E[z xᵀ] over pictures x is the
mean of the pictures' derivatives in z (Stein's lemma). Its left singular vectors are the
directions in which a step changes the picture most on average, with the same change everywhere.
Computed once for a generator and kept in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facegan.cache import cache_folder, keep_array, read_array
from facegan.errors import FaceganError
from facegan.files import sha256
from facegan.generation.generator import OpenGenerator
from facegan.seeding import COMPONENTS, random

Array = npt.NDArray[np.float32]

COUNT = 10
# More pictures for larger latents: each entry of E[z xᵀ] has an error of 1/√n.
PICTURES = 1024
_SIDE = 32
_BATCH = 32
# Three steps of a slider are then half of a usual latent's length.
_SHARE = 1 / 6


def components_of(opened: OpenGenerator) -> Array:
    """Directions that change a generator's pictures, those that change most first.

    Returns:
        float32 [K, Z], K ≤ 10; each vector's length is a sixth of the length that latents have
        on average, and its largest number is positive.
    """
    place = cache_folder() / "components" / f"{sha256(opened.path)}-{PICTURES}.npy"
    known = read_array(place)
    if (
        known is not None
        and known.dtype == np.float32
        and known.ndim == 2
        and np.isfinite(known).all()
    ):
        return np.ascontiguousarray(known)
    found = _computed(opened, PICTURES)
    keep_array(place, found, "the generator's components")
    return found


def moved(opened: OpenGenerator, z: Tensor, amounts: Mapping[int, float]) -> Tensor:
    """Latents moved along components: as long as before if normal, within [−1, 1] if uniform.

    Args:
        opened: the generator.
        z: float [N, Z] or [N, Z + noise]; the noise stays.
        amounts: number of a component, from 0 → how far.
    """
    components = components_of(opened)
    for number in amounts:
        if not 0 <= number < len(components):
            raise FaceganError(
                f"There is no component {number}.",
                f"This generator has 0 to {len(components) - 1}.",
            )
    size = components.shape[1]
    step = np.zeros(size)
    for number, amount in amounts.items():
        step += amount * components[number].astype(np.float64)
    head = z[:, :size].double()
    target = head + torch.from_numpy(step)
    if opened.loaded.generator.latent.distribution == "normal":
        length = target.norm(dim=1, keepdim=True).clamp_min(1e-12)
        target = target * (head.norm(dim=1, keepdim=True) / length)
    else:
        target = target.clamp(-1.0, 1.0)
    result = z.clone()
    result[:, :size] = target.to(z.dtype)
    return result


def _computed(opened: OpenGenerator, n: int) -> Array:
    generator = opened.loaded.generator
    size = generator.latent.size
    draws = random(0, COMPONENTS, size)
    z = draws.standard_normal((n, size + generator.noise), np.float32)
    if generator.latent.distribution == "uniform":
        z[:, :size] = draws.random((n, size), np.float32) * 2 - 1
    labels = None if not opened.labels else torch.full((n, len(opened.labels)), torch.nan)
    seen = []
    for begin in range(0, n, _BATCH):
        rows = slice(begin, begin + _BATCH)
        given = None if labels is None else labels[rows]
        pictures = opened.pictures_at(torch.from_numpy(z[rows]), given)
        seen.append(_small(pictures))
    x = np.concatenate(seen)
    x -= x.mean(0)
    vectors, _, _ = np.linalg.svd(z[:, :size].T.astype(np.float64) @ x, full_matrices=False)
    found = vectors[:, :COUNT].T
    found *= np.sign(found[np.arange(len(found)), np.abs(found).argmax(1)])[:, None]
    spread = 1.0 if generator.latent.distribution == "normal" else 3**-0.5
    return np.ascontiguousarray(found * spread * size**0.5 * _SHARE, np.float32)


def _small(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Pictures [N, H, W, C] as rows of numbers, averaged down to 32 pixels a side."""
    n, side, _, channels = pictures.shape
    step = max(1, side // _SIDE)
    if side % step:
        step = 1
    parts = pictures.reshape(n, side // step, step, side // step, step, channels)
    return parts.mean((2, 4)).reshape(n, -1)
