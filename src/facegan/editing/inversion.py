"""Finds the latent from which a generator makes a given face again, as well as it can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facegan.editing.perceptual import Perceptual
from facegan.errors import DataError
from facegan.generation.generator import OpenGenerator
from facegan.seeding import EDITING, Random, random

Picture = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]

# Weight of the mean squared difference of pixels in [0, 1], beside that of the maps.
_PIXELS = 4.0
# Latents that are tried first, where there is no encoder.
_TRIED = 256
_RATE = 0.1
# A latent's length may leave the mean length of those drawn by so much.
_LONGEST = 1.1


@dataclass(frozen=True)
class Inverted:
    """A face that was found in a generator.

    Attributes:
        latent: float32 [Z + noise].
        picture: uint8 [H, W, C], what the generator makes of it.
        error: the distance between photograph and picture that was minimised; see `distance`.
        curve: the same after every step, the first guess first.
    """

    latent: npt.NDArray[np.float32]
    picture: Picture
    error: float
    curve: tuple[float, ...]


def invert(
    generator: OpenGenerator,
    picture: Picture,
    *,
    steps: int = 150,
    seed: int = 0,
    perceptual: Perceptual | None = None,
    progress: Progress = lambda done, total: None,
) -> Inverted:
    """Find the latent of a face.

    Args:
        generator: that is to make it.
        picture: uint8 [H, W, C] of the generator's shape, aligned and cut out as the pictures
            that it learned from.
        steps: of Adam.
        seed: of the first guesses.
        perceptual: what compares pictures; opened if it is not given.
        progress: called with (steps done, steps in all).

    Raises:
        DataError: the picture has another shape.
    """
    network, pixels = generator.network, generator.loaded.pixels
    spec = generator.loaded.generator.spec
    expected = (spec.resolution, spec.resolution, spec.channels)
    if picture.shape != expected or picture.dtype != np.uint8:
        raise DataError(
            f"A picture of {picture.dtype} {list(picture.shape)} cannot be looked for.",
            f"This generator makes uint8 {list(expected)}: cut the face out and resize it.",
        )
    device = next(network.parameters()).device
    perceptual = perceptual or Perceptual(device)
    target = torch.from_numpy(np.array(picture)).to(device).permute(2, 0, 1)[None] / 255
    goal = perceptual.maps(target)
    labels = None

    def compared(z: Tensor) -> tuple[Tensor, Tensor]:
        made = pixels.to_unit(network(z, labels)).clamp(0, 1)
        difference = (made - target).square().mean((1, 2, 3))
        return perceptual.between(perceptual.maps(made), goal) + _PIXELS * difference, made

    with torch.no_grad():
        drawn = generator.loaded.generator.draw(Random(random(seed, EDITING, 2)), _TRIED)
        drawn = drawn.to(device)
        distances = torch.cat([compared(some)[0] for some in drawn.split(32)])
    z = drawn[distances.argmin()][None].clone()
    size = generator.loaded.generator.latent.size
    longest = _LONGEST * drawn[:, :size].norm(dim=1).mean()
    best, curve = (float("inf"), z), []
    z.requires_grad_(True)
    optimizer = torch.optim.Adam([z], _RATE, betas=(0.9, 0.99))
    for step in range(steps + 1):
        distance, _ = compared(z)
        curve.append(float(distance.detach()))
        if curve[-1] < best[0]:
            best = (curve[-1], z.detach().clone())
        if step == steps:
            break
        optimizer.zero_grad()
        distance.sum().backward()
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1.0, 2.0 * (1 - step / steps))
        optimizer.step()
        with torch.no_grad():
            length = z[:, :size].norm(dim=1, keepdim=True)
            z[:, :size] *= (longest / length).clamp(max=1.0)
        progress(step + 1, steps)
    found = best[1]
    return Inverted(
        latent=found[0].cpu().numpy(),
        picture=generator.pictures_at(found)[0],
        error=best[0],
        curve=tuple(curve),
    )
