"""Fully connected networks (the report, tables 1–3).

The tables give the layers as image sides; read literally, the first one alone would have 9.7
billion weights. We read the sides as widths: a generator of 256, 128, 64 hidden units and a
discriminator of 256, 64, 16.
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
from facegan.networks.layers.activation import Activate, Activation
from facegan.networks.layers.heads import Heads, HeadsConfig


@GENERATORS.register
class MlpGeneratorConfig(GeneratorConfig):
    """Options of the fully connected generator.

    Attributes:
        hidden: widths of the hidden layers.
        activation: after each of them: `relu`, `leaky_relu`, `sigmoid`, `tanh` or `swish`.
        latent: distribution of z.
    """

    kind: Literal["mlp"]
    hidden: tuple[Width, ...] = (256, 128, 64)
    activation: Activation = "relu"
    latent: Latent = Latent()

    def build(self, spec: ImageSpec, range: Range) -> MlpGenerator:
        """The network for images of this shape."""
        return MlpGenerator(self, spec, range)


@DISCRIMINATORS.register
class MlpDiscriminatorConfig(DiscriminatorConfig):
    """Options of the fully connected discriminator.

    Attributes:
        hidden: widths of the hidden layers.
        activation: after each of them: `relu`, `leaky_relu`, `sigmoid`, `tanh` or `swish`.
        slope: of the leaky ReLU below zero.
        heads: what it says of its features, besides a logit.
    """

    kind: Literal["mlp"]
    hidden: tuple[Width, ...] = (256, 64, 16)
    activation: Activation = "leaky_relu"
    slope: float = 0.2
    heads: HeadsConfig = HeadsConfig()

    def build(self, spec: ImageSpec, range: Range) -> MlpDiscriminator:
        """The network for images of this shape, in any range."""
        return MlpDiscriminator(self, spec)


class MlpGenerator(Generator):
    """z → Linear, activated … → Linear → sigmoid or tanh → image."""

    def __init__(self, config: MlpGeneratorConfig, spec: ImageSpec, range: Range) -> None:
        super().__init__(config.latent, spec)
        widths = (self.inputs, *config.hidden)
        hidden = [
            layer
            for wide, narrow in pairwise(widths)
            for layer in (nn.Linear(wide, narrow), Activate(config.activation, inplace=False))
        ]
        self.layers = nn.Sequential(
            *hidden, nn.Linear(widths[-1], spec.pixels), output_activation(range)
        )

    def synthesise(self, code: Tensor) -> Tensor:
        """See `Generator.synthesise`."""
        size = self.spec.resolution
        return self.layers(code).unflatten(1, (self.spec.channels, size, size))


class MlpDiscriminator(Discriminator):
    """Image → Linear, activated … → Linear → logit."""

    def __init__(self, config: MlpDiscriminatorConfig, spec: ImageSpec) -> None:
        super().__init__(spec)
        widths = (spec.pixels, *config.hidden)
        hidden = [
            layer
            for wide, narrow in pairwise(widths)
            for layer in (
                nn.Linear(wide, narrow),
                Activate(config.activation, config.slope, inplace=False),
            )
        ]
        self.layers = nn.Sequential(*hidden)
        self.heads = Heads(config.heads, spec, widths[-1])

    def features(self, images: Tensor) -> Tensor:
        """See `Discriminator.features`."""
        return self.layers(images.reshape(len(images), -1))
