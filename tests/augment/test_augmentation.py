"""What one batch becomes: who is changed, how often, and what must never matter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from facegan.augment import Augmentation, AugmentConfig
from facegan.augment.colour import normal
from facegan.augment.draws import TRANSFORMS, Draws
from facegan.data.pixels import Pixels
from facegan.seeding import Random

UNIT, SYMMETRIC = Pixels.of("unit"), Pixels.of("symmetric")
STANDARD = Pixels.of("standard", (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
RANGES = [UNIT, SYMMETRIC, STANDARD]
EACH: dict[str, dict[str, Any]] = {
    "flip": {"flip": True},
    "shift": {"shift": 0.25},
    "fraction": {"fraction": 0.2},
    "scale": {"scale": 0.5},
    "rotation": {"rotation": 20.0},
    "brightness": {"brightness": 0.4},
    "contrast": {"contrast": 0.5},
    "saturation": {"saturation": 1.0},
    "cutout": {"cutout": 0.4},
    "noise": {"noise": 0.1},
}
ALL = {name: value for one in EACH.values() for name, value in one.items()}
each = pytest.mark.parametrize("name", [*EACH, "all"])


def made(name: str, pixels: Pixels = UNIT) -> Augmentation:
    return AugmentConfig.model_validate(EACH.get(name, ALL)).build(pixels)


def random(seed: int = 0, rank: int = 0, world: int = 1) -> Random:
    return Random(np.random.default_rng(seed), rank, world)


def pictures(n: int, side: int = 8, channels: int = 3, seed: int = 0) -> Tensor:
    """Bytes [N, H, W, C] in which no two neighbours are alike."""
    drawn = np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), np.uint8)
    return torch.from_numpy(drawn)


def changed(before: Tensor, after: Tensor) -> Tensor:
    return (before != after).flatten(1).any(1)


def test_the_cases_are_all_there_is() -> None:
    assert (
        set(EACH)
        == set(TRANSFORMS)
        == set(AugmentConfig.model_fields)
        - {
            "probability",
            "paired",
            "transforms",
        }
    )


@each
def test_probability_0_is_the_identity_itself(name: str) -> None:
    images, numbers = UNIT.to_model(pictures(4)), random()
    assert made(name)(images, numbers, 0.0) is images
    assert numbers.uniform(1) == random().uniform(1), "numbers were drawn for nothing"


def test_nothing_on_is_the_identity_itself() -> None:
    images = UNIT.to_model(pictures(4))
    assert AugmentConfig().build(UNIT)(images, random(), 1.0) is images


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_the_share_of_images_changed_is_the_probability(name: str, probability: float) -> None:
    images = UNIT.to_model(pictures(4000))
    share = changed(images, made(name)(images, random(), probability)).double().mean().item()
    expected = probability
    if name == "flip":
        expected /= 2
    if name == "shift":  # 2 pixels at most: 24 of 25 shifts are no shift by nothing
        expected *= 24 / 25
    assert share == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 4000))


@pytest.mark.parametrize("pixels", RANGES, ids=lambda pixels: pixels.range)
def test_images_that_nothing_is_applied_to_are_exactly_the_same(pixels: Pixels) -> None:
    images = pixels.to_model(pictures(200))
    draws = Draws(random(), 200, 0.1)
    spared = ~torch.stack([draws.applies(name) for name in TRANSFORMS]).any(0)
    assert 40 < spared.sum() < 120
    after = made("all", pixels)(images, random(), 0.1)
    assert torch.equal(after[spared], images[spared])


def test_transforms_are_decided_on_independently() -> None:
    images = UNIT.to_model(pictures(4000))
    alone = {
        name: changed(images, made(name)(images, random(), 0.5))
        for name in ("brightness", "rotation", "cutout")
    }
    for first, second in (("brightness", "rotation"), ("rotation", "cutout")):
        both = (alone[first] & alone[second]).double().mean().item()
        assert both == pytest.approx(0.25, abs=0.03)


@each
def test_an_image_does_not_depend_on_the_others(name: str) -> None:
    images = UNIT.to_model(pictures(8))
    others = images.clone()
    others[[0, 1, 2, 4, 5, 6, 7]] = UNIT.to_model(pictures(7, seed=5))
    augment = made(name)
    for probability in (0.5, 1.0):
        one = augment(images, random(), probability)[3]
        assert torch.equal(one, augment(others, random(), probability)[3])


@each
def test_two_ranks_see_what_one_would(name: str) -> None:
    images = UNIT.to_model(pictures(12))
    augment = made(name)
    one = augment(images, random(), 0.6)
    two = [augment(images[6 * r :][:6], random(0, r, 2), 0.6) for r in range(2)]
    torch.testing.assert_close(torch.cat(two), one, rtol=0, atol=1e-6)


@each
def test_how_many_numbers_are_drawn_depends_on_no_image(name: str) -> None:
    following = []
    for seed, probability in ((0, 0.2), (1, 0.9)):
        numbers = random()
        made(name)(UNIT.to_model(pictures(6, seed=seed)), numbers, probability)
        following.append(numbers.uniform(1).item())
    assert following[0] == following[1]


def test_switching_one_off_leaves_the_others_as_they_were() -> None:
    images = UNIT.to_model(pictures(16))
    with_cutout = AugmentConfig(flip=True, cutout=0.3).build(UNIT)(images, random(), 1.0)
    without = AugmentConfig(flip=True).build(UNIT)(images, random(), 1.0)
    kept = with_cutout != 0.5
    assert kept.double().mean() > 0.5
    assert torch.equal(with_cutout[kept], without[kept])


def test_what_is_missing_is_missing_for_either_reason() -> None:
    images = torch.zeros(32, 3, 8, 8)
    alone = [made(name)(images, random(), 1.0) == 0.5 for name in ("shift", "cutout")]
    both = AugmentConfig(shift=0.25, cutout=0.4).build(UNIT)(images, random(), 1.0)
    assert torch.equal(both == 0.5, alone[0] | alone[1])


@each
@pytest.mark.parametrize("channels", [1, 3])
def test_a_change_means_the_same_in_every_range(name: str, channels: int) -> None:
    stored = pictures(16, channels=channels) // 4 + 96  # nothing is clamped at either end
    settings = {**EACH.get(name, ALL), "brightness": 0.05 if name in ("all", "brightness") else 0}
    config = AugmentConfig.model_validate(settings)
    ranges = [
        UNIT,
        SYMMETRIC,
        Pixels("standard", STANDARD.mean[:channels], STANDARD.std[:channels]),
    ]
    found = []
    for pixels in ranges:
        after = config.build(pixels)(pixels.to_model(stored), random(), 0.7)
        found.append(pixels.to_bytes(after).to(torch.int16))
    assert (found[0] - stored).abs().max() > 0 or (name, channels) == ("saturation", 1)
    for other in found[1:]:
        # A value half-way between two bytes may be rounded either way.
        assert (other - found[0]).abs().max() <= 1
        assert (other != found[0]).double().mean() < 0.01


def test_saturation_does_nothing_to_grey() -> None:
    one = UNIT.to_model(pictures(8, channels=1))
    assert torch.equal(made("saturation")(one, random(), 1.0), one)
    grey = one.expand(-1, 3, -1, -1)
    torch.testing.assert_close(made("saturation")(grey, random(), 1.0), grey)


@given(seed=st.integers(0, 1000), probability=st.floats(0.01, 1.0), side=st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_any_shape_stays_finite_and_in_shape(seed: int, probability: float, side: int) -> None:
    images = SYMMETRIC.to_model(pictures(3, side=side, seed=seed))[:, :, : side - 1]
    after = made("all", SYMMETRIC)(images, random(seed), probability)
    assert after.shape == images.shape
    assert after.isfinite().all()


@each
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_memory_layout_stays(name: str, layout: torch.memory_format) -> None:
    images = UNIT.to_model(pictures(4)).contiguous(memory_format=layout)
    after = made(name)(images, random(), 1.0)
    assert after.stride() == images.stride()
    other = made(name)(images.contiguous(), random(), 1.0)
    assert torch.equal(after, other)


def test_bfloat16_is_widened_also_under_autocast() -> None:
    images = UNIT.to_model(pictures(8)).bfloat16()
    expected = made("all")(images.float(), random(), 0.8)
    with torch.autocast("cpu", torch.bfloat16):
        after = made("all")(images, random(), 0.8)
    assert after.dtype == torch.float32
    assert after.stride() == images.stride()
    assert torch.equal(after, expected)


@each
@pytest.mark.parametrize("probability", [0.5, 1.0])
def test_it_can_be_differentiated_twice(name: str, probability: float) -> None:
    images = STANDARD.to_model(pictures(3, side=4)).double().requires_grad_()
    augment = made(name, STANDARD)

    def apply(x: Tensor) -> Tensor:
        return augment(x, random(3), probability)

    def squared(x: Tensor) -> Tensor:  # or there would be no second derivative
        return apply(x).square()

    assert torch.autograd.gradcheck(apply, images)
    assert torch.autograd.gradgradcheck(squared, images)


def test_a_penalty_on_slopes_learns_through_it() -> None:
    images = SYMMETRIC.to_model(pictures(6)).requires_grad_()
    w = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    logits = (made("all", SYMMETRIC)(images, random(), 0.8) * w).square().sum()
    (slopes,) = torch.autograd.grad(logits, images, create_graph=True)
    (gradient,) = torch.autograd.grad(slopes.square().sum(), w)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_noise_is_normal_with_a_strength_for_each_image() -> None:
    images = torch.full((400, 3, 16, 16), 0.25)
    added = AugmentConfig(noise=0.1).build(SYMMETRIC)(images, random(), 1.0) - images
    deviations = added.flatten(1).double().std(1) / 2  # 2 from black to white
    assert deviations.max() < 0.105
    assert deviations.mean().item() == pytest.approx(0.05, abs=0.006)
    scaled = (added.flatten(1) / added.flatten(1).std(1, keepdim=True)).double()
    assert scaled.mean().item() == pytest.approx(0, abs=0.01)
    assert scaled.pow(4).mean().item() == pytest.approx(3, abs=0.05)


def test_normal_numbers_are_finite_at_the_ends() -> None:
    ends = normal(torch.tensor([-1.0, 0.0, 1 - 2**-23]))
    assert ends.isfinite().all()
    assert ends.abs().max() < 5.5
    assert ends[1] == 0
