from __future__ import annotations

import pytest
import torch

from facegan.data.pixels import Pixels
from facegan.errors import DataError

STATISTICS = {3: ((0.6, 0.45, 0.38), (0.29, 0.2, 0.31)), 1: ((0.47,), (0.23,))}
RANGES = ("unit", "symmetric", "standard")


def every_byte(channels: int) -> torch.Tensor:
    """uint8 [2, 16, 16, C]: all 256 values in every channel and image."""
    values = torch.arange(256, dtype=torch.uint8).reshape(16, 16, 1)
    return torch.stack([values, values.flip(0)]).repeat(1, 1, 1, channels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("range_", RANGES)
def test_bytes_come_back(range_: str, channels: int) -> None:
    pixels = Pixels.of(range_, *STATISTICS[channels])
    stored = every_byte(channels)
    images = pixels.to_model(stored)
    assert images.dtype == torch.float32
    assert images.shape == (2, channels, 16, 16)
    assert images.is_contiguous(memory_format=torch.channels_last)
    back = pixels.to_bytes(images)
    assert back.dtype == torch.uint8
    assert back.is_contiguous()
    assert torch.equal(back, stored)


@pytest.mark.parametrize("range_", RANGES)
def test_the_layout_of_the_input_does_not_matter(range_: str) -> None:
    pixels = Pixels.of(range_, *STATISTICS[3])
    images = pixels.to_model(every_byte(3))
    assert torch.equal(pixels.to_bytes(images.contiguous()), every_byte(3))


def test_values_by_the_formula() -> None:
    stored = every_byte(3)
    plain = stored.permute(0, 3, 1, 2).double()
    unit = Pixels.of("unit").to_model(stored)
    torch.testing.assert_close(unit.double(), plain / 255, rtol=1e-6, atol=0)
    symmetric = Pixels.of("symmetric").to_model(stored)
    torch.testing.assert_close(symmetric.double(), plain / 127.5 - 1, rtol=0, atol=2e-7)
    ends = [unit.min(), unit.max(), symmetric.min(), symmetric.max()]
    assert ends == pytest.approx([0, 1, -1, 1], abs=2e-7)
    mean, std = (torch.tensor(v).double()[:, None, None] for v in STATISTICS[3])
    standard = Pixels.of("standard", *STATISTICS[3]).to_model(stored)
    torch.testing.assert_close(standard.double(), (plain / 255 - mean) / std, rtol=0, atol=1e-6)


def test_what_is_outside_the_range_is_clamped() -> None:
    beyond = torch.tensor([-9.0, -1.01, 1.01, 9.0]).reshape(1, 1, 2, 2)
    assert Pixels.of("symmetric").to_bytes(beyond).flatten().tolist() == [0, 0, 255, 255]


def test_half_precision_is_accepted() -> None:
    images = torch.tensor([-1.0, 0.5, 1.0]).reshape(1, 3, 1, 1).bfloat16()
    assert Pixels.of("symmetric").to_bytes(images).flatten().tolist() == [0, 191, 255]


@pytest.mark.parametrize(
    ("mean", "std"), [((), ()), ((0.5,), ()), ((0.5, 0.5), (0.2,)), ((0.5,), (0.0,))]
)
def test_standard_needs_statistics(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="standard"):
        Pixels.of("standard", mean, std)
