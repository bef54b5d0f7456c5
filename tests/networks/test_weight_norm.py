"""Weight normalisation: lengths, invariance, and signals that keep their size."""

from __future__ import annotations

import torch
from torch import nn

from facegan.networks.layers.weight_norm import leaky_gain, weight_norm


def test_every_output_has_the_gain_for_its_length() -> None:
    torch.manual_seed(0)
    network = weight_norm(nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(5, 2)), 1.5)
    for layer in (network[0], network[2]):
        lengths = layer.weight.flatten(1).norm(dim=1)
        torch.testing.assert_close(lengths, torch.full_like(lengths, 1.5))


def test_the_length_of_what_learns_changes_nothing() -> None:
    torch.manual_seed(0)
    layer = weight_norm(nn.Linear(4, 3))
    x = torch.randn(2, 4)
    before = layer(x)
    original = layer.parametrizations.weight.original
    with torch.no_grad():
        original.mul_(torch.tensor([[0.1], [3.0], [70.0]]))
    torch.testing.assert_close(layer(x), before)
    layer(x).sum().backward()
    # So its gradient is across it.
    assert (original.grad * original).sum(1).abs().max() < 1e-5


def test_signals_keep_their_size_through_leaky_layers() -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(8):
        layers += [nn.Conv2d(64, 64, 1), nn.LeakyReLU(0.2)]
    network = weight_norm(nn.Sequential(*layers), leaky_gain(0.2))
    with torch.no_grad():
        found = network(torch.randn(8, 64, 8, 8)).square().mean()
    assert 0.3 < found < 3


def test_it_can_be_saved_and_loaded() -> None:
    torch.manual_seed(0)
    one, other = (weight_norm(nn.Linear(4, 3)) for _ in range(2))
    x = torch.randn(2, 4)
    assert not torch.equal(one(x), other(x))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x), other(x))
