"""Noise maps: a part of the latent, so that a latent is one picture."""

from __future__ import annotations

import pytest
import torch

from facegan.data.spec import ImageSpec, Label
from facegan.networks.ignm import IgnmGenerator, IgnmGeneratorConfig
from facegan.networks.interfaces import Latent
from facegan.networks.layers.noise import NoiseMap
from facegan.seeding import image_random

SPECS = [ImageSpec(32), ImageSpec(32, 3, (Label("Smiling", binary=True),))]


def made(spec: ImageSpec, refine: int = 4, open_: bool = True) -> IgnmGenerator:
    """With gains as training opens them."""
    torch.manual_seed(0)
    config = IgnmGeneratorConfig(
        kind="ignm", channels=4, latent=Latent(size=5), refine=refine, noise=True
    )
    network = config.build(spec, "symmetric").eval()
    if open_:
        for module in network.modules():
            if isinstance(module, NoiseMap):
                torch.nn.init.ones_(module.gain)
    return network


def test_a_map_is_added_with_a_gain_for_each_channel() -> None:
    layer = NoiseMap(2, 3)
    with torch.no_grad():
        layer.gain.copy_(torch.tensor([0.5, -2.0]))
    maps, noise = torch.randn(4, 2, 3, 3), torch.randn(4, 9)
    of_maps = noise.view(4, 1, 3, 3)
    expected = torch.cat([maps[:, :1] + 0.5 * of_maps, maps[:, 1:] - 2 * of_maps], 1)
    torch.testing.assert_close(layer(maps, noise), expected)


@pytest.mark.parametrize(("refine", "numbers"), [(4, 64 + 256 + 1024), (0, 64 + 256)])
def test_every_doubling_has_a_map(refine: int, numbers: int) -> None:
    network = made(ImageSpec(32), refine)
    assert network.noise == numbers
    assert network.draw(image_random(3), 2).shape == (2, 5 + numbers)


@pytest.mark.parametrize("spec", SPECS, ids=["plain", "labels"])
def test_a_latent_is_one_picture_and_other_noise_another(spec: ImageSpec) -> None:
    network = made(spec)
    z = network.draw(image_random(3), 1)
    assert torch.equal(z[:, :5], network.latent.draw(image_random(3), 1))
    other = z.clone()
    other[:, 5:] = network.draw(image_random(4), 1)[:, 5:]
    with torch.no_grad():
        picture = network(z)
        assert torch.equal(network(z), picture)
        assert not torch.equal(network(other), picture)
        silent = torch.cat([z[:, :5], torch.zeros(1, network.noise)], 1)
        assert torch.equal(network(z[:, :5]), network(silent))


def test_at_first_there_is_none() -> None:
    network = made(ImageSpec(32), open_=False)
    z = network.draw(image_random(3), 1)
    with torch.no_grad():
        assert torch.equal(network(z), network(z[:, :5]))


def test_each_map_reaches_the_picture() -> None:
    network = made(ImageSpec(32))
    z = network.draw(image_random(3), 1).requires_grad_()
    network(z).square().sum().backward()
    assert z.grad is not None
    for part in z.grad[0, 5:].split([64, 256, 1024]):
        # A place where the ReLU of every channel is closed has none.
        assert (part != 0).float().mean() > 0.3
