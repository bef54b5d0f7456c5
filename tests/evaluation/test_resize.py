"""The resizer: antialiased, Pillow's filter, and nothing at all where the size is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from facegan.evaluation.resize import resize


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("side", [7, 64, 224])
@pytest.mark.parametrize("level", [0, 1, 100, 255])
def test_constant_pictures_stay_constant(side: int, level: int) -> None:
    assert (resize(np.full((2, 50, 50, 3), level, np.uint8), side) == level).all()


def test_the_right_size_stays_as_it_is() -> None:
    images = noise(3, 32, 32, 3)
    np.testing.assert_array_equal(resize(images, 32).permute(0, 2, 3, 1).numpy(), images)


def test_a_fine_checkerboard_becomes_grey() -> None:
    y, x = np.mgrid[0:128, 0:128]
    board = (255 * ((x + y) % 2)).astype(np.uint8)[None, :, :, None]
    small = resize(board, 32).float()
    assert (small - 127.5).abs().max() < 4
    assert (small.mean() - 127.5).abs() < 1


@pytest.mark.parametrize("side", [20, 64, 100, 224])
@pytest.mark.parametrize("smooth", [False, True])
def test_it_is_the_filter_of_pillow(side: int, smooth: bool) -> None:
    picture = noise(64, 64, 3)
    if smooth:
        y, x = np.mgrid[0:64, 0:64]
        picture = np.stack([4 * x, 4 * y, 2 * (x + y)], -1).astype(np.uint8)
    theirs = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))
    ours = resize(picture[None], side)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_grey_has_three_equal_channels() -> None:
    grey = resize(noise(2, 20, 20, 1), 32)
    assert grey.shape == (2, 3, 32, 32)
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 0], grey[:, 2])
    same = resize(noise(2, 20, 20, 1).repeat(3, 3), 32)
    assert torch.equal(grey, same)


def test_pictures_that_are_no_squares_and_pieces_of_larger_arrays() -> None:
    images = noise(2, 40, 80, 3)[:, ::-1, ::2]
    found = resize(images, 24)
    assert found.shape == (2, 3, 24, 24)
    assert found.dtype == torch.uint8
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, resize(images.copy(), 24))
