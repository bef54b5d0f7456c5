from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.faces.geometry import Square, cut, mapped


def noise(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_an_upright_square_at_the_pictures_scale_is_a_slice() -> None:
    picture = noise()
    found = cut(picture, Square(20, 16, 24), 24)
    assert np.array_equal(found, picture[4:28, 8:32])
    assert np.array_equal(cut(picture[:, :, 0], Square(20, 16, 24), 24), picture[4:28, 8:32, 0])


def test_quarter_turns_are_exact() -> None:
    picture = noise()
    upright = picture[4:28, 8:32]
    # Its upper edge falls to the right: by a quarter, what was on the left is above.
    found = cut(picture, Square(20, 16, 24, math.pi / 2), 24)
    assert np.array_equal(found, np.rot90(upright, 1))
    assert np.array_equal(cut(picture, Square(20, 16, 24, math.pi), 24), np.rot90(upright, 2))


def test_a_larger_square_is_averaged() -> None:
    picture = noise(64, 64)
    whole = cut(picture, Square(32, 32, 64), 16)
    assert np.array_equal(whole, cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA))


def test_what_lies_outside_is_reflected_or_repeated() -> None:
    picture = noise()
    square = Square(0, 20, 20)  # its left half is outside
    reflected = cut(picture, square, 20, "reflect")
    assert np.array_equal(reflected[:, :10], picture[10:30, 1:11][:, ::-1])
    repeated = cut(picture, square, 20, "edge")
    assert (repeated[:, :10] == picture[10:30, :1]).all()
    assert np.array_equal(repeated[:, 10:], picture[10:30, :10])


@pytest.mark.parametrize(
    ("square", "share"),
    [
        (Square(30, 20, 10), 0),
        (Square(0, 20, 10), 0.5),
        (Square(0, 0, 10), 0.75),
        (Square(-20, 20, 10), 1),
        (Square(0, 20, 10, math.pi / 4), 0.5),
        (Square(30, 20, 120), 1 - 40 * 60 / 120**2),
    ],
)
def test_share_outside(square: Square, share: float) -> None:
    assert square.outside(40, 60) == pytest.approx(share, abs=1e-12)


@given(st.floats(-50, 110), st.floats(-50, 90), st.floats(2, 60), st.floats(-4, 4))
def test_share_outside_is_that_of_its_points(x: float, y: float, side: float, a: float) -> None:
    square = Square(x, y, side, a)
    grid = (np.stack(np.meshgrid(np.arange(50), np.arange(50)), -1).reshape(-1, 2) + 0.5) / 50
    points = mapped(square.to_picture(1), grid)
    inside = ((points >= 0) & (points <= [60, 40])).all(1).mean()
    assert square.outside(40, 60) == pytest.approx(1 - inside, abs=0.05)


@given(st.floats(-4, 4), st.floats(1, 90), st.integers(1, 300))
def test_a_cuts_middle_is_the_squares_and_its_sides_have_its_length(
    angle: float, side: float, size: int
) -> None:
    matrix = Square(3, -4, side, angle).to_picture(size)
    middle, corner, next_corner = mapped(
        matrix, np.array([[size / 2, size / 2], [0, 0], [size, 0]])
    )
    assert middle == pytest.approx([3, -4], abs=1e-9)
    along = next_corner - corner
    assert np.hypot(*along) == pytest.approx(side)
    assert math.remainder(math.atan2(along[1], along[0]) - angle, math.tau) == pytest.approx(
        0, abs=1e-9
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_pictures_that_are_longer_than_opencv_can_sample(axis: int) -> None:
    short = noise(60, 400)
    long = np.zeros((60, 40_000, 3), np.uint8)
    long[:, -400:] = short
    turn = (lambda p: p) if axis else (lambda p: np.ascontiguousarray(p.transpose(1, 0, 2)))
    for x, border in ((150, "reflect"), (395, "reflect"), (395, "edge")):
        there = (x + 39_600, 30) if axis else (30, x + 39_600)
        here = (x, 30) if axis else (30, x)
        found = cut(turn(long), Square(*there, 20, 0.3), 32, border)
        expected = cut(turn(short), Square(*here, 20, 0.3), 32, border)
        assert np.abs(found.astype(int) - expected).mean() < 1
