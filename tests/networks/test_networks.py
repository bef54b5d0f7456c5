"""What holds for every network; a new one is covered by its entries in TINY and SUPPORTED."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.networks import DISCRIMINATORS, GENERATORS
from facegan.networks.dcgan import RESOLUTIONS, DcganDiscriminatorConfig, DcganGeneratorConfig
from facegan.networks.interfaces import Discriminator, Generator, Latent, parameter_count
from facegan.networks.layers.heads import HeadsConfig
from facegan.networks.mlp import MlpDiscriminatorConfig, MlpGeneratorConfig

TINY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mlp": ({"hidden": (8, 6)}, {"hidden": (8, 6)}),
    "dcgan": ({"channels": 2}, {"channels": 2}),
    "resnet": ({"channels": 8, "widest": 2}, {"channels": 8, "widest": 2}),
    "r3gan": ({"channels": 16, "group": 2}, {"channels": 16, "group": 2}),
    "ignm": ({"channels": 4, "modulate": True}, {"channels": 4, "heads": HeadsConfig(hidden=8)}),
    "features": ({"channels": 2}, {"channels": 2, "pixels": 2}),
}
SUPPORTED = {
    "mlp": (1, 32, 45),
    "dcgan": RESOLUTIONS,
    "resnet": (32, 64, 128),
    "r3gan": (8, 32, 64, 128),
    "ignm": (32, 64, 128),
    "features": (32, 64),
}
LATENT = Latent(size=5)
CASES = [
    pytest.param(kind, ImageSpec(resolution, channels), id=f"{kind}-{resolution}-{channels}")
    for kind in DISCRIMINATORS
    for resolution in SUPPORTED.get(kind, ())
    for channels in (1, 3)
]


def build(kind: str, spec: ImageSpec, range_: str = "symmetric") -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    made = kind if kind in GENERATORS else "dcgan"
    generator, discriminator = GENERATORS[made], DISCRIMINATORS[kind]
    options = TINY[kind]
    return (
        generator(kind=made, latent=LATENT, **options[0]).build(spec, range_),
        discriminator(kind=kind, **options[1]).build(spec, range_),
    )


def latents(n: int = 4) -> torch.Tensor:
    return torch.randn(n, LATENT.size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", [*GENERATORS, *DISCRIMINATORS])
def test_every_network_has_its_entries(kind: str) -> None:
    for name, table in (("TINY", TINY), ("SUPPORTED", SUPPORTED)):
        assert kind in table, (
            f"{kind!r} is registered and has no entry in this file's {name}: give it one (small "
            "options, resolutions), and all tests here cover it."
        )


@pytest.mark.parametrize(("kind", "spec"), CASES)
def test_shapes_and_gradients(kind: str, spec: ImageSpec) -> None:
    generator, discriminator = build(kind, spec)
    images = generator(latents())
    assert images.shape == (4, spec.channels, spec.resolution, spec.resolution)
    logits = discriminator(images)
    assert logits.shape == (4,)
    assert discriminator(images[:1].detach()).shape == (1,)
    logits.square().sum().backward()
    for network in (generator, discriminator):
        assert network.spec == spec
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_every_parameter_matters(kind: str) -> None:
    """A gradient of exactly zero everywhere would be a weight that nothing depends on."""
    generator, discriminator = build(kind, ImageSpec(32))
    with torch.no_grad():
        for parameter in (*generator.parameters(), *discriminator.parameters()):
            if not parameter.any():  # some branches begin closed, and open after one step
                parameter.normal_(0, 0.1)
    discriminator(generator(latents(16))).square().sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize(("range_", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1)])
def test_output_fills_its_range(kind: str, range_: str, low: float, high: float) -> None:
    generator, _ = build(kind, ImageSpec(32), range_)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(50)
        images = generator(latents())
    assert low <= images.min() < low + 0.01
    assert high - 0.01 < images.max() <= high


@pytest.mark.parametrize("kind", GENERATORS)
def test_standard_range_is_unbounded(kind: str) -> None:
    generator, _ = build(kind, ImageSpec(32), "standard")
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(50)
        images = generator(latents())
    assert images.min() < -1.5
    assert images.max() > 1.5


@pytest.mark.parametrize("kind", GENERATORS)
def test_in_evaluation_an_image_is_independent_of_its_batch(kind: str) -> None:
    generator, _ = build(kind, ImageSpec(32))
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(10)  # otherwise the first pictures are all but grey
    generator(latents(64))  # gives batch-norm statistics of its own to the generator
    generator.eval()
    with torch.no_grad():
        together = generator(latents(4))
        replaced = latents(4)
        replaced[1:] *= 9
        alone = generator(replaced)
    torch.testing.assert_close(together[0], alone[0], rtol=0, atol=1e-5)
    assert not torch.allclose(together[1], alone[1], atol=1e-3)


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_initial_weights_depend_on_the_seed_alone(kind: str) -> None:
    first, again = build(kind, ImageSpec(32)), build(kind, ImageSpec(32))
    for one, other in zip(first, again, strict=True):
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
            assert torch.equal(a, b)


def test_parameter_counts_of_the_papers() -> None:
    """DCGAN at 64 pixels with 64 channels and 100 latents, layer by layer."""
    generator = DcganGeneratorConfig(kind="dcgan").build(ImageSpec(64), "symmetric")
    kernels = 16 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert parameter_count(generator) == kernels + 2 * (512 + 256 + 128 + 64) + 3 == 3_576_707
    discriminator = DcganDiscriminatorConfig(kind="dcgan").build(ImageSpec(64), "symmetric")
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    assert parameter_count(discriminator) == kernels + 64 + 2 * (128 + 256 + 512) + 1 == 2_765_633


def test_parameter_counts_of_the_tables() -> None:
    spec = ImageSpec(64)
    generator = MlpGeneratorConfig(kind="mlp").build(spec, "unit")
    widths = (128, 256, 128, 64, 64 * 64 * 3)
    assert parameter_count(generator) == affine(widths) == 872_896
    discriminator = MlpDiscriminatorConfig(kind="mlp").build(spec, "unit")
    assert parameter_count(discriminator) == affine((64 * 64 * 3, 256, 64, 16, 1)) == 3_163_489


def affine(widths: tuple[int, ...]) -> int:
    return sum((a + 1) * b for a, b in pairwise(widths))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_grows_by_a_layer_for_each_doubling(resolution: int, channels: int) -> None:
    generator, discriminator = build("dcgan", ImageSpec(resolution, channels))
    levels = resolution.bit_length() - 3
    widths = [2 * min(2**level, 16) for level in range(levels)]
    inner = sum(16 * a * b for a, b in pairwise(widths))
    edge = 16 * widths[0] * channels
    assert parameter_count(generator) == (
        16 * LATENT.size * widths[-1] + inner + edge + 2 * sum(widths) + channels
    )
    assert parameter_count(discriminator) == (
        edge + widths[0] + inner + 2 * sum(widths[1:]) + 16 * widths[-1] + 1
    )


@pytest.mark.parametrize("resolution", [1, 16, 33, 48, 125, 512])
def test_dcgan_refuses_other_resolutions(resolution: int) -> None:
    for build_one in (
        lambda: DcganGeneratorConfig(kind="dcgan").build(ImageSpec(resolution), "symmetric"),
        lambda: DcganDiscriminatorConfig(kind="dcgan").build(ImageSpec(resolution), "symmetric"),
    ):
        with pytest.raises(RecipeError, match=f"{resolution}×{resolution}") as caught:
            build_one()
        assert "32, 64, 128, 256" in caught.value.hint
        assert "gan" in caught.value.hint


def test_dcgan_is_as_its_paper() -> None:
    """Section 4, and the guidelines of section 3."""
    torch.manual_seed(0)
    generator = DcganGeneratorConfig(kind="dcgan").build(ImageSpec(64), "symmetric")
    discriminator = DcganDiscriminatorConfig(kind="dcgan").build(ImageSpec(64), "symmetric")
    assert isinstance(discriminator.heads.logit, nn.Linear)  # a 4×4 convolution of 4×4 maps
    for network in (generator, discriminator.layers):
        assert not any(isinstance(m, nn.Linear | nn.MaxPool2d) for m in network.modules())
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
    slopes = [m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 4
    norms = [m for m in discriminator.layers if isinstance(m, nn.BatchNorm2d)]
    assert [m.num_features for m in norms] == [128, 256, 512]  # not after the first layer
    norms = [m for m in generator.layers if isinstance(m, nn.BatchNorm2d)]
    assert [m.num_features for m in norms] == [512, 256, 128, 64]  # not at the output
    assert isinstance(generator.layers[-1], nn.Tanh)
