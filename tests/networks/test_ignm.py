"""IGNM's networks: every part that the paper names has its switch, and does what it says."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import nn

from facegan.data.spec import ImageSpec, Label
from facegan.errors import RecipeError
from facegan.networks.ignm import IgnmDiscriminatorConfig, IgnmGeneratorConfig
from facegan.networks.interfaces import Latent, parameter_count
from facegan.networks.layers.activation import Activate, Activation
from facegan.networks.layers.attention import SelfAttention
from facegan.networks.layers.emphasis import Emphasis
from facegan.networks.layers.heads import HeadsConfig
from facegan.networks.layers.modulation import SelfModulation
from facegan.networks.layers.norm import BatchNorm2d
from facegan.networks.layers.spectral import SpectralNorm
from facegan.networks.layers.weight_norm import WeightNorm
from facegan.networks.mlp import MlpDiscriminatorConfig, MlpGeneratorConfig

SPEC = ImageSpec(32)
PLAIN: dict[str, Any] = {"skips": False, "pyramid": False, "heads": HeadsConfig()}


def generator(**options: Any) -> nn.Module:
    config = IgnmGeneratorConfig(kind="ignm", channels=8, latent=Latent(size=5), **options)
    return config.build(SPEC, "symmetric")


def discriminator(**options: Any) -> nn.Module:
    config = IgnmDiscriminatorConfig(kind="ignm", channels=8, **(PLAIN | options))
    return config.build(SPEC, "symmetric")


def of_size_one(network: nn.Module) -> int:
    """1×1 convolutions outside self-attention."""
    inside = {m for a in network.modules() if isinstance(a, SelfAttention) for m in a.modules()}
    return sum(
        isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1) and m not in inside
        for m in network.modules()
    )


def test_skips() -> None:
    """One beside each strided convolution but the first of D and the last of G."""
    assert of_size_one(generator(skips=True)) == of_size_one(discriminator(skips=True)) == 2
    assert of_size_one(generator(skips=False)) == of_size_one(discriminator()) == 0


@pytest.mark.parametrize("attention", [8, 16])
def test_attention_is_on_maps_of_that_resolution(attention: int) -> None:
    networks = (
        (generator(attention=attention), torch.randn(2, 5)),
        (discriminator(attention=attention), torch.randn(2, 3, 32, 32)),
    )
    for network, given in networks:
        seen: list[torch.Size] = []
        (layer,) = (m for m in network.modules() if isinstance(m, SelfAttention))
        layer.register_forward_pre_hook(lambda m, x, seen=seen: seen.append(x[0].shape))
        network(given)
        assert [shape[2:] for shape in seen] == [(attention, attention)]


def test_pyramid_adds_the_means_of_quarters_and_of_all() -> None:
    torch.manual_seed(0)
    critic = discriminator(pyramid=True)
    images = torch.randn(2, 3, 32, 32)
    maps = critic.layers(images)  # [2, 32, 4, 4]
    features = critic.features(images)
    assert features.shape == (2, 32 * (16 + 4 + 1))
    torch.testing.assert_close(features[:, : 32 * 16], maps.flatten(1))
    torch.testing.assert_close(features[:, -32:], maps.mean((2, 3)))
    quarters = features[:, 32 * 16 : 32 * 20].view(2, 32, 2, 2)
    torch.testing.assert_close(quarters[:, :, 0, 1], maps[:, :, :2, 2:].mean((2, 3)))


def test_pools_have_the_sizes_and_the_kind_asked_for() -> None:
    torch.manual_seed(0)
    critic = discriminator(pyramid=True, pools=(3,), pooling="max", skips=True)
    images = torch.randn(2, 3, 32, 32)
    maps, features = critic.layers(images), critic.features(images)
    assert features.shape == (2, 32 * (16 + 9))
    thirds = features[:, 32 * 16 :].view(2, 32, 3, 3)
    torch.testing.assert_close(thirds[:, :, 0, 0], maps[:, :, :2, :2].amax((2, 3)))
    block = critic.layers[1]
    x = torch.randn(2, 8, 16, 16)
    beside = block.skip(x.unflatten(2, (8, 2)).unflatten(4, (8, 2)).amax((3, 5)))
    found = block(x)
    again = torch.nn.functional.leaky_relu(block.norm(block.strided(x)) + beside, 0.2)
    torch.testing.assert_close(found, again)


ACTIVATIONS = {
    "relu": torch.relu,
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.2 * x),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "tanh": torch.tanh,
    "swish": lambda x: x / (1 + torch.exp(-x)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_by_name(name: Any) -> None:
    assert set(get_args(Activation)) == set(ACTIVATIONS)
    x = torch.linspace(-3, 3, 13)
    torch.testing.assert_close(Activate(name)(x.clone()), ACTIVATIONS[name](x))
    parts = [
        module
        for network in (generator(activation=name, refine=4), discriminator(activation=name))
        for module in network.modules()
        if isinstance(module, Activate)
    ]
    assert len(parts) == 1 + 3 + 3
    assert {part.name for part in parts} == {name}
    # In place or not, gradients are the same, and a second one exists.
    weights = torch.randn(13, requires_grad=True)
    for inplace in (True, False):
        y = Activate(name, inplace=inplace)(weights * x)
        (first,) = torch.autograd.grad(y.sum(), weights, create_graph=True)
        expected = torch.autograd.grad(ACTIVATIONS[name](weights * x).sum(), weights)[0]
        torch.testing.assert_close(first, expected)
        if name in ("sigmoid", "tanh", "swish"):
            (second,) = torch.autograd.grad(first.sum(), weights)
            assert second.abs().sum() > 0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_fully_connected_networks_take_them_too(name: Any) -> None:
    first = MlpGeneratorConfig(kind="mlp", hidden=(7,), activation=name).build(SPEC, "symmetric")
    second = MlpDiscriminatorConfig(kind="mlp", hidden=(7,), activation=name).build(SPEC, "unit")
    z, images = torch.randn(2, 128), torch.randn(2, 3, 32, 32)
    hidden = ACTIVATIONS[name](first.layers[0](z))
    torch.testing.assert_close(first(z).flatten(1), torch.tanh(first.layers[2](hidden)))
    torch.testing.assert_close(
        second.features(images), ACTIVATIONS[name](second.layers[0](images.flatten(1)))
    )


def test_refinement_ends_in_a_convolution_at_the_images_own_resolution() -> None:
    refined, straight = generator(refine=6), generator()
    convolution = refined.layers[-2]
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.weight.shape == (3, 6, 3, 3)
    assert refined(torch.randn(2, 5)).shape == straight(torch.randn(2, 5)).shape == (2, 3, 32, 32)


def modulations(network: nn.Module) -> list[SelfModulation]:
    return [m for m in network.modules() if isinstance(m, SelfModulation)]


def test_modulation_is_a_scale_and_a_shift_by_z_for_each_channel() -> None:
    torch.manual_seed(0)
    layer = SelfModulation(latent=2, labels=0, channels=3)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.arange(12.0).view(6, 2))
        layer.linear.bias.copy_(torch.tensor([0.0, 0.0, 1.0, -1.0, 0.0, 0.0]))
    maps, z = torch.randn(2, 3, 4, 5), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    gain = torch.tensor([[0.0, 2.0, 5.0], [2.0, 6.0, 11.0]])[:, :, None, None]
    shift = torch.tensor([[5.0, 8.0, 10.0], [13.0, 18.0, 22.0]])[:, :, None, None]
    torch.testing.assert_close(layer(maps, z), (1 + gain) * maps + shift)


def test_z_modulates_between_the_first_maps_and_the_last() -> None:
    config = IgnmGeneratorConfig(kind="ignm", channels=8, latent=Latent(size=5), modulate=True)
    channels = [m.linear.out_features // 2 for m in modulations(config.build(SPEC, "symmetric"))]
    assert channels == [16, 8]  # at 8×8 and 16×16
    refined = IgnmGeneratorConfig(**dict(config) | {"refine": 4})
    wide = [m.linear.out_features // 2 for m in modulations(refined.build(SPEC, "symmetric"))]
    assert wide == [16, 8]
    assert not modulations(generator())


def test_z_can_modulate_from_the_first_maps_to_those_of_the_image() -> None:
    found = modulations(generator(modulate="all", refine=4))
    assert sorted(m.linear.out_features // 2 for m in found) == [4, 8, 16, 32]
    assert len(modulations(generator(modulate="all"))) == 3  # no maps of the image's own


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_mapping_is_common_to_all_modulations(layers: int) -> None:
    network = generator(modulate=True, mapping=layers)
    assert [m.linear.in_features for m in modulations(network)] == [128, 128]
    assert len(network.mapping.dense) == layers
    code = torch.randn(500, 5 + 3)
    mapped = network.mapping(code)
    assert torch.equal(mapped[:, 128:], code[:, 5:]), "the labels' embedding stays"
    assert 0.3 < mapped[:, :128].square().mean() / code[:, :5].square().mean() < 3


def test_a_mapping_without_modulation_has_no_use() -> None:
    with pytest.raises(ValueError, match="mapping"):
        IgnmGeneratorConfig(kind="ignm", mapping=2)


@pytest.mark.parametrize("modulate", [False, True])
def test_modulation_is_a_second_way_from_z_to_the_image(modulate: bool) -> None:
    network = generator(modulate=modulate)
    with torch.no_grad():
        network.layers[0].weight.zero_()  # the first way
        network.layers[1].bias.fill_(1.0)
        one, other = network(torch.randn(2, 5))
    assert torch.equal(one, other) != modulate


def test_labels_modulate_beside_z() -> None:
    spec = ImageSpec(32, 3, (Label("Smiling", binary=True),))
    config = IgnmGeneratorConfig(
        kind="ignm", channels=8, latent=Latent(size=5, labels=3), modulate=True
    )
    network = config.build(spec, "symmetric")
    assert [m.labels.in_features for m in modulations(network)] == [3, 3]
    layer, maps = modulations(network)[0], torch.randn(1, 16, 4, 4)
    one, other = torch.randn(1, 8), torch.randn(1, 8)
    with torch.no_grad():
        layer.labels.weight.zero_()
        mixed = torch.cat([one[:, :5], other[:, 5:]], 1)
        assert torch.equal(layer(maps, mixed), layer(maps, one)), "labels took part without weight"
        layer.labels.weight.normal_()
        assert not torch.equal(layer(maps, mixed), layer(maps, one))


def test_normalisation() -> None:
    def count(critic: nn.Module, kind: type) -> int:
        return sum(isinstance(m, kind) for m in critic.modules())

    assert count(discriminator(norm="batch"), BatchNorm2d) == 2
    assert count(discriminator(norm="none"), BatchNorm2d) == 0
    spectral = discriminator(norm="spectral")
    assert count(spectral, BatchNorm2d) == 0
    assert count(spectral, SpectralNorm) == 4  # three convolutions and the logit
    weighted = discriminator(norm="weight")
    assert count(weighted, BatchNorm2d) == 0
    assert count(weighted, WeightNorm) == 4


def test_weight_normalisation_begins_with_logits_as_large_as_batch_normalisations() -> None:
    torch.manual_seed(0)
    images = torch.randn(64, 3, 32, 32)
    spread = {norm: discriminator(norm=norm)(images).std() for norm in ("batch", "weight", "none")}
    assert 0.3 < spread["weight"] / spread["batch"] < 5
    assert spread["none"] < 0.02 * spread["batch"], "what the gain is for"


@pytest.mark.parametrize(
    ("options", "mixes"),
    [
        ({}, True),
        ({"norm": "weight"}, False),
        ({"norm": "spectral"}, False),
        ({"norm": "weight", "deviation": True}, True),
    ],
)
def test_whether_the_other_images_of_a_batch_matter(options: dict[str, Any], mixes: bool) -> None:
    torch.manual_seed(0)
    assert IgnmDiscriminatorConfig(kind="ignm", **options).mixes_batch == mixes
    critic = discriminator(**options)
    images = torch.randn(4, 3, 32, 32)
    others = torch.cat([images[:1], images[1:] * 3])
    with torch.no_grad():
        same = torch.allclose(critic(images)[0], critic(others)[0], atol=1e-6)
    assert same != mixes


def test_a_discriminators_refinement_sees_the_image_at_its_own_resolution() -> None:
    seen: list[torch.Size] = []
    critic = discriminator(refine=6)
    critic.layers[1].register_forward_pre_hook(lambda m, x: seen.append(x[0].shape))
    critic(torch.randn(2, 3, 32, 32))
    assert seen == [(2, 6, 32, 32)]
    assert critic.layers[0].convolution.weight.shape == (6, 3, 3, 3)


def test_emphasis_comes_before_all_layers() -> None:
    torch.manual_seed(0)
    loud = discriminator(highpass=4.0)
    torch.manual_seed(0)
    plain = discriminator()
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(loud(images), plain(Emphasis(4.0)(images)))
    assert not torch.allclose(loud(images), plain(images))


def test_a_hidden_layer_and_deviation_widen_the_heads() -> None:
    hidden = discriminator(heads=HeadsConfig(hidden=7))
    assert parameter_count(hidden.heads) == (512 + 1) * 7 + 7 + 1
    assert parameter_count(discriminator(deviation=True).heads) == 512 + 1 + 1


@pytest.mark.parametrize(
    ("options", "said"),
    [({"attention": 32}, "32×32 maps"), ({"attention": 16, "channels": 6}, "multiple of 8")],
)
def test_what_cannot_be_built(options: dict[str, Any], said: str) -> None:
    for config in (IgnmGeneratorConfig, IgnmDiscriminatorConfig):
        with pytest.raises(RecipeError) as caught:
            config(kind="ignm", **options).build(SPEC, "symmetric")
        assert said in str(caught.value)
