"""The probability that follows overfitting, and the check for leaks."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from facegan.augment import Adaptive, AugmentConfig
from facegan.config import Config
from facegan.recipe.explain import explain
from facegan.schedule import Linear, resolve

ADAPTIVE = Adaptive(kind="adaptive")
HELD_OUT = Adaptive(kind="adaptive", heuristic="held_out")


def test_the_probability_rises_and_falls_at_the_ramps_speed() -> None:
    assert ADAPTIVE.step(0.2, 0.7, 50_000) == pytest.approx(0.3)
    assert ADAPTIVE.step(0.2, 0.5, 50_000) == pytest.approx(0.1)
    assert ADAPTIVE.step(0.2, 0.6, 50_000) == 0.2
    slow = Adaptive(kind="adaptive", ramp=5000.0, target=0.3)
    assert slow.step(0.2, 0.5, 50_000) == pytest.approx(0.21)


def test_from_0_to_its_limit_takes_the_ramp() -> None:
    probability, images = 0.0, 0
    while probability < ADAPTIVE.limit:
        probability = ADAPTIVE.step(probability, 1.0, 4000)
        images += 4000
    assert images == pytest.approx(0.8 * 500_000, abs=4000)


@given(
    probability=st.floats(0, 1),
    overfitting=st.floats(allow_nan=True, allow_infinity=True),
    images=st.integers(0, 10**9),
)
def test_it_stays_between_0_and_the_limit(
    probability: float, overfitting: float, images: int
) -> None:
    following = ADAPTIVE.step(probability, overfitting, images)
    assert 0 <= following <= ADAPTIVE.limit
    if not math.isfinite(overfitting) and probability <= ADAPTIVE.limit:
        assert following == probability


def test_the_sign_heuristic_is_the_mean_sign() -> None:
    assert ADAPTIVE.overfitting({"sign_real": 0.25, "logits_real": 9.0}) == 0.25


@pytest.mark.parametrize(
    ("held_out", "expected"), [(3.0, 0.0), (-1.0, 1.0), (1.0, 0.5), (2.0, 0.25)]
)
def test_the_held_out_heuristic_says_how_far_they_are_on_the_way_to_generated_ones(
    held_out: float, expected: float
) -> None:
    signals = {"logits_real": 3.0, "logits_fake": -1.0, "logits_held_out": held_out}
    assert HELD_OUT.overfitting(signals) == pytest.approx(expected)


@given(
    real=st.floats(0.5, 10),
    held_out=st.floats(-10, 10),
    shift=st.floats(-100, 100),
    scale=st.floats(0.01, 100),
)
def test_the_held_out_heuristic_ignores_shift_and_scale_of_the_logits(
    real: float, held_out: float, shift: float, scale: float
) -> None:
    signals = {"logits_real": real, "logits_fake": -0.5, "logits_held_out": held_out}
    other = {name: scale * (value + shift) for name, value in signals.items()}
    expected = HELD_OUT.overfitting(signals)
    assert HELD_OUT.overfitting(other) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("fake", [1.0, 2.0])
def test_where_d_tells_nothing_apart_the_probability_stays(fake: float) -> None:
    signals = {"logits_real": 1.0, "logits_fake": fake, "logits_held_out": 7.0}
    found = HELD_OUT.overfitting(signals)
    assert math.isnan(found)
    assert HELD_OUT.step(0.3, found, 1000) == 0.3


def test_a_missing_signal_is_an_error() -> None:
    with pytest.raises(KeyError, match="logits_held_out"):
        HELD_OUT.overfitting({"logits_real": 1.0, "logits_fake": 0.0})


RISING = Linear(kind="linear", start=0.0, end=0.9)


def test_probabilities_of_every_kind_are_read() -> None:
    read = TypeAdapter(AugmentConfig).validate_python
    assert read({"probability": 1}).highest_probability() == 1
    ramp = {"kind": "linear", "start": 0.0, "end": 0.9}
    assert read({"probability": ramp}).probability == RISING
    adaptive = read({"probability": {"kind": "adaptive", "limit": 0.7}})
    assert adaptive.highest_probability() == 0.7


def test_resolving_replaces_schedules_and_leaves_adaptive() -> None:
    section, values = resolve(AugmentConfig(probability=RISING), 0.5)
    assert section.probability == pytest.approx(0.45)
    assert list(values) == ["probability"]
    adaptive = AugmentConfig(probability=ADAPTIVE)
    assert resolve(adaptive, 0.5) == (adaptive, {})


class Recipe(Config):
    augment: AugmentConfig = AugmentConfig()


@pytest.mark.parametrize(
    ("augment", "said"),
    [
        ({"probability": 1.5}, "augment.probability = 1.5 is not allowed"),
        ({"probability": -0.1}, "between 0 and 1"),
        ({"probability": {"kind": "linear", "start": 0.0, "end": 2.0}}, "between 0 and 1"),
        ({"probability": {"kind": "adaptiv"}}, "adaptive"),
        ({"probability": {"kind": "adaptive", "limit": 1.5}}, "augment.probability.limit"),
        ({"probability": {"kind": "adaptive", "goal": 0.5}}, "augment.probability.goal"),
        ({"probability": {"target": 0.5}}, "does not say which kind"),
        ({"shift": 0.7}, "augment.shift = 0.7"),
        ({"rotation": -5.0}, "augment.rotation"),
        ({"cutout": 1.0}, "augment.cutout"),
        ({"flip": 1}, "augment.flip"),
        ({"noise": float("nan")}, "augment.noise"),
        ({"rotate": 5.0}, "rotation"),
    ],
)
def test_nonsense_is_refused_with_its_place(augment: dict[str, Any], said: str) -> None:
    recipe = {"augment": augment}
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate(recipe)
    error = explain(caught.value, recipe, Recipe, "recipe")
    assert said in f"{error} {error.hint}"


LEAKY = {
    "fraction": 0.1,
    "scale": 0.2,
    "rotation": 10.0,
    "brightness": 0.2,
    "contrast": 0.5,
    "saturation": 0.5,
    "cutout": 0.4,
    "noise": 0.1,
}


@pytest.mark.parametrize("name", LEAKY)
def test_each_leaky_setting_is_named_above_the_safe_probability(name: str) -> None:
    settings = {name: LEAKY[name], "flip": True, "shift": 0.1}
    (said,) = AugmentConfig.model_validate({"probability": 0.9, **settings}).leaks()
    assert said.startswith(f"{name} = {LEAKY[name]:g} ")
    assert "0.9" in said
    assert AugmentConfig.model_validate({"probability": 0.8, **settings}).leaks() == []


def test_every_setting_is_either_harmless_or_named() -> None:
    harmless = {"probability", "paired", "flip", "shift"}
    of_plugins = {"transforms"}  # of which nothing is known here
    assert set(AugmentConfig.model_fields) == set(LEAKY) | harmless | of_plugins
    assert AugmentConfig(probability=1.0, flip=True, shift=0.5).leaks() == []


def test_the_highest_probability_counts() -> None:
    assert AugmentConfig(probability=RISING, rotation=5.0).leaks()
    assert not AugmentConfig(probability=ADAPTIVE, rotation=5.0).leaks()
    bold = Adaptive(kind="adaptive", limit=1.0)
    assert AugmentConfig(probability=bold, rotation=5.0).leaks()
