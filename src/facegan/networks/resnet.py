"""Residual GANs: the networks of WGAN-GP, SNGAN and SAGAN, from the same few parts.

- WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028, section 5 and appendix): batch
  normalisation in the generator; in the critic layer normalisation, which a gradient penalty
  on each sample allows, and a dense layer from the 4×4 maps to the score.
- SNGAN (Miyato et al. 2018, arXiv:1802.05957, appendix B.4): spectral normalisation in the
  discriminator, nothing else there, and a sum over all places before the score.
- SAGAN (Zhang et al. 2019, arXiv:1805.08318): the same with spectral normalisation in both
  networks, and self-attention on the 32×32 maps of each.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

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
    output_activation,
)
from facegan.networks.layers.attention import SelfAttention
from facegan.networks.layers.heads import Heads, HeadsConfig
from facegan.networks.layers.norm import BatchNorm2d
from facegan.networks.layers.spectral import spectral_norm
from facegan.networks.resolutions import require_place_for_attention, require_resolution

RESOLUTIONS = (32, 64, 128, 256)
_LOWEST = 4

Channels = Annotated[int, Field(ge=8, le=4096, multiple_of=8)]
Doublings = Literal[1, 2, 4, 8, 16, 32]
Attention = Literal[8, 16, 32, 64]


@GENERATORS.register
class ResnetGeneratorConfig(GeneratorConfig):
    """Options of the residual generator.

    Attributes:
        channels: of the maps at the data's resolution; doubled at each resolution below.
        widest: where the doubling ends, as a multiple of `channels`.
        latent: distribution of z.
        spectral: whether all weights are spectrally normalised.
        attention: the resolution of the maps with self-attention, if any.
    """

    kind: Literal["resnet"]
    channels: Channels = 64
    widest: Doublings = 16
    latent: Latent = Latent(size=128)
    spectral: bool = False
    attention: Attention | None = None

    def build(self, spec: ImageSpec, range: Range) -> ResnetGenerator:
        """The network for images of this shape."""
        return ResnetGenerator(self, spec, range)


@DISCRIMINATORS.register
class ResnetDiscriminatorConfig(DiscriminatorConfig):
    """Options of the residual discriminator.

    Attributes:
        channels: of the first maps; doubled at each lower resolution.
        widest: where the doubling ends, as a multiple of `channels`.
        stem: whether the first maps come from a 3×3 convolution at the data's resolution, as in
            WGAN-GP. Otherwise the first residual block takes the image itself to half its
            resolution, and a last block follows that changes none, as in SNGAN.
        norm: `layer` (one group over all channels and places of a sample) or none.
        spectral: whether all weights are spectrally normalised.
        attention: the resolution of the maps with self-attention, if any.
        head: how the last maps become features: `dense`, each value is one, or their `sum`
            over all places.
        heads: what it says of its features, besides a logit.
    """

    kind: Literal["resnet"]
    channels: Channels = 64
    widest: Doublings = 16
    stem: bool = False
    norm: Literal["layer"] | None = None
    spectral: bool = False
    attention: Attention | None = None
    head: Literal["dense", "sum"] = "sum"
    heads: HeadsConfig = HeadsConfig()

    def build(self, spec: ImageSpec, range: Range) -> ResnetDiscriminator:
        """The network for images of this shape, in any range."""
        return ResnetDiscriminator(self, spec)


def _widths(
    config: ResnetGeneratorConfig | ResnetDiscriminatorConfig, resolution: int
) -> list[int]:
    """Channels at the data's resolution, at half of it, …, at 4×4."""
    require_resolution("resnet", resolution, RESOLUTIONS)
    require_place_for_attention("resnet", resolution, config.attention)
    levels = (resolution // _LOWEST).bit_length()
    return [config.channels * min(2**level, config.widest) for level in range(levels)]


class _Up(nn.Module):
    """Twice the resolution: norm, ReLU, enlarge, 3×3, norm, ReLU, 3×3; beside it a 1×1."""

    normalised = (("first", "norms.1"),)  # for facegan.generation.inference

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList((BatchNorm2d(inputs), BatchNorm2d(outputs)))
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.interpolate(F.relu(self.norms[0](x)), scale_factor=2.0)
        y = self.second(F.relu(self.norms[1](self.first(y))))
        # A 1×1 convolution and copying values commute, and before costs a quarter.
        return y + F.interpolate(self.skip(x), scale_factor=2.0)


class _Down(nn.Module):
    """Norm, ReLU, 3×3, norm, ReLU, 3×3; beside it a 1×1; then the average of each 2×2.

    Args:
        inputs: channels.
        outputs: channels.
        norm: see `ResnetDiscriminatorConfig`.
        image: whether the input is an image, which no activation may cut.
        halve: whether the resolution is halved; without it, nothing is averaged.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        norm: str | None,
        image: bool = False,
        halve: bool = True,
    ) -> None:
        super().__init__()
        self.before = nn.Identity() if image else _activation(inputs, norm)
        self.between = _activation(outputs, norm)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)
        self._halve = halve

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.between(self.first(self.before(x))))
        if not self._halve:
            return y + self.skip(x)
        # A 1×1 convolution and averaging commute, and after it costs a quarter.
        return F.avg_pool2d(y, 2) + self.skip(F.avg_pool2d(x, 2))


def _activation(channels: int, norm: str | None) -> nn.Module:
    if norm is None:
        return nn.ReLU()
    return nn.Sequential(nn.GroupNorm(1, channels), nn.ReLU())


class ResnetGenerator(Generator):
    """z → 4×4 maps → a residual block for each doubling of the resolution → image."""

    def __init__(self, config: ResnetGeneratorConfig, spec: ImageSpec, range: Range) -> None:
        super().__init__(config.latent, spec)
        widths = _widths(config, spec.resolution)[::-1]
        self._first = (widths[0], _LOWEST, _LOWEST)
        self.dense = nn.Linear(self.inputs, widths[0] * _LOWEST**2)
        layers: list[nn.Module] = []
        resolution = _LOWEST
        for wide, narrow in pairwise(widths):
            layers.append(_Up(wide, narrow))
            resolution *= 2
            if resolution == config.attention:
                layers.append(SelfAttention(narrow))
        layers += [
            BatchNorm2d(widths[-1]),
            nn.ReLU(inplace=True),
            nn.Conv2d(widths[-1], spec.channels, 3, padding=1),
            output_activation(range),
        ]
        self.layers = nn.Sequential(*layers)
        _initialise(self, config.spectral)

    def synthesise(self, code: Tensor) -> Tensor:
        """See `Generator.synthesise`."""
        return self.layers(self.dense(code).unflatten(1, self._first))


class ResnetDiscriminator(Discriminator):
    """Image → a residual block for each halving of the resolution → 4×4 maps → logit."""

    def __init__(self, config: ResnetDiscriminatorConfig, spec: ImageSpec) -> None:
        super().__init__(spec)
        widths = _widths(config, spec.resolution)
        layers: list[nn.Module] = []
        if config.stem:
            layers.append(nn.Conv2d(spec.channels, widths[0], 3, padding=1))
            blocks = list(pairwise(widths))
        else:
            blocks = list(pairwise([spec.channels, *widths[:-1]]))
        resolution = spec.resolution
        for inputs, outputs in blocks:
            layers.append(_Down(inputs, outputs, config.norm, image=not layers))
            resolution //= 2
            if resolution == config.attention:
                layers.append(SelfAttention(outputs))
        if not config.stem:
            layers.append(_Down(widths[-2], widths[-1], config.norm, halve=False))
        layers.append(_activation(widths[-1], config.norm))
        self.layers = nn.Sequential(*layers)
        self._dense = config.head == "dense"
        features = widths[-1] * (_LOWEST**2 if self._dense else 1)
        self.heads = Heads(config.heads, spec, features)
        _initialise(self, config.spectral)

    def features(self, images: Tensor) -> Tensor:
        """See `Discriminator.features`."""
        maps = self.layers(images)
        return maps.flatten(1) if self._dense else maps.sum((2, 3))


def _initialise(network: nn.Module, spectral: bool) -> None:
    """He's initialisation where nothing else sets the scale (WGAN-GP), else Glorot's (SNGAN)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if spectral:
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    if spectral:
        spectral_norm(network)
