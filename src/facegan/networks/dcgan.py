"""DCGAN (Radford, Metz & Chintala, 2016, arXiv:1511.06434).

Strided convolutions instead of pooling, batch normalisation everywhere except at the
generator's output and the discriminator's input, ReLU in G, LeakyReLU 0.2 in D, weights
from N(0, 0.02²). Kernels of 4, as in the authors' released code. Any power of two from 32
to 256: each doubling of the resolution adds one layer to both networks.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from facegan.data.pixels import Range
from facegan.data.spec import ImageSpec
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
from facegan.networks.kernels.strided import ConvTranspose4x4, StridedConv2d, StridedConvTranspose2d
from facegan.networks.layers.heads import Heads, HeadsConfig
from facegan.networks.layers.initial import dcgan_weights
from facegan.networks.layers.layout import flattened
from facegan.networks.layers.norm import BatchNorm2d
from facegan.networks.resolutions import require_resolution

RESOLUTIONS = (32, 64, 128, 256)


@GENERATORS.register
class DcganGeneratorConfig(GeneratorConfig):
    """Options of the DCGAN generator.

    Attributes:
        channels: feature channels of the last hidden layer; doubled at each layer below it.
        latent: distribution of z; the paper's is 100 uniform numbers.
    """

    kind: Literal["dcgan"]
    channels: Width = 64
    latent: Latent = Latent(size=100, distribution="uniform")

    def build(self, spec: ImageSpec, range: Range) -> DcganGenerator:
        """The network for images of this shape."""
        return DcganGenerator(self, spec, range)


@DISCRIMINATORS.register
class DcganDiscriminatorConfig(DiscriminatorConfig):
    """Options of the DCGAN discriminator.

    Attributes:
        channels: feature channels of the first layer; doubled at each layer above it.
        heads: what it says of its features, besides a logit.
    """

    kind: Literal["dcgan"]
    channels: Width = 64
    heads: HeadsConfig = HeadsConfig()

    @property
    def mixes_batch(self) -> bool:
        """Whether what it says of an image depends on the others of its batch."""
        return True

    def build(self, spec: ImageSpec, range: Range) -> DcganDiscriminator:
        """The network for images of this shape, in any range."""
        return DcganDiscriminator(self, spec)


def _widths(channels: int, resolution: int) -> list[int]:
    """Channels at resolution/2, resolution/4, …, 4: doubling each time, at most 16 ×."""
    require_resolution("dcgan", resolution, RESOLUTIONS)
    levels = resolution.bit_length() - 3
    return [channels * min(2**level, 16) for level in range(levels)]


class DcganGenerator(Generator):
    """z → 4×4 feature maps → transposed convolutions of stride 2 → image."""

    def __init__(self, config: DcganGeneratorConfig, spec: ImageSpec, range: Range) -> None:
        super().__init__(config.latent, spec)
        widths = _widths(config.channels, spec.resolution)[::-1]
        layers: list[nn.Module] = [
            ConvTranspose4x4(self.inputs, widths[0]),
            BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        for wide, narrow in pairwise(widths):
            layers += [
                StridedConvTranspose2d(wide, narrow, bias=False),
                BatchNorm2d(narrow),
                nn.ReLU(inplace=True),
            ]
        layers += [
            StridedConvTranspose2d(widths[-1], spec.channels),
            output_activation(range),
        ]
        self.layers = nn.Sequential(*layers).apply(dcgan_weights)

    def synthesise(self, code: Tensor) -> Tensor:
        """See `Generator.synthesise`."""
        return self.layers(code[:, :, None, None])


class DcganDiscriminator(Discriminator):
    """Image → convolutions of stride 2 → 4×4 feature maps → logit."""

    def __init__(self, config: DcganDiscriminatorConfig, spec: ImageSpec) -> None:
        super().__init__(spec)
        widths = _widths(config.channels, spec.resolution)
        layers: list[nn.Module] = [
            StridedConv2d(spec.channels, widths[0]),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for narrow, wide in pairwise(widths):
            layers += [
                StridedConv2d(narrow, wide, bias=False),
                BatchNorm2d(wide),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.layers = nn.Sequential(*layers).apply(dcgan_weights)
        # The paper's last layer, a 4×4 convolution of the 4×4 maps, is a linear one.
        self.heads = Heads(config.heads, spec, widths[-1] * 4 * 4)
        self.heads.logit.apply(dcgan_weights)

    def features(self, images: Tensor) -> Tensor:
        """See `Discriminator.features`."""
        return flattened(self.layers(images))
