"""The first guess of a latent that the exported page makes: one linear map from 16 × 16 pixels.

The page has no room for the network that `facegan.editing.encoder` sees pictures through. This map
is fitted in the same way, to the generator's own pictures, and has a few hundred kilobytes.
Computed once for a generator and kept in the cache.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.cache import cache_folder, keep_entry, read_entry
from facegan.files import sha256
from facegan.generation.generator import OpenGenerator
from facegan.seeding import EDITING, Random, random
from facegan.studio.about import base64_of

Floats = npt.NDArray[np.float32]

SIDE = 16
PICTURES = 3072
_GROUP = 32
# Of the ridge, as a share of the mean square of the pixels less their mean.
_RIDGE = 0.2
# Pictures between which differences are measured.
_COMPARED = 128


def guessing(opened: OpenGenerator, n: int = PICTURES) -> dict[str, Any] | None:
    """What the page needs to guess latents, as JSON; None for pictures smaller than the map sees.

    `mean` is float32 [16 · 16 · C] and `weight` float16 [16 · 16 · C, Z], of pixels in [0, 1];
    `apart` is the root mean square difference of two of the generator's pictures, in levels.
    """
    if opened.loaded.generator.spec.resolution % SIDE:
        return None
    place = cache_folder() / "guesses" / f"{sha256(opened.path)}-{n}.npz"
    try:
        with np.load(io.BytesIO(read_entry(place) or b""), allow_pickle=False) as kept:
            mean, weight, apart = kept["mean"], kept["weight"], float(kept["apart"])
    except (OSError, ValueError, EOFError, LookupError):
        mean, weight, apart = _fitted(opened, n)
        target = io.BytesIO()
        np.savez(target, mean=mean, weight=weight, apart=apart)
        keep_entry(place, target.getvalue(), "the first guess of a latent")
    half = base64_of(weight.astype("<f2"))
    return {"side": SIDE, "mean": base64_of(mean.astype("<f4")), "weight": half, "apart": apart}


def _fitted(opened: OpenGenerator, n: int) -> tuple[Floats, Floats, float]:
    generator = opened.loaded.generator
    chance = Random(random(0, EDITING, 4))
    z, rows = generator.draw(chance, n), generator.draw_labels(chance, n)
    seen, whole = [], []
    for begin in range(0, n, _GROUP):
        some = slice(begin, begin + _GROUP)
        pictures = opened.pictures_at(z[some], None if rows is None else rows[some])
        seen.append(_small(pictures))
        if begin < _COMPARED:
            whole.append(pictures.astype(np.float64))
    compared = np.concatenate(whole)
    apart = float(np.sqrt(((compared - np.roll(compared, 1, 0)) ** 2).mean((1, 2, 3))).mean())
    x = np.concatenate(seen)
    mean = x.mean(0)
    x -= mean
    known = z[:, : generator.latent.size].numpy().astype(np.float64)
    products = x.T @ x
    ridge = max(_RIDGE * float(products.trace()) / len(products), 1e-9)
    weight = np.linalg.solve(products + ridge * np.eye(len(products)), x.T @ known)
    return mean.astype(np.float32), weight.astype(np.float32), max(apart, 1e-6)


def _small(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    n, side, _, channels = pictures.shape
    step = side // SIDE
    parts = pictures.reshape(n, SIDE, step, SIDE, step, channels)
    return parts.mean((2, 4)).reshape(n, -1) / 255
