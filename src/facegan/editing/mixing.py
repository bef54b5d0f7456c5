"""Two faces in one picture: coarse things of one, fine things of the other.

In a generator whose latent modulates its maps at every resolution, each resolution can be given
another latent (style mixing; Karras, Laine & Aila 2019, arXiv:1812.04948, section 3.1). What is
coarse, such as pose and outline, is decided at low resolutions, colours at high ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError
from facegan.generation.generator import OpenGenerator
from facegan.generation.inputs import Inputs, Mixture

Floats = npt.NDArray[np.float32]

CANNOT = "This generator takes its latent in at one place, so faces cannot be mixed by resolution."


def resolutions(model: OpenGenerator) -> tuple[int, ...]:
    """The sides of the maps that the latent modulates, from coarse to fine; empty for none."""
    return model.loaded.generator.modulated


def shares(model: OpenGenerator, side: int) -> Floats:
    """For `Mixture`: nothing below a side, and all from it on; float32 [1, R].

    Raises:
        FaceganError: the generator's latent modulates nothing, or no maps of this size.
    """
    known = resolutions(model)
    if not known:
        raise FaceganError(
            CANNOT, "A generator that modulates can: train ignm with generator.modulate=true."
        )
    if side not in known:
        raise FaceganError(
            f"No maps of {side} pixels are modulated.",
            f"Allowed: {', '.join(map(str, known))}.",
        )
    return np.array([[float(one >= side) for one in known]], np.float32)


def mixed(model: OpenGenerator, coarse: Inputs, fine: Inputs, side: int) -> Inputs:
    """Faces with the fine things of other faces.

    Args:
        model: the generator.
        coarse: N faces; of them is all that is decided below `side`, and the noise.
        fine: N others, of which is what modulates maps of `side` pixels and more.
        side: one of `resolutions`.

    Raises:
        FaceganError: the generator's latent modulates nothing, or no maps of this size.
    """
    share = shares(model, side).repeat(len(coarse), 0)
    return Inputs(coarse.z, coarse.rows, Mixture(fine.z, fine.rows, share))
