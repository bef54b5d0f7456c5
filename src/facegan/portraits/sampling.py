"""How often each kind of portrait occurs.

Item `i` is a pure function of (seed, i): every number comes from a counter-based hash of
(seed, parameter name, i), so any range of items can be had without those before it, and a
parameter added later leaves the others as they were.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError
from facegan.portraits.parameters import (
    BEARDS,
    CONTINUOUS,
    EXPRESSIONS,
    HAIR_STYLES,
    Array,
    Choice,
    Parameters,
)

# The distribution of the modes: a beard depends on the hair style, the rest is independent.
_HAIR = np.array([0.10, 0.19, 0.15, 0.14, 0.18, 0.13, 0.11])
_BEARD_GIVEN_HAIR = np.array([0.45, 0.40, 0.35, 0.12, 0.15, 0.25, 0.15])
_EYEGLASSES = 0.30
_EXPRESSION = np.array([0.30, 0.40, 0.30])
_BACKGROUND = np.array([0.40, 0.30, 0.30])

_LONGER_HAIR = [HAIR_STYLES.index(name) for name in ("bangs", "long", "bun")]


def mode_probabilities() -> Array:
    """How probable each mode is under `sample`: float64 [MODE_COUNT], exact, summing to 1."""
    beard = np.stack([1 - _BEARD_GIVEN_HAIR, _BEARD_GIVEN_HAIR], axis=1)
    glasses = np.array([1 - _EYEGLASSES, _EYEGLASSES])
    joint = np.einsum("h,hb,g,e,k->hbgek", _HAIR, beard, glasses, _EXPRESSION, _BACKGROUND)
    return joint.reshape(-1)


def sample(n: int, seed: int = 0, start: int = 0) -> Parameters:
    """Items `start` … `start + n - 1` of the endless series that `seed` names.

    Args:
        n: how many, at least 1.
        seed: from 0 to 2**63 - 1.
        start: the first item's number, at least 0.

    Raises:
        DataError: for values outside these ranges.
    """
    check_series(n, seed, start)
    r = _Randomness(seed, np.arange(start, start + n, dtype=np.uint64))
    values: dict[str, npt.NDArray[Any]] = {
        name: r.bell(name, *limits) for name, limits in CONTINUOUS.items()
    }
    values |= _modes(r) | {"garment": r.choice("garment", np.full(4, 0.25))}
    values |= _years(r, values)
    values |= _facial_hair_and_finery(r, values)
    values |= _colours(r, values)
    values |= _mouth(r, values)
    values["part_side"] = np.where(r.uniform("part_side") < 0.5, -1.0, 1.0)
    return Parameters(**values)


def check_series(n: int, seed: int, start: int = 0) -> None:
    """Raise DataError unless `sample` accepts these."""
    if n < 1:
        raise DataError(f"Cannot make {n} portraits.", "Ask for at least 1.")
    if not 0 <= seed < 2**63:
        raise DataError(f"The seed {seed} cannot be used.", "Seeds go from 0 to 2**63 - 1.")
    if start < 0:
        raise DataError(f"There is no portrait number {start}.", "Items are counted from 0.")


def _modes(r: _Randomness) -> dict[str, npt.NDArray[Any]]:
    """The discrete factors; `mode_probabilities` is this function in closed form."""
    hair = r.choice("hair_style", _HAIR)
    bearded = r.chance("beard", _BEARD_GIVEN_HAIR[hair])
    glasses = r.chance("glasses", _EYEGLASSES)
    return {
        "hair_style": hair,
        "beard": bearded * (1 + r.chance("goatee", 0.35)),
        "glasses": glasses * (1 + r.chance("sunglasses", 0.15)),
        "expression": r.choice("expression", _EXPRESSION),
        "background": r.choice("background", _BACKGROUND),
    }


def _years(r: _Randomness, values: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    low, high = CONTINUOUS["age"]
    u = r.uniform("age")
    age = low + (high - low) * u * (0.35 + 0.65 * u)
    bald = values["hair_style"] == HAIR_STYLES.index("bald")
    age = np.where(bald, r.bell("age", 28.0, high), age)
    grey = np.clip((age - 54.0) / 22.0 + r.bell("hair_grey", -0.7, 0.7), 0.0, 1.0)
    return {
        "age": age,
        "hair_grey": np.where(age > 36.0, grey, 0.0),
        "dyed": r.chance("dyed", np.where((age < 60.0) & ~bald, 0.08, 0.0)),
    }


def _facial_hair_and_finery(
    r: _Randomness, values: dict[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Small traits that go together more often than chance, without changing any mode."""
    bearded = values["beard"] > 0
    longer = np.isin(values["hair_style"], _LONGER_HAIR)
    often = np.where(
        values["beard"] == BEARDS.index("full"),
        1.0,
        np.where(bearded, 0.5, np.where(longer, 0.0, 0.12)),
    )
    mustache = r.chance("mustache", often)
    stubble = r.chance("stubble", np.where(bearded | (mustache > 0) | longer, 0.0, 0.22))
    hairy = bearded | (mustache > 0) | (stubble > 0)
    fine = longer & ~hairy
    return {
        "mustache": mustache,
        "stubble": stubble,
        "earrings": r.chance("earrings", np.where(hairy, 0.03, np.where(longer, 0.45, 0.15))),
        "lipstick": r.chance("lipstick", np.where(hairy, 0.0, np.where(longer, 0.45, 0.06))),
        "lashes": np.where(
            fine, r.bell("lashes", 0.4, 1.0), r.bell("lashes", 0.0, np.where(hairy, 0.3, 0.8))
        ),
        "jaw": np.where(hairy, r.bell("jaw", 0.1, 1.0), r.bell("jaw", -0.5, 0.7)),
        "brow_thickness": np.where(
            hairy, r.bell("brow_thickness", 0.3, 1.0), r.bell("brow_thickness", 0.0, 0.8)
        ),
    }


def _colours(r: _Randomness, values: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Colours spread over their whole ranges; hair and eyes are darker with darker skin."""
    skin = r.uniform("skin_tone")
    spread = (
        "hair_hue",
        "hair_length",
        "hair_wave",
        "glasses_roundness",
        "glasses_hue",
        "glasses_lightness",
        "background_hue",
        "background_lightness",
        "background_layout",
        "garment_hue",
        "garment_lightness",
        "light_direction",
    )
    u = r.uniform("hair_lightness")
    blush = r.uniform("blush")
    return {name: r.uniform(name, *CONTINUOUS[name]) for name in spread} | {
        "skin_tone": skin,
        "hair_lightness": u * (1.0 - 0.85 * skin),
        "hair_redness": r.chance("redhead", 0.22) * r.uniform("hair_redness") * (1.0 - skin),
        "iris_colour": r.uniform("iris_colour") * (1.0 - 0.85 * skin),
        "blush": blush * blush,
        "freckles": r.chance("freckles", 0.22 * np.clip(1.3 - 1.6 * skin, 0.0, 1.0)),
    }


def _mouth(r: _Randomness, values: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    expression = values["expression"]
    laughs = expression == EXPRESSIONS.index("laugh")
    smiles = r.uniform("smile", 0.45, 1.0)
    rests = r.uniform("smile", -0.2, 0.2)
    return {
        "smile": np.where(expression == EXPRESSIONS.index("neutral"), rests, smiles),
        "mouth_open": np.where(laughs, r.uniform("mouth_open", 0.4, 1.0), 0.0),
    }


class _Randomness:
    """Random numbers [N] that are pure functions of (seed, name, item)."""

    def __init__(self, seed: int, items: npt.NDArray[np.uint64]) -> None:
        self._seed = _mix(np.array([seed], np.uint64))
        self._items = items * np.uint64(0x9E3779B97F4A7C15)

    def uniform(self, name: str, low: Array | float = 0.0, high: Array | float = 1.0) -> Array:
        key = _mix(self._seed + np.uint64(zlib.crc32(name.encode())))
        bits = _mix(key + self._items) >> np.uint64(11)
        return low + (high - low) * (bits.astype(np.float64) * 2.0**-53)

    def bell(self, name: str, low: Array | float, high: Array | float) -> Array:
        """Bounded and densest in the middle: the mean of two uniforms."""
        both = self.uniform(name) + self.uniform(f"{name}/second")
        return low + (high - low) * (0.5 * both)

    def chance(self, name: str, probability: Array | float) -> Choice:
        return (self.uniform(name) < probability).astype(np.int64)

    def choice(self, name: str, probabilities: Array) -> Choice:
        edges = np.cumsum(probabilities)[:-1]
        return np.searchsorted(edges, self.uniform(name), side="right").astype(np.int64)


def _mix(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64: every input bit reaches every output bit."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
