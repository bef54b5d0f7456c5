"""Light, pose, hue and scene: each against its formula, in every pixel range."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from facegan.augment import AugmentConfig, Hue, Light, Pose, Scene, Transform
from facegan.augment.geometry import sample
from facegan.augment.hue import turns
from facegan.augment.transform import places
from facegan.data.pixels import Pixels
from facegan.seeding import Random

UNIT = Pixels.of("unit")
RANGES = [UNIT, Pixels.of("symmetric"), Pixels.of("standard", (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))]
EACH: list[Transform] = [
    Light(kind="light"),
    Hue(kind="hue", degrees=40.0),
    Pose(kind="pose"),
    Scene(kind="scene"),
]


def random(seed: int = 0) -> Random:
    return Random(np.random.default_rng(seed))


def smooth(n: int = 1, side: int = 32) -> Tensor:
    """Blurred noise [N, 3, H, W] in [0, 1]."""
    drawn = np.random.default_rng(1).random((n, side, side, 3), np.float32)
    blurred = np.stack([cv2.GaussianBlur(one, (0, 0), 2) for one in drawn])
    return torch.from_numpy(blurred).permute(0, 3, 1, 2).contiguous()


class Given(Random):
    """Gives the numbers that a test wants."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = torch.tensor(rows)

    def uniform(self, n: int, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        assert (n, *shape) == self.rows.shape
        return self.rows


@pytest.mark.parametrize("transform", EACH, ids=lambda each: each.kind)
@pytest.mark.parametrize("pixels", RANGES, ids=lambda each: each.range)
def test_the_range_changes_nothing(transform: Transform, pixels: Pixels) -> None:
    as_bytes = (smooth(6) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    plain, wide = UNIT.to_model(as_bytes), pixels.to_model(as_bytes)
    expected = transform(plain, random(), 0.7, UNIT)
    found = transform(wide, random(), 0.7, pixels)
    scale = torch.tensor(pixels.std or (0.5 if pixels.range == "symmetric" else 1.0,))
    offset = torch.tensor(pixels.mean or (0.5 if pixels.range == "symmetric" else 0.0,))
    back = found * scale[:, None, None] + offset[:, None, None]
    torch.testing.assert_close(back, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("transform", EACH, ids=lambda each: each.kind)
def test_so_many_pictures_change_and_the_others_not_at_all(transform: Transform) -> None:
    images = smooth(400, 8)
    changed = (transform(images, random(), 0.3, UNIT) - images).abs().amax((1, 2, 3))
    assert 80 <= (changed > 1e-4).sum() <= 160
    assert 240 <= (changed < 1e-6).sum() <= 320


@pytest.mark.parametrize("transform", EACH, ids=lambda each: each.kind)
def test_grey_pictures_have_one_channel(transform: Transform) -> None:
    images = smooth(3)[:, :1]
    found = transform(images, random(), 1.0, UNIT)
    assert found.shape == images.shape
    if transform.kind == "hue":
        assert torch.equal(found, images)


@pytest.mark.parametrize("transform", EACH, ids=lambda each: each.kind)
def test_gradients_can_be_taken_twice(transform: Transform) -> None:
    images = smooth(2, 6).double().requires_grad_()

    def seen(x: Tensor) -> Tensor:
        return transform(x, random(3), 0.9, UNIT).square().sum((1, 2, 3))

    assert torch.autograd.gradcheck(seen, images, fast_mode=True)
    assert torch.autograd.gradgradcheck(seen, images, fast_mode=True)


def test_light_is_exponential_along_its_direction() -> None:
    images = smooth()
    angle = 2 * math.pi * 0.2
    found = Light(kind="light", amount=0.8)(images, Given([[0.0, 0.5, 0.2]]), 1.0, UNIT)
    x, y = places(images)
    expected = 0.4 * (math.cos(angle) * x + math.sin(angle) * y)
    torch.testing.assert_close((found / images).log(), expected.expand_as(found), atol=1e-4, rtol=0)
    black = torch.zeros(1, 3, 4, 4)
    assert torch.equal(Light(kind="light")(black, random(), 1.0, UNIT), black)


def test_hue_turns_about_grey() -> None:
    turn = turns(torch.tensor([0.0, 2 * math.pi / 3, 0.3]))
    torch.testing.assert_close(turn[0], torch.eye(3))
    red, green = torch.eye(3)[0], torch.eye(3)[1]
    torch.testing.assert_close(turn[1] @ red, green)
    for each in turn:
        torch.testing.assert_close(each @ each.T, torch.eye(3), atol=1e-6, rtol=0)
        torch.testing.assert_close(each @ torch.ones(3), torch.ones(3))
    images = smooth()
    found = Hue(kind="hue", degrees=90.0)(images, Given([[0.0, 0.9]]), 1.0, UNIT)
    torch.testing.assert_close(found.mean(1), images.mean(1))
    angle = math.radians(90 * 0.8)
    torch.testing.assert_close(
        found[0, :, 3, 5], turns(torch.tensor([angle]))[0] @ images[0, :, 3, 5]
    )


@pytest.mark.parametrize("amounts", [(0.1, 0.0, 0.0), (0.0, 0.2, 0.0), (-0.1, -0.1, 0.15)])
def test_pose_agrees_with_opencv(amounts: tuple[float, float, float]) -> None:
    images, (shear, side, up) = smooth(), amounts
    numbers = [
        0.5 + 0.5 * value / limit for value, limit in zip(amounts, (0.5, 0.3, 0.3), strict=True)
    ]
    pose = Pose(kind="pose", shear=0.5, perspective=0.3)
    found = pose(images, Given([[0.0, *numbers]]), 1.0, UNIT)
    # From pixels to [−1, 1], through the formula, and back.
    n = images.shape[3]
    to_unit = np.array([[2 / n, 0, 1 / n - 1], [0, 2 / n, 1 / n - 1], [0, 0, 1]])
    matrix = np.linalg.inv(to_unit) @ [[1, shear, 0], [0, 1, 0], [side, up, 1]] @ to_unit
    picture = images[0].permute(1, 2, 0).contiguous().numpy()
    expected = cv2.warpPerspective(
        picture,
        matrix,
        (n, n),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    # OpenCV rounds positions to 1/32 of a pixel.
    np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), expected, atol=1e-2)


def test_a_grid_of_the_pixels_own_places_changes_nothing() -> None:
    images = smooth()
    x, y = places(images)
    grid = torch.stack(torch.broadcast_tensors(x, y), 2)[None]
    torch.testing.assert_close(sample(images, grid), images, atol=1e-5, rtol=0)


def test_a_scene_keeps_the_face_and_replaces_what_is_around() -> None:
    scene = Scene(kind="scene", colour=0.5, blur=0.25)
    images = smooth()
    inside = scene.inside(images)[0, 0]
    assert (inside[12:20, 12:20] == 1).all()
    assert (inside[[0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()
    numbers = [[0.0, 0.0, 0.8, 0.9, 0.1, 0.3]]
    found = scene(images, Given(numbers), 1.0, UNIT)
    face = inside == 1
    assert torch.equal(found[0, :, face], images[0, :, face])
    colour = torch.tensor([0.9, 0.1, 0.3])
    expected = images[0, :, 0, 0] * 0.6 + colour * 0.4
    torch.testing.assert_close(found[0, :, 0, 0], expected)
    blurred = scene(images, Given([[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]]), 1.0, UNIT)
    outer = inside == 0
    assert blurred[0, :, outer].std() < 0.7 * images[0, :, outer].std()


def test_what_may_leak_is_said() -> None:
    tables = tuple({"kind": each.kind} for each in EACH)
    config = AugmentConfig.model_validate({"probability": 0.9, "transforms": tables})
    assert len(config.leaks()) == len(EACH)
    assert not config.model_copy(update={"probability": 0.8}).leaks()
