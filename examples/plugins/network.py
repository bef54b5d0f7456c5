r"""Networks of one's own: pictures through ever larger maps, and back. Any resolution 8 · 2ⁿ.

facegan train dcgan --data portraits --run runs/network --plugin network.py \
    --set "generator={kind='ladder'}" --set "discriminator={kind='ladder'}"
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from facegan.data.pixels import Range
from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.networks import DISCRIMINATORS, GENERATORS, DiscriminatorConfig, GeneratorConfig
from facegan.networks.interfaces import Discriminator, Generator, Width, output_activation
from facegan.networks.layers.heads import Heads


def doublings(spec: ImageSpec) -> int:
    """How often 8 pixels are doubled to the resolution of the data."""
    times = (spec.resolution // 8).bit_length() - 1
    if spec.resolution != 8 << max(times, 0):
        raise RecipeError(
            f"ladder makes no pictures of {spec.resolution} pixels.", "It makes 8, 16, 32, 64, …"
        )
    return times


@GENERATORS.register
class LadderGeneratorConfig(GeneratorConfig):
    """Options of the generator.

    Attributes:
        channels: of every map.
    """

    kind: Literal["ladder"]
    channels: Width = 32

    def build(self, spec: ImageSpec, range: Range) -> LadderGenerator:
        """The network for images of this shape."""
        return LadderGenerator(self, spec, range)


@DISCRIMINATORS.register
class LadderDiscriminatorConfig(DiscriminatorConfig):
    """Options of the discriminator.

    Attributes:
        channels: of every map.
    """

    kind: Literal["ladder"]
    channels: Width = 32

    def build(self, spec: ImageSpec, range: Range) -> LadderDiscriminator:
        """The network for images of this shape, in any range."""
        return LadderDiscriminator(self, spec)


class LadderGenerator(Generator):
    """z → 8×8 maps → [twice as large, convolution, leaky ReLU] … → image."""

    def __init__(self, config: LadderGeneratorConfig, spec: ImageSpec, range: Range) -> None:
        super().__init__(config.latent, spec)
        width = config.channels
        layers: list[nn.Module] = [
            nn.Linear(self.inputs, width * 64),
            nn.Unflatten(1, (width, 8, 8)),
        ]
        for _ in [None] * doublings(spec):
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(width, width, 3, padding=1),
                nn.LeakyReLU(0.2),
            ]
        layers += [nn.Conv2d(width, spec.channels, 3, padding=1), output_activation(range)]
        self.layers = nn.Sequential(*layers)

    def synthesise(self, code: Tensor) -> Tensor:
        """See `Generator.synthesise`."""
        return self.layers(code)


class LadderDiscriminator(Discriminator):
    """Image → [convolution, leaky ReLU, half as large] … → 8×8 maps → logit."""

    def __init__(self, config: LadderDiscriminatorConfig, spec: ImageSpec) -> None:
        super().__init__(spec)
        width = config.channels
        layers: list[nn.Module] = [nn.Conv2d(spec.channels, width, 3, padding=1), nn.LeakyReLU(0.2)]
        for _ in [None] * doublings(spec):
            layers += [
                nn.Conv2d(width, width, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.AvgPool2d(2),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.heads = Heads(config.heads, spec, width * 64)

    def features(self, images: Tensor) -> Tensor:
        """See `Discriminator.features`."""
        return self.layers(images)
