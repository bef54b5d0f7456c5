"""Each transform by itself: exact where it can be, and distributed as promised."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from facegan.augment import AugmentConfig
from facegan.augment.colour import recolour
from facegan.augment.erase import hide, outside
from facegan.augment.geometry import move, resample, seen_after, similarity
from facegan.data.pixels import Pixels
from facegan.seeding import Random

UNIT = Pixels.of("unit")


def random(seed: int = 0) -> Random:
    return Random(np.random.default_rng(seed))


def smooth(n: int = 1, height: int = 32, width: int = 32) -> Tensor:
    """Blurred noise [N, 3, H, W] in [0, 1]."""
    drawn = np.random.default_rng(1).random((n, height, width, 3), np.float32)
    blurred = np.stack([cv2.GaussianBlur(one, (0, 0), 2) for one in drawn])
    return torch.from_numpy(blurred).permute(0, 3, 1, 2).contiguous()


def offsets(down: int, right: int, mirrored: bool) -> Tensor:
    return torch.tensor([[down, right, mirrored]], dtype=torch.float32)


@given(down=st.integers(-4, 4), right=st.integers(-3, 3), mirrored=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_whole_shift_moves_pixels_exactly(down: int, right: int, mirrored: bool) -> None:
    images = torch.rand(1, 3, 8, 6)
    expected = np.full((3, 8, 6), 0.5, np.float32)
    source = images[0].numpy()[:, :, ::-1] if mirrored else images[0].numpy()
    for y in range(8):
        for x in range(6):
            if 0 <= y - down < 8 and 0 <= x - right < 6:
                expected[:, y, x] = source[:, y - down, x - right]
    where = offsets(down, right, mirrored)
    grey = torch.full((1, 1, 1), 0.5)
    moved = hide(move(images, where), seen_after(where, 8, 6), grey)
    assert np.array_equal(moved[0].numpy(), expected)


def test_a_flip_is_its_own_inverse() -> None:
    images = torch.rand(2, 3, 5, 7)
    where = offsets(0, 0, True).expand(2, 3)
    assert torch.equal(move(images, where), images.flip(3))
    assert torch.equal(move(move(images, where), where), images)


def test_moving_loses_no_gradient() -> None:
    images = torch.rand(1, 3, 6, 6, requires_grad=True)
    weights = torch.rand(1, 3, 6, 6)
    (gradient,) = torch.autograd.grad((move(images, offsets(2, -1, True)) * weights).sum(), images)
    assert torch.equal(gradient.flatten().sort()[0], weights.flatten().sort()[0])


def warped(image: Tensor, scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    """The same by OpenCV, [H, W, C]."""
    height, width = image.shape[1:]
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, degrees, scale)
    matrix[:, 2] += (shift[1], shift[0])
    picture = image.permute(1, 2, 0).contiguous().numpy()
    return cv2.warpAffine(
        picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


@pytest.mark.parametrize(
    ("scale", "degrees", "shift"),
    [
        (1.0, 7.0, (0.0, 0.0)),
        (1.0, -25.0, (0.0, 0.0)),
        (1.3, 0.0, (0.0, 0.0)),
        (0.7, 0.0, (0.0, 0.0)),
        (1.0, 0.0, (2.5, -3.25)),
        (0.8, 12.0, (-1.5, 4.75)),
    ],
)
@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_resampling_agrees_with_opencv(
    scale: float, degrees: float, shift: tuple[float, float], size: tuple[int, int]
) -> None:
    images = smooth(1, *size)
    how = similarity(torch.tensor([scale]), torch.tensor([degrees]), torch.tensor([shift]))
    ours = resample(images, how)[0].permute(1, 2, 0).numpy()
    # OpenCV rounds positions to 1/32 of a pixel.
    np.testing.assert_allclose(ours, warped(images[0], scale, degrees, shift), atol=6e-3)
    assert np.abs(ours - images[0].permute(1, 2, 0).numpy()).max() > 0.05


def test_resampling_by_nothing_changes_nothing() -> None:
    images = smooth(2)
    how = similarity(torch.ones(2), torch.zeros(2), torch.zeros(2, 2))
    torch.testing.assert_close(resample(images, how), images, rtol=0, atol=1e-5)


N = 4000
# A ramp along each axis tells where a pixel comes from.
AXIS = torch.arange(16.0)
RAMP = torch.stack((AXIS[:, None].expand(16, 16), AXIS.expand(16, 16), torch.ones(16, 16)))


def test_whole_shifts_are_uniform_on_both_axes() -> None:
    config = AugmentConfig(shift=0.125)
    after = config.build(UNIT)(RAMP.expand(N, -1, -1, -1), random(), 1.0)
    middle = after[:, :2, 8, 8] - 8
    for axis in range(2):
        values, counts = middle[:, axis].unique(return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert (counts / N - 0.2).abs().max() < 4 * math.sqrt(0.16 / N)
    assert abs(np.corrcoef(middle.numpy().T)[0, 1]) < 0.06


def of_resampling(**settings: float) -> Tensor:
    """For each image, the source (y, x) of the pixels (7, 7), (8, 8) and (7, 8), [N, 3, 2]."""
    after = AugmentConfig.model_validate(settings).build(UNIT)(
        RAMP.expand(N, -1, -1, -1), random(), 1.0
    )
    return torch.stack((after[:, :2, 7, 7], after[:, :2, 8, 8], after[:, :2, 7, 8]), 1)


def check_uniform(values: Tensor, most: float) -> None:
    """Uniform on [−most, most]: mean, deviation and ends."""
    assert values.abs().max() <= most * 1.001
    assert values.abs().max() > most * 0.99
    assert values.mean().item() == pytest.approx(0, abs=4 * most / math.sqrt(3 * N))
    assert values.std().item() == pytest.approx(most / math.sqrt(3), rel=0.05)


def test_angles_are_uniform() -> None:
    points = of_resampling(rotation=30.0)
    across = points[:, 2] - points[:, 0]
    check_uniform(torch.rad2deg(torch.atan2(across[:, 0], across[:, 1])), 30.0)


def test_scales_are_uniform_in_octaves() -> None:
    points = of_resampling(scale=0.5)
    check_uniform(torch.log2((points[:, 2] - points[:, 0])[:, 1]), 0.5)


def test_fractional_shifts_are_uniform_on_both_axes() -> None:
    points = of_resampling(fraction=0.25)
    for axis in range(2):
        check_uniform(points[:, 0, axis] - 7, 4.0)
    assert abs(np.corrcoef((points[:, 0] - 7).numpy().T)[0, 1]) < 0.06


def test_brightness_is_added_uniformly() -> None:
    after = AugmentConfig(brightness=0.3).build(UNIT)(torch.full((N, 3, 2, 2), 0.4), random(), 1.0)
    check_uniform(after[:, 0, 0, 0] - 0.4, 0.3)
    assert torch.equal(after, after[:, :1, :1, :1].expand_as(after))


def test_contrast_multiplies_and_divides_alike_and_keeps_grey() -> None:
    images = torch.full((N, 3, 1, 2), 0.5)
    images[..., 1] = 0.9
    after = AugmentConfig(contrast=1.0).build(UNIT)(images, random(), 1.0)
    torch.testing.assert_close(after[..., 0], images[..., 0])
    check_uniform(torch.log2((after[:, 0, 0, 1] - 0.5) / 0.4), 1.0)


def test_saturation_multiplies_and_divides_alike_and_keeps_the_mean() -> None:
    images = torch.tensor([0.9, 0.5, 0.1]).view(1, 3, 1, 1).expand(N, -1, 2, 2)
    after = AugmentConfig(saturation=1.0).build(UNIT)(images, random(), 1.0)
    torch.testing.assert_close(after.mean(1), images.mean(1))
    check_uniform(torch.log2((after[:, 0, 0, 0] - 0.5) / 0.4), 1.0)


@pytest.mark.parametrize("span", [torch.ones(1, 1, 1), torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)])
def test_colour_is_the_formula(span: Tensor) -> None:
    plain = torch.rand(5, 3, 4, 4, dtype=torch.float64)
    b, c, s = torch.rand(3, 5, 1, 1, 1, dtype=torch.float64) + 0.5
    grey = (plain - 0.5).mean(1, keepdim=True)
    expected = 0.5 + b + c * (grey + s * (plain - 0.5 - grey))
    span = span.double()
    middle = span * 0.5 + 7
    changes = torch.cat((b, c, s), 1)[:, :, 0, 0]
    after = recolour(plain * span + 7, changes, middle, span, saturate=True)
    torch.testing.assert_close((after - 7) / span, expected)


def test_a_square_is_cut_out_anywhere() -> None:
    images = torch.zeros(N, 1, 10, 10)
    after = AugmentConfig(cutout=0.4).build(UNIT)(images, random(), 1.0)
    assert set(after.unique().tolist()) == {0.0, 0.5}
    areas = (after > 0).sum((1, 2, 3))
    assert areas.max() == 16
    # Centres are uniform on 10 × 10; near a border, a part of the square is outside.
    lengths = [min(c + 2, 10) - max(c - 2, 0) for c in range(10)]
    assert areas.double().mean().item() == pytest.approx(np.mean(lengths) ** 2, rel=0.02)
    shares = (after > 0).double().mean((0, 1))
    assert shares.min() > 0.02, "some pixels are never hidden"
    assert torch.equal(
        after > 0, (after > 0).any(2, keepdim=True) & (after > 0).any(3, keepdim=True)
    )


def test_a_square_outside_hides_nothing() -> None:
    assert outside(torch.tensor([[9.0, 0.0], [-3.0, -3.0]]), 3, 9, 9).min() == 1
