"""R3GAN's networks (Huang, Gokaslan, Kuleshov & Tompkin 2024, arXiv:2501.05441, config E).

Residual blocks of an inverted bottleneck with a grouped 3×3 convolution in the middle, no
normalisation anywhere, weights scaled so that the depth of the stack does not matter when
training begins (Fixup; Zhang, Dauphin & Ma 2019), resampling with a [1, 2, 1] low-pass, and
in the place of a first and a last dense layer a learned basis of 4×4 patterns.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.config import Config
from facegan.data.pixels import Range
from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.networks.interfaces import (
    DISCRIMINATORS,
    GENERATORS,
    Discriminator,
    DiscriminatorConfig,
    Generator,
    GeneratorConfig,
    Latent,
    Width,
    output_activation,
)
from facegan.networks.layers.heads import Heads, HeadsConfig
from facegan.networks.layers.resample import Downsample, Upsample
from facegan.networks.resolutions import require_resolution

_SLOPE = 0.2
# Keeps the variance through a leaky ReLU of that slope (He et al. 2015).
_GAIN = math.sqrt(2 / (1 + _SLOPE**2))
# Layers in a residual branch.
_DEPTH = 3

RESOLUTIONS = (8, 16, 32, 64, 128, 256, 512)


class _Shape(Config):
    """What both networks have.

    Attributes:
        channels: of the maps from 4×4 to `wide_to`; half as many at each resolution beyond.
            768 is the published size for FFHQ.
        wide_to: 32×32 as published. Less makes the maps of high resolution thinner, where
            a processor would spend nearly all of its time.
        group: channels in a group of the 3×3 convolutions.
        blocks: residual blocks at each resolution.
        expansion: of the bottleneck: its channels over the block's.
    """

    channels: Width = 768
    wide_to: Literal[4, 8, 16, 32] = 32
    group: Width = 16
    blocks: Annotated[int, Field(ge=1, le=16)] = 2
    expansion: Annotated[int, Field(ge=1, le=8)] = 2

    def widths(self, spec: ImageSpec) -> list[int]:
        """Channels at 4×4, 8×8, …, up to the resolution of the data."""
        require_resolution("r3gan", spec.resolution, RESOLUTIONS)
        levels = range((spec.resolution // 4).bit_length())
        wide_to = self.wide_to
        widths = [self.channels * wide_to // max(4 * 2**level, wide_to) for level in levels]
        for width in widths:
            if width == 0 or width * self.expansion % self.group:
                raise RecipeError(
                    f"r3gan: {width} channels, expanded {self.expansion} times, do not divide "
                    f"into groups of {self.group}.",
                    "Choose channels or a group that do, at every resolution.",
                )
        return widths


@GENERATORS.register
class R3ganGeneratorConfig(_Shape, GeneratorConfig):
    """Options of the R3GAN generator; see `_Shape` for the rest.

    Attributes:
        latent: distribution of z; the paper's is 64 normal numbers.
    """

    kind: Literal["r3gan"]
    latent: Latent = Latent(size=64)

    def build(self, spec: ImageSpec, range: Range) -> R3ganGenerator:
        """The network for images of this shape."""
        return R3ganGenerator(self, spec, range)


@DISCRIMINATORS.register
class R3ganDiscriminatorConfig(_Shape, DiscriminatorConfig):
    """Options of the R3GAN discriminator; see `_Shape` for the rest.

    Attributes:
        heads: what it says of its features, besides a logit.
    """

    kind: Literal["r3gan"]
    heads: HeadsConfig = HeadsConfig()

    def build(self, spec: ImageSpec, range: Range) -> R3ganDiscriminator:
        """The network for images of this shape, in any range."""
        return R3ganDiscriminator(self, spec)


class _Bias(nn.Module):
    """A number for each channel, which the convolution before it adds, then the leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, before: nn.Conv2d) -> Tensor:
        y = F.conv2d(x, before.weight, self.bias, 1, before.padding, 1, before.groups)
        return F.leaky_relu(y, _SLOPE, inplace=True)


class ResidualBlock(nn.Module):
    """x + W₃ φ(W₂ φ(W₁ x)): 1×1 wider, 3×3 in groups, 1×1 back; φ adds biases first."""

    def __init__(self, width: int, expansion: int, group: int, stack: int) -> None:
        """`stack`: how many such blocks stand one after the other in the network."""
        super().__init__()
        wide = width * expansion
        # Fixup: L^(−1/(2m − 2)) for m layers in each of L branches; the last one is zero.
        gain = _GAIN * stack ** (-1 / (2 * _DEPTH - 2))
        self.branch = nn.ModuleList(
            (
                _convolution(width, wide, 1, gain=gain),
                _Bias(wide),
                _convolution(wide, wide, 3, gain=gain, groups=wide // group),
                _Bias(wide),
                _convolution(wide, width, 1, gain=0.0),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → the same shape."""
        wider, first, grouped, second, back = self.branch
        return x + back(second(first(x, wider), grouped))


def _blocks(config: _Shape, width: int, levels: int) -> list[nn.Module]:
    """The residual blocks of one resolution, of so many levels in all."""
    stack = config.blocks * levels
    return [
        ResidualBlock(width, config.expansion, config.group, stack) for _ in range(config.blocks)
    ]


def _convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    gain: float = 1.0,
    groups: int = 1,
) -> nn.Conv2d:
    """Without bias, weights from N(0, gain² / fan-in)."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    return layer


class R3ganGenerator(Generator):
    """z → weights of learned 4×4 patterns → residual blocks, doubling the resolution → image."""

    def __init__(self, config: R3ganGeneratorConfig, spec: ImageSpec, range: Range) -> None:
        super().__init__(config.latent, spec)
        widths = config.widths(spec)
        self.basis = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.weights = nn.Linear(self.inputs, widths[0], bias=False)
        nn.init.normal_(self.weights.weight, 0.0, 1 / math.sqrt(self.inputs))
        layers: list[nn.Module] = []
        for level, width in enumerate(widths):
            if level:
                before = widths[level - 1]
                if before != width:
                    layers.append(_convolution(before, width, 1))
                layers.append(Upsample())
            layers += _blocks(config, width, len(widths))
        layers += [_convolution(widths[-1], spec.channels, 1), output_activation(range)]
        self.layers = nn.Sequential(*layers)

    def synthesise(self, code: Tensor) -> Tensor:
        """See `Generator.synthesise`."""
        return self.layers(self.weights(code)[:, :, None, None] * self.basis)


class R3ganDiscriminator(Discriminator):
    """The generator's mirror image, down to a logit."""

    def __init__(self, config: R3ganDiscriminatorConfig, spec: ImageSpec) -> None:
        super().__init__(spec)
        widths = config.widths(spec)[::-1]
        layers: list[nn.Module] = [_convolution(spec.channels, widths[0], 1)]
        for level, width in enumerate(widths):
            if level:
                before = widths[level - 1]
                layers.append(Downsample())
                if before != width:
                    layers.append(_convolution(before, width, 1))
            layers += _blocks(config, width, len(widths))
        self.layers = nn.Sequential(*layers)
        last = widths[-1]
        self.basis = nn.Parameter(torch.randn(last, 4, 4) / 4)
        self.heads = Heads(config.heads, spec, last, bias=False)
        for logit in self.heads.logit.modules():
            if isinstance(logit, nn.Linear) and logit.out_features == 1:
                nn.init.normal_(logit.weight, 0.0, 1 / math.sqrt(logit.in_features))

    def features(self, images: Tensor) -> Tensor:
        """See `Discriminator.features`."""
        return (self.layers(images) * self.basis).sum((2, 3))
