"""WGAN-GP, SNGAN, SAGAN and R3GAN: sizes, resampling, attention, and what their papers say."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.networks.interfaces import parameter_count
from facegan.networks.layers.attention import SelfAttention
from facegan.networks.layers.resample import Downsample, Upsample
from facegan.networks.r3gan import R3ganDiscriminatorConfig, R3ganGeneratorConfig
from facegan.networks.resnet import ResnetDiscriminatorConfig, ResnetGeneratorConfig
from facegan.recipe import Recipe


def test_r3gan_has_the_published_number_of_parameters() -> None:
    """FFHQ at 256×256: 23.06 and 23.01 million."""
    with torch.device("meta"):
        generator = R3ganGeneratorConfig(kind="r3gan").build(ImageSpec(256), "symmetric")
        discriminator = R3ganDiscriminatorConfig(kind="r3gan").build(ImageSpec(256), "symmetric")
    assert round(parameter_count(generator) / 1e6, 2) == 23.06
    assert round(parameter_count(discriminator) / 1e6, 2) == 23.01


def test_r3gan_begins_as_a_stack_of_identities() -> None:
    """Each branch ends in zeros, so the blocks pass on what they get; and the scale is right."""
    torch.manual_seed(0)
    config = R3ganGeneratorConfig(kind="r3gan", channels=64)
    generator = config.build(ImageSpec(32), "standard")
    z = torch.randn(64, 64)
    images = generator(z)
    assert 0.3 < images.std() < 3
    for block in generator.layers:
        if hasattr(block, "branch"):
            x = torch.randn(2, block.branch[0].in_channels, 4, 4)
            torch.testing.assert_close(block(x), x)
    config = R3ganDiscriminatorConfig(kind="r3gan", channels=64)
    discriminator = config.build(ImageSpec(32), "symmetric")
    assert 0.05 < discriminator(torch.randn(256, 3, 32, 32)).std() < 5


def test_wgan_gp_at_64_pixels_layer_by_layer() -> None:
    recipe = Recipe.load("wgan-gp")
    with torch.device("meta"):
        generator = recipe.generator.build(ImageSpec(64), "symmetric")
        critic = recipe.discriminator.build(ImageSpec(64), "symmetric")

    def conv(inputs: int, outputs: int, kernel: int) -> int:
        return inputs * outputs * kernel**2 + outputs

    def block(inputs: int, outputs: int) -> int:
        convolutions = conv(inputs, outputs, 3) + conv(outputs, outputs, 3)
        return convolutions + conv(inputs, outputs, 1) + 2 * inputs + 2 * outputs

    up = block(512, 512) + block(512, 256) + block(256, 128) + block(128, 64)
    assert parameter_count(generator) == 129 * 8192 + up + 2 * 64 + conv(64, 3, 3)
    down = block(64, 128) - 2 * 64 + block(128, 256) + block(256, 512) + block(512, 512)
    # The stem's output passes its first block's norm too; after the last comes one more.
    assert parameter_count(critic) == conv(3, 64, 3) + down + 2 * 64 + 2 * 512 + 8193


def test_sagan_normalises_every_weight_and_attends_at_32() -> None:
    recipe = Recipe.load("sagan")
    with torch.device("meta"):
        networks = (
            recipe.generator.build(ImageSpec(64), "symmetric"),
            recipe.discriminator.build(ImageSpec(64), "symmetric"),
        )
    for network in networks:
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert layers
        assert all(hasattr(layer, "parametrizations") for layer in layers)
        assert sum(isinstance(m, SelfAttention) for m in network.modules()) == 1


def test_attention_is_the_formula_and_begins_as_the_identity() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(16), torch.randn(2, 16, 4, 6)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.gamma.fill_(0.7)
    query = torch.einsum("oc,nchw->nohw", layer.query.weight[:, :, 0, 0], x)
    key = F.max_pool2d(torch.einsum("oc,nchw->nohw", layer.key.weight[:, :, 0, 0], x), 2)
    value = F.max_pool2d(torch.einsum("oc,nchw->nohw", layer.value.weight[:, :, 0, 0], x), 2)
    energy = torch.einsum("nchw,ncij->nhwij", query, key).exp()
    weights = energy / energy.sum((3, 4), keepdim=True)
    seen = torch.einsum("nhwij,ncij->nchw", weights, value)
    expected = x + 0.7 * torch.einsum("oc,nchw->nohw", layer.out.weight[:, :, 0, 0], seen)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_resampling_is_the_filter_1_2_1(layout: torch.memory_format) -> None:
    """In both forms: the layout decides which one is taken."""
    x = torch.randn(2, 2, 8, 12, dtype=torch.float64).contiguous(memory_format=layout)
    kernel = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
    weight = (kernel[:, None] * kernel).expand(2, 1, 3, 3)
    torch.testing.assert_close(Downsample()(x), F.conv2d(x, weight, stride=2, padding=1, groups=2))
    up = Upsample()(x)
    assert torch.equal(up[..., ::2, ::2], x)
    torch.testing.assert_close(up[..., 0, 1:-1:2], (x[..., 0, :-1] + x[..., 0, 1:]) / 2)
    flat = torch.full((1, 1, 4, 4), 3.0)
    assert torch.equal(Upsample()(flat), torch.full((1, 1, 8, 8), 3.0))
    smooth = Upsample()(torch.arange(6.0).expand(1, 1, 6, 6))
    assert math.isclose(smooth[0, 0, 4, 5].item(), 2.5)
    for layer in (Downsample(), Upsample()):
        assert layer(x).is_contiguous(memory_format=layout)
        inputs = x[:1, :, :4, :4].contiguous(memory_format=layout).requires_grad_()
        assert torch.autograd.gradcheck(layer, (inputs,))
        assert torch.autograd.gradgradcheck(layer, (inputs,))


@pytest.mark.parametrize("norm", [None, "layer"])
@pytest.mark.parametrize("stem", [True, False])
@pytest.mark.parametrize("head", ["dense", "sum"])
def test_a_residual_critic_judges_each_picture_alone(norm: str, stem: bool, head: str) -> None:
    """As a gradient penalty on each sample needs."""
    torch.manual_seed(0)
    config = ResnetDiscriminatorConfig(
        kind="resnet", channels=8, widest=2, norm=norm, stem=stem, head=head, attention=16
    )
    critic = config.build(ImageSpec(32), "symmetric")
    images = torch.randn(5, 3, 32, 32)
    torch.testing.assert_close(critic(images)[:2], critic(images[:2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: ResnetGeneratorConfig(kind="resnet").build(ImageSpec(48), "unit"), "48×48"),
        (
            lambda: ResnetDiscriminatorConfig(kind="resnet", attention=32).build(
                ImageSpec(32), "unit"
            ),
            "32×32",
        ),
        (lambda: R3ganGeneratorConfig(kind="r3gan").build(ImageSpec(48), "unit"), "48×48"),
        (
            lambda: R3ganDiscriminatorConfig(kind="r3gan", channels=20).build(
                ImageSpec(32), "unit"
            ),
            "groups of 16",
        ),
    ],
)
def test_what_does_not_fit_is_refused(build: object, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as refused:
        build()  # type: ignore[operator]
    assert refused.value.hint


def test_r3gans_tensors_keep_their_names() -> None:
    """So that files of earlier versions load, although biases are added by the convolutions."""
    from facegan.networks.r3gan import ResidualBlock

    torch.manual_seed(0)
    block = ResidualBlock(8, expansion=2, group=4, stack=4)
    names = ["branch.0.weight", "branch.1.bias", "branch.2.weight", "branch.3.bias"]
    assert list(block.state_dict()) == [*names, "branch.4.weight"]
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    w = block.state_dict()
    x = torch.randn(2, 8, 5, 5)
    y = F.conv2d(x, w["branch.0.weight"]) + w["branch.1.bias"][:, None, None]
    y = F.conv2d(F.leaky_relu(y, 0.2), w["branch.2.weight"], padding=1, groups=4)
    y = F.leaky_relu(y + w["branch.3.bias"][:, None, None], 0.2)
    torch.testing.assert_close(block(x), x + F.conv2d(y, w["branch.4.weight"]))
