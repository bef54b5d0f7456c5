"""IGNM's networks (the Improved GAN Model, section 4.2): DCGAN's, with what the paper adds.

ReLU in the generator (or another `activation`), fewer convolution channels, 1×1 convolutions as
skips beside every strided one, self-attention (4.4), and on the discriminator's last maps a
spatial pyramid of pools (He et al. 2014, arXiv:1406.4729) under a wide fully connected layer
(`heads.hidden`). The paper gives no figures: which of these a recipe switches on, and how wide
they are, was decided by measurement (docs/results.md). Every one has its own switch, and so has
what the paper does not name: maps at the image's own resolution (`refine`), self-modulation
(`modulate`), high frequencies made louder (`highpass`) and minibatch deviation (`deviation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

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
from facegan.networks.kernels.strided import ConvTranspose4x4, StridedConv2d, StridedConvTranspose2d
from facegan.networks.layers.activation import Activate, Activation
from facegan.networks.layers.attention import SelfAttention
from facegan.networks.layers.emphasis import Emphasis
from facegan.networks.layers.heads import Heads, HeadsConfig
from facegan.networks.layers.initial import dcgan_weights
from facegan.networks.layers.layout import flattened
from facegan.networks.layers.minibatch import MinibatchDeviation
from facegan.networks.layers.modulation import Mapping, SelfModulation
from facegan.networks.layers.noise import NoiseMap
from facegan.networks.layers.norm import BatchNorm2d
from facegan.networks.layers.spectral import spectral_norm
from facegan.networks.layers.weight_norm import leaky_gain, weight_norm
from facegan.networks.resolutions import require_place_for_attention, require_resolution

RESOLUTIONS = (32, 64, 128, 256)
_LOWEST = 4
_SLOPE = 0.2
# Numbers that modulate, where there is a mapping.
_MAPPED = 128

Attention = Literal[0, 8, 16, 32, 64]


@GENERATORS.register
class IgnmGeneratorConfig(GeneratorConfig):
    """Options of the IGNM generator.

    Attributes:
        channels: of the maps at half the data's resolution; doubled at each resolution below.
        widest: where the doubling ends, as a multiple of `channels`.
        latent: distribution of z.
        skips: whether a 1×1 convolution stands beside each strided one.
        attention: the resolution of the maps with self-attention; 0 for none.
        refine: channels of maps at the data's own resolution, from which a 3×3 convolution
            makes the image; 0 for a strided convolution straight to the image.
        modulate: whether z scales and shifts the channels at 8×8 and above, up to half the
            data's resolution (self-modulation; Chen et al. 2019, arXiv:1810.01365); `all`: at
            4×4 and in the maps of `refine` too.
        mapping: fully connected layers between z and what modulates; 0 for z itself.
        noise: whether a map of noise is added at 8×8 and above, with a gain for each channel.
        activation: after each layer but the last: `relu`, `leaky_relu`, `sigmoid`, `tanh` or
            `swish`.
    """

    kind: Literal["ignm"]
    channels: Width = 32
    widest: Literal[1, 2, 4, 8, 16] = 8
    latent: Latent = Latent(size=128)
    skips: bool = True
    attention: Attention = 0
    refine: Annotated[int, Field(ge=0, le=4096)] = 0
    modulate: bool | Literal["all"] = False
    mapping: Annotated[int, Field(ge=0, le=8)] = 0
    noise: bool = False
    activation: Activation = "relu"

    @model_validator(mode="after")
    def _mapping_has_a_use(self) -> IgnmGeneratorConfig:
        if self.mapping and not self.modulate:
            raise ValueError("mapping makes what modulates, and modulate is false")
        return self

    def build(self, spec: ImageSpec, range: Range) -> IgnmGenerator:
        """The network for images of this shape."""
        return IgnmGenerator(self, spec, range)


@DISCRIMINATORS.register
class IgnmDiscriminatorConfig(DiscriminatorConfig):
    """Options of the IGNM discriminator.

    Attributes:
        channels: of the maps at half the data's resolution; doubled at each resolution below.
        widest: where the doubling ends, as a multiple of `channels`.
        norm: `batch` normalisation, `spectral` normalisation, `weight` normalisation, which starts
            at the gain that keeps signals from fading, or `none`.
        skips: whether a 1×1 convolution stands beside each strided one.
        attention: the resolution of the maps with self-attention; 0 for none.
        pyramid: whether pools of the last maps stand beside the maps.
        pools: over how many places a side; a spatial pyramid has several.
        pooling: the `average` of what falls into a place, or its `max`; in the skips too.
        activation: after each layer: `relu`, `leaky_relu`, `sigmoid`, `tanh` or `swish`.
        deviation: whether a feature tells how much the images of a group differ (minibatch
            standard deviation; Karras et al. 2018, section 3).
        refine: channels of maps at the data's own resolution, which a 3×3 convolution makes
            before anything is halved; 0 for a strided convolution straight from the image.
        highpass: gain of the image's high frequencies before all layers: what a [1, 2, 1]
            low-pass takes away is added so many times (pre-emphasis); 0 for the image as it is.
        heads: what it says of its features; `heads.hidden` is the wide fully connected layer.
    """

    kind: Literal["ignm"]
    channels: Width = 32
    widest: Literal[1, 2, 4, 8, 16] = 8
    norm: Literal["batch", "spectral", "weight", "none"] = "batch"
    skips: bool = True
    attention: Attention = 0
    pyramid: bool = True
    pools: tuple[Annotated[int, Field(ge=1, le=_LOWEST)], ...] = (2, 1)
    pooling: Literal["average", "max"] = "average"
    activation: Activation = "leaky_relu"
    deviation: bool = False
    refine: Annotated[int, Field(ge=0, le=4096)] = 0
    highpass: Annotated[float, Field(ge=0, le=100)] = 0.0
    heads: HeadsConfig = HeadsConfig(hidden=512)

    @property
    def mixes_batch(self) -> bool:
        """Whether what it says of an image depends on the others of its batch."""
        return self.norm == "batch" or self.deviation

    def build(self, spec: ImageSpec, range: Range) -> IgnmDiscriminator:
        """The network for images of this shape, in any range."""
        return IgnmDiscriminator(self, spec)


def _widths(config: IgnmGeneratorConfig | IgnmDiscriminatorConfig, resolution: int) -> list[int]:
    """Channels at half the data's resolution, at a quarter, …, at 4×4."""
    require_resolution("ignm", resolution, RESOLUTIONS)
    require_place_for_attention("ignm", resolution, config.attention)
    levels = (resolution // _LOWEST).bit_length() - 1
    widths = [config.channels * min(2**level, config.widest) for level in range(levels)]
    if config.attention:
        width = widths[(resolution // config.attention).bit_length() - 2]
        if width % 8:
            raise RecipeError(
                f"ignm: attention needs a multiple of 8 channels, and its maps have {width}.",
                "Choose other channels, or leave the attention out.",
            )
    return widths


def _sides(ups: int) -> list[int]:
    """Of the maps after each of so many doublings: 8, 16, …"""
    return [_LOWEST * 2**level for level in range(1, ups + 1)]


class _Up(nn.Module):
    """Twice the resolution: a strided convolution, normalised; beside it a 1×1; activated.

    Args:
        wide: input channels.
        narrow: output channels.
        skip: whether the 1×1 convolution is there.
        modulation: of the maps, if any.
        noise: added to them, if any.
        activation: which.
    """

    normalised = (("strided", "norm"),)  # for facegan.generation.inference

    def __init__(
        self,
        wide: int,
        narrow: int,
        skip: bool,
        modulation: SelfModulation | None,
        noise: NoiseMap | None,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.strided = StridedConvTranspose2d(wide, narrow, bias=False)
        self.norm = BatchNorm2d(narrow)
        self.modulation = modulation
        self.noise = noise
        self.skip = nn.Conv2d(wide, narrow, 1, bias=False) if skip else None
        self.activate = Activate(activation)

    def forward(self, x: Tensor, code: Tensor | None, noise: Tensor | None) -> Tensor:
        y = self.norm(self.strided(x))
        if self.modulation is not None and code is not None:
            y = self.modulation(y, code)
        if self.noise is not None and noise is not None:
            y = self.noise(y, noise)
        if self.skip is not None:
            # A 1×1 convolution and copying values commute, and before costs a quarter.
            y = y + F.interpolate(self.skip(x), scale_factor=2.0)
        return self.activate(y)


class _Down(nn.Module):
    """Half the resolution: a strided convolution, normalised; beside it a 1×1; activated."""

    def __init__(
        self, narrow: int, wide: int, norm: bool, skip: bool, config: IgnmDiscriminatorConfig
    ) -> None:
        super().__init__()
        self.strided = StridedConv2d(narrow, wide, bias=not norm)
        self.norm = BatchNorm2d(wide) if norm else nn.Identity()
        self.skip = nn.Conv2d(narrow, wide, 1, bias=False) if skip else None
        self.pool = F.max_pool2d if config.pooling == "max" else F.avg_pool2d
        self.activate = Activate(config.activation, _SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.strided(x))
        if self.skip is not None:
            y = y + self.skip(self.pool(x, 2))
        return self.activate(y)


class _Fine(nn.Module):
    """The resolution stays: a 3×3 convolution; activated."""

    def __init__(self, narrow: int, wide: int, activation: Activation) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(narrow, wide, 3, padding=1)
        self.activate = Activate(activation, _SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(self.convolution(x))


class IgnmGenerator(Generator):
    """z → 4×4 maps → a block for each doubling of the resolution → image."""

    def __init__(self, config: IgnmGeneratorConfig, spec: ImageSpec, range: Range) -> None:
        widths = _widths(config, spec.resolution)[::-1]
        sides = _sides(len(widths) - 1 + (config.refine > 0))
        super().__init__(config.latent, spec, sum(s**2 for s in sides) if config.noise else 0)
        z, embedded = config.latent.size, self.inputs - config.latent.size
        w = _MAPPED if config.mapping else z

        def modulation(channels: int, wanted: bool) -> SelfModulation | None:
            return SelfModulation(w, embedded, channels) if wanted else None

        def up(wide: int, narrow: int, side: int, skip: bool, modulated: bool) -> _Up:
            noise = NoiseMap(narrow, side) if config.noise else None
            shaped = modulation(narrow, modulated)
            return _Up(wide, narrow, skip, shaped, noise, config.activation)

        # Beside the layers, whose names stay what they are without.
        everywhere = config.modulate == "all"
        self.mapping = Mapping(z, _MAPPED, config.mapping) if config.mapping else None
        self.first = modulation(widths[0], everywhere)
        if self.first is not None:
            self.first.apply(dcgan_weights)
        layers: list[nn.Module] = [
            ConvTranspose4x4(self.inputs, widths[0]),
            BatchNorm2d(widths[0]),
            Activate(config.activation),
        ]
        if config.attention == _LOWEST:
            layers.append(SelfAttention(widths[0]))
        for (wide, narrow), side in zip(pairwise(widths), sides, strict=False):
            layers.append(up(wide, narrow, side, config.skips, bool(config.modulate)))
            if side == config.attention:
                layers.append(SelfAttention(narrow))
        if config.refine:
            # In minutes not modulated: there it would take longest, and channels are few.
            layers.append(up(widths[-1], config.refine, sides[-1], False, everywhere))
            layers.append(nn.Conv2d(config.refine, spec.channels, 3, padding=1))
        else:
            layers.append(StridedConvTranspose2d(widths[-1], spec.channels))
        self.layers = nn.Sequential(*layers, output_activation(range)).apply(dcgan_weights)
        ups = [layer for layer in layers if isinstance(layer, _Up)]
        shaped = [s for s, up in zip(sides, ups, strict=True) if up.modulation is not None]
        self.modulated = (*([_LOWEST] if everywhere else ()), *shaped)

    def synthesise(self, code: Tensor) -> Tensor:
        """See `Generator.synthesise`."""
        modulating = self._modulating(code)
        return self._layered(code, [modulating] * len(self.modulated))

    def synthesise_mixed(self, code: Tensor, fine: Tensor, share: Tensor) -> Tensor:
        """See `Generator.synthesise_mixed`."""
        own, other = self._modulating(code), self._modulating(fine)
        # At the ends, this is one or the other to the last bit.
        codes = [(1 - part) * own + part * other for part in share.split(1, 1)]
        return self._layered(code, codes)

    def _modulating(self, code: Tensor) -> Tensor:
        code = code[:, : self.inputs]
        return code if self.mapping is None else self.mapping(code)

    def _layered(self, code: Tensor, modulating: Sequence[Tensor]) -> Tensor:
        """The image of a code, and of a code for each side in `modulated`."""
        code, noise = code[:, : self.inputs], code[:, self.inputs :]
        codes = iter(modulating)
        x = code[:, :, None, None]
        for layer in self.layers:
            if isinstance(layer, _Up):
                taken = 0 if layer.noise is None else layer.noise.numbers
                shaping = None if layer.modulation is None else next(codes)
                x = layer(x, shaping, noise[:, :taken])
                noise = noise[:, taken:]
            elif isinstance(layer, Activate) and self.first is not None:
                x = layer(self.first(x, next(codes)))
            else:
                x = layer(x)
        return x


class IgnmDiscriminator(Discriminator):
    """Image → a block for each halving of the resolution → 4×4 maps → features."""

    def __init__(self, config: IgnmDiscriminatorConfig, spec: ImageSpec) -> None:
        super().__init__(spec)
        widths = _widths(config, spec.resolution)
        norm = config.norm == "batch"
        self.highpass = Emphasis(config.highpass) if config.highpass else None
        seen = spec.channels
        layers: list[nn.Module] = []
        if config.refine:
            layers.append(_Fine(seen, config.refine, config.activation))
            seen = config.refine
        # Neither normalisation nor a skip at the image, as in DCGAN.
        layers.append(_Down(seen, widths[0], False, False, config))
        resolution = spec.resolution // 2
        for narrow, wide in pairwise(widths):
            if resolution == config.attention:
                layers.append(SelfAttention(narrow))
            layers.append(_Down(narrow, wide, norm, config.skips, config))
            resolution //= 2
        self.layers = nn.Sequential(*layers).apply(dcgan_weights)
        self.deviation = MinibatchDeviation() if config.deviation else None
        self._pools = config.pools if config.pyramid else ()
        self._pool = F.adaptive_max_pool2d if config.pooling == "max" else F.adaptive_avg_pool2d
        places = _LOWEST**2 + sum(side**2 for side in self._pools)
        features = widths[-1] * places + config.deviation
        self.heads = Heads(config.heads, spec, features)
        if config.norm == "spectral":
            spectral_norm(self)
        elif config.norm == "weight":
            weight_norm(self.layers, leaky_gain(_SLOPE))
            weight_norm(self.heads)

    def features(self, images: Tensor) -> Tensor:
        """See `Discriminator.features`."""
        maps = self.layers(images if self.highpass is None else self.highpass(images))
        found = [self._pool(maps, side).flatten(1) for side in self._pools]
        found.insert(0, flattened(maps))
        if self.deviation is not None:
            found.append(self.deviation(maps))
        return torch.cat(found, 1)
