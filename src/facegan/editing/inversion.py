"""Finds the latent from which a generator makes a given face again, as well as it can.

An encoder makes a first guess, then Adam moves the latent, and the noise where the generator has
any, until the picture is nearest to the photograph: in its pixels and in the maps of a network
(Zhu et al. 2016, arXiv:1609.03552, section 4.1, with features in the place of theirs).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facegan.editing.encoder import Encoder, encoder_at_hand
from facegan.editing.face import drawn
from facegan.editing.perceptual import Perceptual
from facegan.errors import DataError
from facegan.generation.generator import OpenGenerator
from facegan.generation.inputs import Inputs
from facegan.networks.interfaces import Generator
from facegan.seeding import EDITING, Random, random

Picture = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]

STEPS = 100
# Weight of the mean squared difference of pixels in [0, 1], beside that of the maps.
_PIXELS = 10.0
# Latents that are tried first, where there is no encoder.
_TRIED = 256
_RATE = 0.15
# A latent may become so much longer than those drawn are on average.
_LONGEST = 1.15
# Weight of the mean square of the noise, which explains anything if it is let.
_NOISE = 0.02
# Shares of the distance between two of a generator's pictures, up to which it holds a face
# closely, and holds something like it. Of 50 people whom lfw-64 never saw, none is below the
# first, half are below 0.27, and a tenth above 0.36 (benchmarks/inversion.py).
CLOSE, ALIKE = 0.15, 0.33
# Of the generator's own pictures, so many are inverted, with so many steps.
_OWN, _OWN_STEPS = 6, STEPS


@dataclass(frozen=True)
class Inverted:
    """A face that was found in a generator.

    Attributes:
        latent: float32 [Z + noise].
        picture: uint8 [H, W, C], what the generator makes of it.
        error: `distance` between photograph and picture.
        curve: the same before every step; the first is that of the first guess.
        apart: the mean distance between two of the generator's own pictures, None where it was
            not measured.
        own: the distance at which inversions of its own pictures end, on average, likewise.
    """

    latent: npt.NDArray[np.float32]
    picture: Picture
    error: float
    curve: tuple[float, ...]
    apart: float | None = None
    own: float | None = None

    @property
    def share(self) -> float | None:
        """The error as a share of `apart`: 0 is the same picture, 1 any other face."""
        return None if self.apart is None else self.error / self.apart

    @property
    def verdict(self) -> str:
        """Whether the generator holds the face, in a sentence."""
        if self.share is None:
            return f"The picture differs from the photograph by {self.error:.2f}."
        if self.share <= CLOSE:
            return "The generator holds this face closely."
        if self.share <= ALIKE:
            return (
                "The generator holds something like this face. What it never saw enough of it "
                "replaces, and it may be somebody else that you see."
            )
        return (
            "The generator cannot hold this face: what you see is the nearest that it has, and "
            "that is somebody else."
        )


def distance(
    maps: list[Tensor], images: Tensor, other_maps: list[Tensor], others: Tensor
) -> Tensor:
    """How far pictures are from others, [N]: their maps', and 10 times their pixels' mean square.

    Args:
        maps: of `Perceptual.maps`.
        images: float [N, C, H, W] in [0, 1].
        other_maps: of the others.
        others: themselves.
    """
    pixels = (images - others).square().mean((1, 2, 3))
    return Perceptual.between(maps, other_maps) + _PIXELS * pixels


def invert(
    generator: OpenGenerator,
    picture: Picture,
    *,
    steps: int = STEPS,
    seed: int = 0,
    encoder: Encoder | None = None,
    perceptual: Perceptual | None = None,
    progress: Progress = lambda done, total: None,
) -> Inverted:
    """Find the latent of a face.

    Args:
        generator: that is to make it.
        picture: uint8 [H, W, C] of the generator's shape, aligned and cut out as the pictures
            that it learned from.
        steps: of Adam, 0 or more.
        seed: of the first guesses, where there is no encoder.
        encoder: makes the first guess; by default the one at hand, if there is one.
        perceptual: what compares pictures; opened if it is not given.
        progress: called with (steps done, steps in all).

    Raises:
        DataError: the picture has another shape.
    """
    spec = generator.loaded.generator.spec
    expected = (spec.resolution, spec.resolution, spec.channels)
    if picture.shape != expected or picture.dtype != np.uint8:
        raise DataError(
            f"A picture of {picture.dtype} {list(picture.shape)} cannot be looked for.",
            f"This generator makes uint8 {list(expected)}: cut the face out and resize it.",
        )
    encoder = encoder or encoder_at_hand(generator)
    (found,) = invert_all(
        generator,
        picture[None],
        steps=steps,
        seed=seed,
        encoder=encoder,
        perceptual=perceptual,
        progress=progress,
    )
    return found


def invert_all(
    generator: OpenGenerator,
    pictures: Picture,
    *,
    steps: int = STEPS,
    seed: int = 0,
    encoder: Encoder | None = None,
    perceptual: Perceptual | None = None,
    progress: Progress = lambda done, total: None,
) -> list[Inverted]:
    """`invert` of several pictures uint8 [N, H, W, C] together; the encoder only if it is given."""
    work = _Work(generator, pictures, perceptual, encoder, seed)
    z, best = work.begin(), torch.full((len(pictures),), torch.inf)
    kept, curves = z.clone(), []
    z.requires_grad_(True)
    optimizer = torch.optim.Adam([z], _RATE, betas=(0.9, 0.99))
    for step in range(steps + 1):
        far, cost = work.compared(z)
        now = far.detach().cpu()
        better = now < best
        kept[better], best = z.detach()[better], torch.minimum(now, best)
        curves.append(now)
        if step == steps:
            break
        optimizer.zero_grad()
        cost.sum().backward()
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1.0, 2.0 * (1 - step / steps))
        optimizer.step()
        work.keep_plausible(z)
        progress(step + 1, steps)
    rows = None if work.labels is None else work.labels.cpu().numpy()
    made = drawn(generator, Inputs(kept.cpu().numpy(), rows))
    found = []
    for n, image in enumerate(made):
        curve = tuple(float(each[n]) for each in curves)
        found.append(Inverted(kept[n].cpu().numpy(), image, float(best[n]), curve))
    if encoder is None:
        return found
    apart, own = encoder.fitted.apart, encoder.fitted.own
    return [replace(each, apart=apart, own=own) for each in found]


class _Work:
    """What stays the same while latents are looked for."""

    def __init__(
        self,
        generator: OpenGenerator,
        pictures: Picture,
        perceptual: Perceptual | None,
        encoder: Encoder | None,
        seed: int,
    ) -> None:
        # Without gradients in the weights, which would take twice as long as those in the latent.
        self._network: Generator = copy.deepcopy(generator.loaded.generator).requires_grad_(False)
        self._pixels = generator.loaded.pixels
        self._device = next(self._network.parameters()).device
        self._perceptual = perceptual or Perceptual(self._device)
        self._encoder, self._seed = encoder, seed
        self.labels: Tensor | None = None
        if generator.labels:
            unknown = torch.full((len(pictures), len(generator.labels)), torch.nan)
            self.labels = unknown.to(self._device)
        targets = torch.from_numpy(np.array(pictures)).to(self._device)
        self._targets = targets.permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            self._goals = self._perceptual.maps(self._targets)
        self._size = self._network.latent.size
        self._typical = self._size**0.5

    def begin(self) -> Tensor:
        """First guesses, [N, Z + noise]; the noise is 0."""
        z = torch.zeros(len(self._targets), self._size + self._network.noise, device=self._device)
        normal = self._network.latent.distribution == "normal"
        with torch.no_grad():
            if self._encoder is not None:
                typical = self._typical if normal else None
                z[:, : self._size] = self._encoder.guess(self._targets, self._perceptual, typical)
                self.keep_plausible(z)
            else:
                z[:, : self._size] = self._nearest()
        return z

    def _nearest(self) -> Tensor:
        """For each picture the nearest of some drawn latents."""
        tried = self._network.draw(Random(random(self._seed, EDITING, 2)), _TRIED)
        tried = tried[:, : self._size].to(self._device)
        far = []
        for some in tried.split(32):
            images, maps = self._made(some, None if self.labels is None else self.labels[:1])
            rows = [
                distance(
                    [m[n : n + 1] for m in maps], images[n : n + 1], self._goals, self._targets
                )
                for n in range(len(some))
            ]
            far.append(torch.stack(rows))
        return tried[torch.cat(far).argmin(0)]

    def _made(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        rows = None if labels is None else labels.expand(len(z), -1)
        images = self._pixels.to_unit(self._network(z, rows)).clamp(0, 1)
        return images, self._perceptual.maps(images)

    def compared(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The distance of each picture, and what is minimised, both [N]."""
        images, maps = self._made(z, self.labels)
        far = distance(maps, images, self._goals, self._targets)
        noise = z[:, self._size :]
        if not noise.shape[1]:
            return far, far
        return far, far + _NOISE * noise.square().mean(1)

    @torch.no_grad()
    def keep_plausible(self, z: Tensor) -> None:
        """Bring latents back to where those lie that the generator was trained with."""
        head = z[:, : self._size]
        if self._network.latent.distribution == "uniform":
            head.clamp_(-1, 1)
            return
        longest = _LONGEST * self._typical
        head.mul_((longest / head.norm(dim=1, keepdim=True).clamp(min=1e-6)).clamp(max=1.0))


def with_own_error(model: OpenGenerator, encoder: Encoder, perceptual: Perceptual) -> Encoder:
    """The same encoder, knowing where inversions of the generator's own pictures end."""
    pictures = np.concatenate(list(model.pictures(range(_OWN))))
    found = invert_all(model, pictures, steps=_OWN_STEPS, encoder=encoder, perceptual=perceptual)
    own = float(np.mean([each.error for each in found]))
    return replace(encoder, fitted=encoder.fitted.model_copy(update={"own": own}))
