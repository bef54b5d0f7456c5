"""What varies between portraits, and how that is read as labels and as modes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Choice = npt.NDArray[np.int64]

# Raised whenever the same (seed, index) would give another picture: cached datasets are named by
# it, and the network that reads portraits is made for one of them.
VERSION = 1

HAIR_STYLES = ("bald", "short", "side_part", "bangs", "long", "curly", "bun")
BEARDS = ("none", "full", "goatee")
GLASSES = ("none", "clear", "dark")
EXPRESSIONS = ("neutral", "smile", "laugh")
BACKGROUNDS = ("gradient", "two_tone", "bokeh")
GARMENTS = ("crew", "v_neck", "collar", "turtleneck")

# Ranges and units of the continuous parameters. A "share" goes from none to full; a "hue" is a
# turn of the colour circle and a "place" one of the circle of ten chosen colours in palette.py
# (0 and 1 are the same); lengths are in drawing units, of which the picture shows 1.66 across.
CONTINUOUS: dict[str, tuple[float, float]] = {
    "age": (18.0, 85.0),  # years
    "skin_tone": (0.0, 1.0),  # lightest to darkest
    "skin_warmth": (-1.0, 1.0),  # rosy to golden
    "head_width": (0.375, 0.475),  # half width of the head
    "head_height": (0.465, 0.575),  # half height of the head
    "jaw": (-0.5, 1.0),  # pointed to square
    "head_size": (0.93, 1.07),  # factor on the whole head
    "shift_x": (-0.06, 0.06),  # of the head, to the right
    "shift_y": (-0.04, 0.04),  # of the head, downwards
    "hair_lightness": (0.0, 1.0),  # black to blond
    "hair_redness": (0.0, 1.0),  # share
    "hair_grey": (0.0, 1.0),  # share
    "hair_hue": (0.0, 1.0),  # hue; seen only with Dyed_Hair
    "hair_volume": (0.0, 1.0),  # flat to full
    "hair_length": (0.0, 1.0),  # within the style
    "hair_wave": (0.0, 1.0),  # straight to wavy, where it hangs
    "part_side": (-1.0, 1.0),  # -1 parted on the picture's left, 1 on its right
    "eye_size": (0.85, 1.2),  # factor
    "eye_spacing": (0.165, 0.2),  # middle of the face to an eye's centre
    "eye_tilt": (-0.12, 0.12),  # slope; positive lifts the outer corners
    "iris_colour": (0.0, 1.0),  # dark brown, hazel, green, blue, grey
    "gaze": (-1.0, 1.0),  # looks to the picture's left or right
    "brow_angle": (-0.1, 0.2),  # slope; positive lifts the outer ends
    "brow_height": (0.0, 1.0),  # low to raised
    "brow_thickness": (0.0, 1.0),  # thin to bushy
    "nose_length": (0.17, 0.23),  # eye line to the nose's base
    "nose_width": (0.055, 0.09),  # half width at the nostrils
    "mouth_width": (0.11, 0.155),  # half width at rest
    "lip_fullness": (0.0, 1.0),  # thin to full
    "smile": (-0.2, 1.0),  # corners down to broad smile
    "mouth_open": (0.0, 1.0),  # share
    "blush": (0.0, 1.0),  # share
    "lashes": (0.0, 1.0),  # weight of the upper lash line
    "yaw": (-14.0, 14.0),  # degrees; positive turns to the picture's right
    "pitch": (-9.0, 9.0),  # degrees; positive looks down
    "roll": (-10.0, 10.0),  # degrees; positive tips the head to the picture's right
    "light_direction": (-65.0, 65.0),  # degrees; positive comes from the picture's right
    "light_strength": (0.35, 1.0),  # flat to modelled
    "light_warmth": (-1.0, 1.0),  # cool to warm
    "glasses_roundness": (0.0, 1.0),  # rectangular to round
    "glasses_size": (0.9, 1.12),  # factor
    "glasses_hue": (0.0, 1.0),  # hue of the frame where it has one
    "glasses_lightness": (0.0, 1.0),  # dark to bright frame
    "background_hue": (0.0, 1.0),  # place
    "background_lightness": (0.0, 1.0),  # deep to pale
    "background_layout": (0.0, 1.0),  # places its shapes
    "garment_hue": (0.0, 1.0),  # place
    "garment_lightness": (0.0, 1.0),  # dark to pale
}


@dataclass(frozen=True)
class Parameters:
    """Everything that decides how N portraits look: one array [N] for each parameter.

    The choices are int64 indices into `HAIR_STYLES`, `BEARDS`, `GLASSES`, `EXPRESSIONS`,
    `BACKGROUNDS` and `GARMENTS`, or 0 and 1; the rest is float64 with the ranges and units of
    `CONTINUOUS`. `dataclasses.replace` gives the same people with something changed.
    """

    hair_style: Choice
    beard: Choice
    glasses: Choice
    expression: Choice
    background: Choice
    garment: Choice
    mustache: Choice
    stubble: Choice
    earrings: Choice
    freckles: Choice
    lipstick: Choice
    dyed: Choice

    age: Array
    skin_tone: Array
    skin_warmth: Array
    head_width: Array
    head_height: Array
    jaw: Array
    head_size: Array
    shift_x: Array
    shift_y: Array
    hair_lightness: Array
    hair_redness: Array
    hair_grey: Array
    hair_hue: Array
    hair_volume: Array
    hair_length: Array
    hair_wave: Array
    part_side: Array
    eye_size: Array
    eye_spacing: Array
    eye_tilt: Array
    iris_colour: Array
    gaze: Array
    brow_angle: Array
    brow_height: Array
    brow_thickness: Array
    nose_length: Array
    nose_width: Array
    mouth_width: Array
    lip_fullness: Array
    smile: Array
    mouth_open: Array
    blush: Array
    lashes: Array
    yaw: Array
    pitch: Array
    roll: Array
    light_direction: Array
    light_strength: Array
    light_warmth: Array
    glasses_roundness: Array
    glasses_size: Array
    glasses_hue: Array
    glasses_lightness: Array
    background_hue: Array
    background_lightness: Array
    background_layout: Array
    garment_hue: Array
    garment_lightness: Array

    def __len__(self) -> int:
        return len(self.hair_style)

    def __getitem__(self, items: slice | npt.NDArray[np.generic]) -> Parameters:
        """The portraits chosen by a slice, a mask [N] or an index array."""
        fields = dataclasses.fields(self)
        return Parameters(**{field.name: getattr(self, field.name)[items] for field in fields})

    def labels(self) -> npt.NDArray[np.float32]:
        """The truth as a table, float32 [N, len(LABEL_NAMES)].

        The columns of `BINARY` hold 0 or 1, those of `CONTINUOUS` natural units.
        """
        columns = [test(self) for test in _BINARY_TESTS.values()]
        columns += [getattr(self, name) for name in CONTINUOUS]
        return np.stack(columns, axis=1).astype(np.float32)


def _has(
    field: str, names: tuple[str, ...], *which: str
) -> Callable[[Parameters], npt.NDArray[Any]]:
    wanted = [names.index(name) for name in which]
    return lambda parameters: np.isin(getattr(parameters, field), wanted)


# Spelled as CelebA's attributes where the meaning is the same.
_BINARY_TESTS: dict[str, Callable[[Parameters], npt.NDArray[Any]]] = {
    "Eyeglasses": _has("glasses", GLASSES, "clear", "dark"),
    "Sunglasses": _has("glasses", GLASSES, "dark"),
    "Beard": _has("beard", BEARDS, "full", "goatee"),
    "Goatee": _has("beard", BEARDS, "goatee"),
    "Mustache": lambda parameters: parameters.mustache,
    "5_o_Clock_Shadow": lambda parameters: parameters.stubble,
    "Smiling": _has("expression", EXPRESSIONS, "smile", "laugh"),
    "Mouth_Slightly_Open": _has("expression", EXPRESSIONS, "laugh"),
    "Bald": _has("hair_style", HAIR_STYLES, "bald"),
    "Short_Hair": _has("hair_style", HAIR_STYLES, "short"),
    "Side_Part": _has("hair_style", HAIR_STYLES, "side_part"),
    "Bangs": _has("hair_style", HAIR_STYLES, "bangs"),
    "Long_Hair": _has("hair_style", HAIR_STYLES, "long"),
    "Curly_Hair": _has("hair_style", HAIR_STYLES, "curly"),
    "Hair_Bun": _has("hair_style", HAIR_STYLES, "bun"),
    "Gray_Hair": lambda parameters: parameters.hair_grey > 0.5,
    "Dyed_Hair": lambda parameters: parameters.dyed,
    "Wearing_Earrings": lambda parameters: parameters.earrings,
    "Wearing_Lipstick": lambda parameters: parameters.lipstick,
    "Rosy_Cheeks": lambda parameters: parameters.blush > 0.6,
    "Freckles": lambda parameters: parameters.freckles,
    "Young": lambda parameters: parameters.age < 40.0,
    "Background_Two_Tone": _has("background", BACKGROUNDS, "two_tone"),
    "Background_Bokeh": _has("background", BACKGROUNDS, "bokeh"),
}

BINARY: tuple[str, ...] = tuple(_BINARY_TESTS)
LABEL_NAMES: tuple[str, ...] = (*BINARY, *CONTINUOUS)

# The cross product of these factors, the last varying fastest, enumerates the modes.
MODES: dict[str, tuple[str, ...]] = {
    "hair_style": HAIR_STYLES,
    "beard": ("shaven", "bearded"),
    "glasses": ("no glasses", "glasses"),
    "expression": EXPRESSIONS,
    "background": BACKGROUNDS,
}
_MODE_SHAPE = tuple(len(values) for values in MODES.values())
MODE_COUNT = int(np.prod(_MODE_SHAPE))


def mode_index(parameters: Parameters) -> Choice:
    """Which mode each portrait belongs to: int64 [N] in [0, MODE_COUNT)."""
    factors = (
        parameters.hair_style,
        np.minimum(parameters.beard, 1),
        np.minimum(parameters.glasses, 1),
        parameters.expression,
        parameters.background,
    )
    return np.ravel_multi_index(factors, _MODE_SHAPE).astype(np.int64)
