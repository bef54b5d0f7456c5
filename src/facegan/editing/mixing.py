"""Two faces in one picture: coarse things of one, fine things of the other.

In a generator whose latent modulates its maps at every resolution, each resolution can be given
another latent (style mixing; Karras, Laine & Aila 2019, arXiv:1812.04948, section 3.1). What is
coarse, such as pose and outline, is decided at low resolutions, colours at high ones.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from facegan.errors import FaceganError
from facegan.generation.generator import OpenGenerator
from facegan.networks.layers.modulation import SelfModulation

Floats = npt.NDArray[np.float32]


def resolutions(model: OpenGenerator) -> tuple[int, ...]:
    """The sides of the maps that the latent modulates, from coarse to fine; empty for none."""
    generator = model.loaded.generator
    if not _modulations(generator):
        return ()
    z = torch.zeros(1, generator.latent.size + generator.noise)
    labels = torch.full((1, len(model.labels)), torch.nan) if model.labels else None
    seen: list[int] = []

    def look(_: nn.Module, given: tuple[Any, ...]) -> None:
        seen.append(int(given[0].shape[-1]))

    network = copy.deepcopy(generator).cpu()
    for module in _modulations(network):
        module.register_forward_pre_hook(look)
    with torch.no_grad():
        network(z, labels)
    return tuple(sorted(set(seen)))


def mixed(
    model: OpenGenerator,
    coarse: tuple[Floats, Tensor | None],
    fine: tuple[Floats, Tensor | None],
    side: int,
) -> npt.NDArray[np.uint8]:
    """Pictures with the fine things of other faces.

    Args:
        model: the generator.
        coarse: latents float32 [N, Z + noise] and scaled labels [N, L], as
            `facegan.editing.face.EditedFace.inputs` gives them; of these is all that is decided
            below `side`, and the noise.
        fine: the same, of which is what modulates maps of `side` pixels and more.
        side: one of `resolutions`.

    Returns:
        uint8 [N, H, W, C].

    Raises:
        FaceganError: the generator's latent modulates nothing, or no maps of this size.
    """
    network = copy.deepcopy(model.loaded.generator)
    modulations = _modulations(network)
    if not modulations:
        raise FaceganError(
            "This generator takes its latent in at one place, so faces cannot be mixed by "
            "resolution.",
            "A generator that modulates can: train ignm with generator.modulate=true.",
        )
    known = resolutions(model)
    if side not in known:
        raise FaceganError(
            f"No maps of {side} pixels are modulated.",
            f"Allowed: {', '.join(map(str, known))}.",
        )
    device = next(network.parameters()).device
    codes: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, given: tuple[Any, ...]) -> None:
        codes[module] = given[1]

    def exchange(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        maps, _ = given
        return (maps, codes[module]) if maps.shape[-1] >= side else None

    def run(inputs: tuple[Floats, Tensor | None], hook: Any) -> Tensor:
        handles = [module.register_forward_pre_hook(hook) for module in modulations]
        z, labels = inputs
        with torch.no_grad():
            latents = torch.from_numpy(np.ascontiguousarray(z)).to(device)
            images: Tensor = network(latents, None if labels is None else labels.to(device))
        for handle in handles:
            handle.remove()
        return images

    run(fine, keep)
    return model.loaded.pixels.to_bytes(run(coarse, exchange)).cpu().numpy()


def _modulations(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, SelfModulation)]
