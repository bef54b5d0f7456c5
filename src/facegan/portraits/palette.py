"""Colours of a portrait: float32 [N, 3, 1] in [0, 1] (sRGB), from its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.portraits.parameters import Array, Parameters

Colour = npt.NDArray[np.float32]

_SKIN = [
    (255, 228, 208),
    (250, 212, 184),
    (240, 194, 158),
    (222, 170, 128),
    (198, 140, 98),
    (164, 108, 72),
    (126, 80, 54),
    (100, 64, 47),
]
_HAIR = [
    (36, 30, 34),
    (58, 42, 38),
    (92, 62, 46),
    (128, 86, 54),
    (172, 126, 76),
    (214, 170, 104),
    (240, 208, 148),
]
_IRIS = [
    (62, 38, 28),
    (96, 60, 34),
    (122, 98, 52),
    (84, 122, 82),
    (74, 124, 160),
    (112, 150, 178),
    (128, 142, 152),
]

# Pleasant neighbours all the way round, for backgrounds and garments.
_CIRCLE = [
    (226, 112, 98),
    (240, 156, 96),
    (238, 194, 118),
    (170, 182, 120),
    (112, 172, 142),
    (66, 142, 150),
    (92, 152, 198),
    (110, 124, 192),
    (158, 130, 186),
    (214, 132, 152),
]


def colour(red: int, green: int, blue: int) -> Colour:
    """One colour for all portraits: [1, 3, 1], from 0 … 255."""
    return np.array([red, green, blue], np.float32).reshape(1, 3, 1) / np.float32(255)


WHITE = colour(255, 252, 244)
INK = colour(44, 28, 30)


def blend(a: Colour, b: Colour, share: npt.NDArray[Any] | float) -> Colour:
    """`a` where `share` ([N], or a number) is 0, `b` where it is 1."""
    if isinstance(share, np.ndarray) and share.ndim == 1:
        share = column(share)[:, :, None]
    return a + (b - a) * share


def column(values: Array | npt.NDArray[np.generic]) -> Colour:
    """Parameters [N] as float32 [N, 1], ready to meet fields [N, P]."""
    return np.asarray(values, np.float32)[:, None]


def hsv(hue: Array, saturation: Array | float, value: Array | float) -> Colour:
    """Hue in turns, saturation and value in [0, 1], each [N] or a number."""
    offsets = np.array([0.0, 4.0, 2.0])
    wheel = np.clip(np.abs((hue[:, None] * 6.0 + offsets) % 6.0 - 3.0) - 1.0, 0.0, 1.0)
    saturation, value = np.broadcast_arrays(saturation, value, hue)[:2]
    mixed = value[:, None] * (1.0 - saturation[:, None] * (1.0 - wheel))
    return mixed.astype(np.float32)[:, :, None]


def skin(p: Parameters) -> Colour:
    """Skin in even light."""
    base = _ramp(_SKIN, p.skin_tone)
    golden, rosy = base * colour(255, 252, 232), base * colour(255, 243, 248)
    return blend(rosy, golden, 0.5 + 0.5 * p.skin_warmth)


def hair(p: Parameters) -> Colour:
    """Hair in even light: as it grew, or dyed."""
    dyed = hsv(p.hair_hue, 0.55, 0.62 + 0.25 * p.hair_lightness)
    return blend(_grown(p), dyed, p.dyed)


def beard(p: Parameters) -> Colour:
    """Facial hair and brows: a little darker than the hair grew, and never dyed."""
    return _grown(p) * np.float32(0.86)


def _grown(p: Parameters) -> Colour:
    """Natural hair, reddened, then greyed with age."""
    natural = _ramp(_HAIR, p.hair_lightness)
    red = _ramp([(122, 46, 30), (212, 112, 52)], p.hair_lightness)
    grey = _ramp([(196, 194, 194), (236, 232, 226)], p.hair_lightness)
    return blend(blend(natural, red, p.hair_redness), grey, p.hair_grey * 0.92)


def iris(p: Parameters) -> Colour:
    """The iris."""
    return _ramp(_IRIS, p.iris_colour)


def garment(p: Parameters) -> Colour:
    """The garment: deep or pale."""
    return _toned(p.garment_hue, p.garment_lightness * 1.1 - 0.1)


def background(p: Parameters, turn: float = 0.0, lift: float = 0.0) -> Colour:
    """The background; `turn` moves along the circle, `lift` lightens, for its second colour."""
    return _toned(p.background_hue + turn, p.background_lightness * 0.85 + 0.1 + lift)


def _toned(place: Array, lightness: Array) -> Colour:
    """A colour of the circle, deepened below lightness 0.45 and paled above it."""
    wheel = _ramp([*_CIRCLE, _CIRCLE[0]], place - np.floor(place))
    deep = blend(wheel * colour(92, 92, 118), wheel, np.clip(lightness / 0.45, 0.0, 1.0))
    return blend(deep, WHITE, np.clip((lightness - 0.45) * 1.15, 0.0, 0.85))


def _ramp(stops: list[tuple[int, int, int]], t: Array) -> Colour:
    """Colours [N, 3, 1] along evenly spaced stops, for t [N] in [0, 1]."""
    table = np.array(stops, np.float64) / 255.0
    place = np.clip(t, 0.0, 1.0) * (len(stops) - 1)
    low = np.minimum(place.astype(np.int64), len(stops) - 2)
    mixed = table[low] + (table[low + 1] - table[low]) * (place - low)[:, None]
    return mixed.astype(np.float32)[:, :, None]
