"""The minibatch standard deviation against its definition."""

from __future__ import annotations

import pytest
import torch

from facegan.networks.layers.minibatch import MinibatchDeviation


@pytest.mark.parametrize(("n", "group"), [(8, 4), (12, 4), (6, 3), (7, 1), (2, 2)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_the_mean_deviation_of_each_group(
    n: int, group: int, layout: torch.memory_format
) -> None:
    maps = torch.randn(n, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    found = MinibatchDeviation()(maps.contiguous(memory_format=layout))
    assert found.shape == (n, 1)
    for begin in range(0, n, group):
        part = maps[begin : begin + group]
        expected = part.std(0, unbiased=False).mean().item()
        torch.testing.assert_close(
            found[begin : begin + group], torch.full((group, 1), expected), rtol=1e-4, atol=2e-4
        )


def test_the_same_picture_again_and_again_gives_nothing() -> None:
    same = torch.randn(1, 3, 4, 4).expand(8, -1, -1, -1)
    assert MinibatchDeviation()(same).max() < 1e-3


def test_gradients_are_finite_where_all_pictures_are_equal() -> None:
    same = torch.ones(4, 2, 4, 4, requires_grad=True)
    MinibatchDeviation()(same).sum().backward()
    assert same.grad is not None
    assert same.grad.isfinite().all()
