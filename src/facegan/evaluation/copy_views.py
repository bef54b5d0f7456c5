"""Pictures as a search for copies sees them: parts of them, moved a little, in whitened form.

A copy need not lie where its source does. It may be mirrored, shifted, turned or enlarged, a half
of it alone may be copied, or it may be mixed with another picture. So a picture is looked up in
several *views* (it is moved back from where it might have been moved to), and by several *parts*
(the whole, halves, the middle, the rim), each compared with the same part of real pictures.

Each part is brought to brightness 0 and contrast 1 and projected on the K directions in which the
training pictures vary most, all brought to the same variance, and to length 1. Two pictures that
have nothing to do with each other then have an inner product of 0 ± 1/√K, however smooth they are.
A copy has nearly 1, and an even mixture of two pictures still 0.7 with both.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Images = npt.NDArray[np.uint8]

# Pictures are averaged to this side.
SIDE = 32
# Directions kept of the whole and of a part: few for the list of candidates, which small shifts
# hardly change, and many for looking closely, which tell pictures apart.
_WHOLE, _PART = (96, 224), (80, 160)
# Variances are raised by this share of the mean kept one before they are made equal: directions in
# which pictures hardly vary hold noise.
_SHRINK = 0.02
_LUMA = torch.tensor([0.299, 0.587, 0.114])
# Contrast, in grey levels, below which a part counts as flat.
_FLAT = 2.0
# Pictures that are prepared at a time.
_CHUNK = 512


class View(NamedTuple):
    """How a picture is moved before it is looked up.

    Attributes:
        mirrored: left to right.
        right: shift in shares of the side.
        down: the same.
        turn: in degrees.
        zoom: enlargement.
    """

    mirrored: bool = False
    right: float = 0.0
    down: float = 0.0
    turn: float = 0.0
    zoom: float = 1.0

    @property
    def moved(self) -> bool:
        """Whether it is more than mirrored."""
        return self._replace(mirrored=False) != View()


# Shifts up to 6 % of the side, turns up to 12 degrees, enlargement by 7 %: between two views lies
# half a step, which the features survive.
_STEP = 1.4 / 64
_SHIFTS = [View(right=_STEP * x, down=_STEP * y) for x in range(-3, 4) for y in range(-3, 4)]
_TURNS = [View(turn=degrees) for degrees in (-10, -5, 5, 10)]
_ZOOMS = [View(zoom=factor) for factor in (0.88, 0.94, 1.06)]
_BESIDE = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
_NEAR = [View(right=_STEP * x, down=_STEP * y) for x, y in _BESIDE]
# Candidates are looked for in fewer views, which their coarse features allow.
_FAR = 2.2 * _STEP
_WIDE = [View(right=_FAR * x, down=_FAR * y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
_WIDE += [View(turn=degrees) for degrees in (-8, 8)]


def _both(views: list[View]) -> tuple[View, ...]:
    return (*views, *(view._replace(mirrored=True) for view in views))


class Part(NamedTuple):
    """What of a picture is compared.

    Attributes:
        name: in words.
        coarse: the views in which candidates are looked for.
        close: those in which each candidate is looked at.
        directions: how many are kept for either, at most.
    """

    name: str
    coarse: tuple[View, ...]
    close: tuple[View, ...]
    directions: tuple[int, int] = _PART


WHOLE = "whole"
_HALVES = ("left half", "right half", "upper half", "lower half")
PARTS = (
    Part(WHOLE, _both(_WIDE), _both(_SHIFTS + _TURNS + _ZOOMS), _WHOLE),
    *(Part(name, _both([View()]), _both(_NEAR)) for name in (*_HALVES, "middle", "rim")),
)


def part_mask(name: str) -> Tensor:
    """Which pixels belong to a part: bool [SIDE, SIDE].

    What a shift brings in from outside is left out: a rim of 6 %.
    """
    place = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    down, across = place[:, None].expand(SIDE, SIDE), place[None, :].expand(SIDE, SIDE)
    inside = (down.abs() < 0.44) & (across.abs() < 0.44)
    # A face fills the middle of an aligned picture, higher than wide.
    face = (across / 0.26) ** 2 + (down / 0.33) ** 2 < 1
    chosen = {
        "whole": inside,
        "left half": inside & (across < 0),
        "right half": inside & (across > 0),
        "upper half": inside & (down < 0),
        "lower half": inside & (down > 0),
        "middle": face,
        "rim": ~((across / 0.34) ** 2 + (down / 0.42) ** 2 < 1) & (down.abs() < 0.47),
    }
    return chosen[name]


def reduced(images: Images) -> Tensor:
    """Brightness, averaged: uint8 [N, H, W, C] to float32 [N, 1, SIDE, SIDE]."""
    found = torch.empty((len(images), 1, SIDE, SIDE))
    for begin in range(0, len(images), _CHUNK):
        some = torch.from_numpy(np.ascontiguousarray(images[begin : begin + _CHUNK])).float()
        grey = (some.expand(-1, -1, -1, 3) @ _LUMA)[:, None]
        found[begin : begin + len(some)] = functional.interpolate(
            grey, size=(SIDE, SIDE), mode="area" if min(grey.shape[2:]) >= SIDE else "bilinear"
        )
    return found


def moved(pictures: Tensor, view: View) -> Tensor:
    """[N, 1, SIDE, SIDE] as the view has them; what lies outside repeats the edge."""
    if view.mirrored:
        pictures = pictures.flip(3)
    if not view.moved:
        return pictures
    angle, across = math.radians(view.turn), 1 / view.zoom
    cos, sin = across * math.cos(angle), across * math.sin(angle)
    matrix = torch.tensor([[cos, -sin, -2 * view.right], [sin, cos, -2 * view.down]])
    shape = [1, *pictures.shape[1:]]
    grid = functional.affine_grid(matrix[None], shape, align_corners=False)
    # All pictures are moved alike: one picture of many channels.
    together = pictures.transpose(0, 1)
    found = functional.grid_sample(together, grid, padding_mode="border", align_corners=False)
    return found.transpose(0, 1)


class Whitening:
    """The features of one part, fitted to training pictures.

    Args:
        name: of the part.
        pictures: float32 [T, 1, SIDE, SIDE], reduced training pictures, T ≥ 2.
        directions: K, or T − 1 where that is less.
    """

    def __init__(self, name: str, pictures: Tensor, directions: int) -> None:
        self._mask = part_mask(name).flatten()
        pixels = self._pixels(pictures).double()
        mean = pixels.mean(0)
        pixels -= mean
        values, vectors = torch.linalg.eigh(pixels.T @ pixels / len(pixels))
        kept = min(directions, len(pictures) - 1)
        values = values.flip(0)[:kept].clamp(min=0)
        spread = (values + _SHRINK * values.mean() + 1e-12).sqrt()
        mapped = vectors.flip(1)[:, :kept] / spread
        self._map, self._offset = mapped.float(), (mean @ mapped).float()
        units = self(pictures)
        self._usual, self._second = units.mean(0), units.T @ units / len(units)

    def __call__(self, pictures: Tensor) -> Tensor:
        """[N, 1, SIDE, SIDE] to unit vectors float32 [N, K]."""
        found = self._pixels(pictures) @ self._map - self._offset
        return functional.normalize(found, dim=1)

    def standard(self, products: Tensor, units: Tensor) -> Tensor:
        """Products of unit vectors with training pictures, in spreads of what is usual for each.

        Args:
            products: [N, …] of each of N vectors with some pictures.
            units: [N, K], the vectors.
        """
        mean = units @ self._usual
        spread = ((units @ self._second) * units).sum(1) - mean.square()
        shape = (len(units), *[1] * (products.ndim - 1))
        return (products - mean.view(shape)) / spread.clamp(min=1e-9).sqrt().view(shape)

    def _pixels(self, pictures: Tensor) -> Tensor:
        pixels = pictures.flatten(1)[:, self._mask]
        pixels = pixels - pixels.mean(1, keepdim=True)
        # A flat picture stays flat: its noise is not blown up.
        return pixels / (pixels.square().mean(1, keepdim=True) + _FLAT**2).sqrt()
