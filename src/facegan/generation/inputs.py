"""What enters a generator for some faces: latents, labels, and of which faces the fine things are.

Beside `facegan.generation.samples`, which draws it for seeds, for faces that were edited, mixed or
are on the way from one to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from facegan.generation.films import eased, slerp
from facegan.generation.generator import OpenGenerator
from facegan.networks.interfaces import Latent

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mixture:
    """Other faces that are mixed into some, at some resolutions (`Generator.mixed`).

    Attributes:
        z: float32 [N, Z + noise], of the others.
        rows: float32 [N, L], their scaled labels; None without labels.
        share: float32 [N, R] in [0, 1], of the others at each of the generator's `modulated` sides.
    """

    z: Floats
    rows: Floats | None
    share: Floats


@dataclass(frozen=True)
class Inputs:
    """What enters the network for N faces.

    Attributes:
        z: float32 [N, Z + noise].
        rows: float32 [N, L], scaled labels, NaN where unknown; None without labels.
        mixture: what is mixed into them; None for nothing.
    """

    z: Floats
    rows: Floats | None = None
    mixture: Mixture | None = None

    def __len__(self) -> int:
        return len(self.z)

    def part(self, which: slice) -> Inputs:
        """Some of the faces."""
        mixture = self.mixture
        if mixture is not None:
            mixture = Mixture(mixture.z[which], _part(mixture.rows, which), mixture.share[which])
        return Inputs(self.z[which], _part(self.rows, which), mixture)

    def pictures(self, model: OpenGenerator) -> npt.NDArray[np.uint8]:
        """Their pictures, uint8 [N, H, W, C], computed at once."""
        if self.mixture is None:
            return model.pictures_at(_tensor(self.z), _labels(self.rows))
        network, pixels = model.loaded.generator, model.loaded.pixels
        device = next(network.parameters()).device
        given = (self.z, self.rows, self.mixture.z, self.mixture.rows, self.mixture.share)
        with torch.no_grad():
            images = network.mixed(
                *(None if each is None else _tensor(each).to(device) for each in given)  # type: ignore[arg-type]
            )
        return pixels.to_bytes(images).cpu().numpy()


def joined(several: Sequence[Inputs]) -> Inputs:
    """The faces of several inputs of one generator, one after the other."""
    z = np.concatenate([each.z for each in several])
    rows = _joined([each.rows for each in several])
    shares = [each.mixture.share for each in several if each.mixture is not None]
    if not shares:
        return Inputs(z, rows)
    width = shares[0].shape[1]
    mixtures = [each.mixture or nothing_of(each, width) for each in several]
    return Inputs(
        z,
        rows,
        Mixture(
            np.concatenate([each.z for each in mixtures]),
            _joined([each.rows for each in mixtures]),
            np.concatenate([each.share for each in mixtures]),
        ),
    )


def nothing_of(inputs: Inputs, width: int) -> Mixture:
    """A mixture that leaves faces as they are, for a generator with so many modulated sides."""
    return Mixture(inputs.z, inputs.rows, np.zeros((len(inputs), width), np.float32))


def walked(faces: Inputs, steps: int, latent: Latent, loop: bool = True) -> Iterator[Inputs]:
    """A walk from each face to the next, slower near each of them; what is mixed in, too.

    Args:
        faces: K ≥ 1 of them.
        steps: from each face to the next.
        latent: the generator's. Normal latents go along the sphere on which they lie, their noise
            on a sphere of its own; uniform ones go straight.
        loop: whether the walk goes on from the last face to the first.

    Yields:
        One face each: with `loop`, K · steps of them, the first the first face, and the one after
        the last would be it again; else (K − 1) · steps + 1.
    """
    singles = [faces.part(slice(k, k + 1)) for k in range(len(faces))]
    stretches = len(singles) if loop else len(singles) - 1
    for place in range(stretches):
        one, other = singles[place], singles[(place + 1) % len(singles)]
        for step in range(steps):
            yield between(one, other, eased(step / steps), latent)
    if not loop or len(singles) == 1:
        yield singles[-1]


def between(one: Inputs, other: Inputs, share: float, latent: Latent) -> Inputs:
    """A face between two, each [1, …]: `share` 0 is the one, 1 the other."""
    if share == 0.0:
        return one
    mixture = None
    if one.mixture is not None and other.mixture is not None:
        a, b = one.mixture, other.mixture
        # A face of which nothing is mixed in lends no direction: the other's stays, and fades.
        if not a.share.any():
            a = Mixture(b.z, b.rows, a.share)
        elif not b.share.any():
            b = Mixture(a.z, a.rows, b.share)
        mixture = Mixture(
            _latents(a.z, b.z, share, latent),
            _rows(a.rows, b.rows, share),
            ((1 - share) * a.share + share * b.share).astype(np.float32),
        )
    z = _latents(one.z, other.z, share, latent)
    return Inputs(z, _rows(one.rows, other.rows, share), mixture)


def _latents(one: Floats, other: Floats, share: float, latent: Latent) -> Floats:
    size = latent.size
    if latent.distribution == "uniform":
        head = (1 - share) * one[:, :size] + share * other[:, :size]
    else:
        head = slerp(one[:, :size], other[:, :size], share)
    parts = [head]
    if one.shape[1] > size:
        parts.append(slerp(one[:, size:], other[:, size:], share))
    return np.concatenate(parts, 1).astype(np.float32)


def _rows(one: Floats | None, other: Floats | None, share: float) -> Floats | None:
    """Labels between; one that either of the two does not know is the nearer one's."""
    if one is None or other is None:
        return None
    mixed = (1 - share) * one + share * other
    return np.where(np.isnan(mixed), one if share < 0.5 else other, mixed).astype(np.float32)


def _part(values: Floats | None, which: slice) -> Floats | None:
    return None if values is None else values[which]


def _joined(several: Sequence[Floats | None]) -> Floats | None:
    known = [each for each in several if each is not None]
    return np.concatenate(known) if known else None


def _tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))


def _labels(rows: Floats | None) -> torch.Tensor | None:
    return None if rows is None else _tensor(rows)
