"""The spectrum: waves stand where they belong, blur and checkers show."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from facegan.errors import DataError
from facegan.evaluation.spectrum import powers, spectrum
from facegan.portraits import draw, sample

REAL = draw(sample(160, seed=0), 64)
ONE, OTHER = REAL[:80], REAL[80:]


def test_a_wave_has_its_frequency() -> None:
    x = np.arange(64) / 64
    for cycles in (3, 10, 25):
        wave = np.broadcast_to(128 + 60 * np.sin(2 * np.pi * cycles * x), (2, 64, 64))
        found = powers(wave[..., None].astype(np.uint8))[0]
        assert found[:-1].argmax() == cycles - 1


def test_equal_pictures_have_equal_spectra() -> None:
    found = spectrum(ONE, OTHER)
    assert found.frequencies == tuple(range(1, 33))
    assert len(found.ratios) == 32
    for ratio in found.ratios:
        assert ratio.low <= ratio.value <= ratio.high
    inside = np.mean([ratio.low <= 1 <= ratio.high for ratio in found.ratios])
    assert inside > 0.7
    same = spectrum(ONE, ONE)
    assert all(ratio.value == pytest.approx(1) for ratio in (*same.ratios, same.checkered))


def test_blur_takes_what_is_fine() -> None:
    blurred = np.stack(
        [np.asarray(Image.fromarray(one).filter(ImageFilter.GaussianBlur(1.5))) for one in ONE]
    )
    found = spectrum(blurred, OTHER)
    assert found.ratios[24].high < 0.5
    assert found.ratios[0].high > 0.7


def test_checkers_show_in_the_corner() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 12
    checkered = np.clip(ONE.astype(int) + board[None, ..., None], 0, 255).astype(np.uint8)
    found = spectrum(checkered, OTHER)
    assert found.checkered.low > 10
    assert found.ratios[5].high < 3


def test_grey_pictures_and_wrong_ones() -> None:
    assert spectrum(ONE[..., :1], OTHER[..., :1]).n == 80
    for wrong in (ONE[:1], ONE[:, :32], ONE[:, :32, :32]):
        with pytest.raises(DataError, match="do not compare"):
            spectrum(wrong, OTHER)
