"""Pre-emphasis against its closed form: what each frequency is multiplied by."""

from __future__ import annotations

import math

import pytest
import torch

from facegan.networks.layers.emphasis import Emphasis


@pytest.mark.parametrize("gain", [0.5, 4.0])
def test_each_frequency_is_multiplied_by_what_the_filter_says(gain: float) -> None:
    """Of [1, 2, 1] / 4 along both axes, cos²(u/2) cos²(v/2) is left; the gain adds the rest."""
    side = torch.arange(16, dtype=torch.float64)
    for u, v in ((0.0, math.pi), (math.pi, math.pi), (math.pi / 2, 0.0), (math.pi / 4, math.pi)):
        wave = (torch.cos(u * side)[:, None] * torch.cos(v * side)).expand(2, 3, 16, 16)
        left = math.cos(u / 2) ** 2 * math.cos(v / 2) ** 2
        inside = (..., slice(1, -1), slice(1, -1))
        expected = wave * (1 + gain * (1 - left))
        torch.testing.assert_close(Emphasis(gain)(wave)[inside], expected[inside])


def test_what_is_flat_stays_up_to_the_edge() -> None:
    flat = torch.full((1, 3, 6, 5), 0.7)
    torch.testing.assert_close(Emphasis(4.0)(flat), flat)


def test_its_gradient_can_be_differentiated() -> None:
    images = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Emphasis(3.0), images)
    assert torch.autograd.gradgradcheck(Emphasis(3.0), images)


def test_bfloat16_is_not_rounded_again() -> None:
    images = torch.randn(2, 3, 8, 8).bfloat16()
    found = Emphasis(4.0)(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, Emphasis(4.0)(images.float()))
