"""Gradients arrive in the layout of the maps, and are those of a plain flatten."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from facegan.networks.layers.layout import flattened


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_gradient_lies_as_the_maps_do(layout: torch.memory_format) -> None:
    maps = torch.randn(2, 3, 4, 4).contiguous(memory_format=layout).requires_grad_()
    inner = maps * 1.0
    seen: list[Tensor] = []
    inner.register_hook(seen.append)
    flat = flattened(inner)
    assert torch.equal(flat, inner.flatten(1))
    weight = torch.randn_like(flat)
    (flat * weight).sum().backward()
    assert torch.equal(seen[0], weight.view(2, 3, 4, 4))
    assert seen[0].is_contiguous(memory_format=layout)


def test_it_can_be_differentiated_twice() -> None:
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    maps = maps.contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: flattened(x).sin(), (maps,))
