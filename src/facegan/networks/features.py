"""A discriminator that looks at pictures through a frozen network, trained on photographs.

Projected GANs (Sauer, Chitta, Müller & Geiger 2021, arXiv:2111.01007): maps of four
resolutions are taken from EfficientNet-Lite0, mixed over channels by random 1×1 convolutions
and over scales by random 3×3 convolutions from deep to shallow, and only small heads on what
comes out are trained. So G is told from the first step on what photographs consist of, while
no head can rest on the few features that already tell real from generated.

Where this departs from the paper:

- Each head is a discriminator of its own, with logits at all places, whose losses count by
  themselves: that is as in the paper. But the authors' logits see overlapping 4×4 parts of 8×8
  maps, 25 in each head; here each sees one place of 4×4 maps, or of smaller ones in the deepest
  head, which then has fewer patch logits. Labels add the same to every one.
- Beside the heads may stand a small discriminator on the pixels themselves, with patch logits too.
- Pictures are not enlarged to the network's 224 pixels unless `side` says so. Small pictures
  have fewer scales.

What was seen in single trials of three minutes on a busy processor (LFW at 64 pixels, a DCGAN
generator, about 520 to 610 updates of 16 images; FD in `efflite0@64`, which flatters, and the
probe's diversity, where 1 is that of real pictures). With one logit over all scales, batches of
64 and other learning rates, five minutes gave one face again and again: FD 2,312, 0.16.

    logits  norm   augmentation     lr     FD      diversity
    place   both   1.0, cutout      2e-4   1,119   0.57       four eyes in each face
    scale   both   1.0, cutout      2e-4   1,354   0.37       nearly one face, with four eyes
    place   both   1.0, cutout      4e-4     916   0.52       half drawn, grey behind many
    place   both   0.7, no cutout   4e-4     921   0.63       the recipe `projected`
    place   batch  0.7, no cutout   4e-4     920   0.41       nearly one face, grey behind it

The recipe's pictures are the best, yet of few kinds: poses and hair vary little, about a
third are blurred or drawn over one another, and D still tells all of them from real ones. Longer
runs were not tried.

What is trained against this network looks good to it: a distance in its feature space
flatters such a generator (Kynkäänniemi et al. 2023, arXiv:2203.06026).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.data.pixels import Range
from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.networks.backbones import efficientnet_lite as backbone
from facegan.networks.interfaces import (
    DISCRIMINATORS,
    Discriminator,
    DiscriminatorConfig,
    Width,
)
from facegan.networks.kernels.strided import StridedConv2d
from facegan.networks.layers.heads import Heads, HeadsConfig, Places
from facegan.networks.layers.mixing import Mixing
from facegan.networks.layers.norm import BatchNorm2d
from facegan.networks.layers.spectral import spectral_norm

# Maps are halved until they are so small, and their channels doubled up to so many times.
_LOWEST, _WIDEST = 4, 16
# The longest side of maps that may remain where an odd one ends the halving.
_REMAINDER = 7
# Standard deviation of each tap on faces of 64 pixels: the mixed maps are about 1.
_SPREAD = (10.0, 9.0, 9.0, 4.0)
_BLACK_AND_WHITE = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}

Side = Annotated[int, Field(ge=32, le=512, multiple_of=backbone.MULTIPLE)]


@DISCRIMINATORS.register
class FeaturesDiscriminatorConfig(DiscriminatorConfig):
    """Options of the discriminator on frozen features.

    Attributes:
        side: to which the frozen network's pictures are resized: a multiple of 32. The data's
            own resolution by default, which must then be one.
        channels: feature channels of the first layer of each head; doubled at each further one.
        pixels: the same of the discriminator on pixels beside them, which has the layers of a
            DCGAN's; 0 for none.
        norm: of all that is trained: `spectral`, in the heads too, or `batch`, in the
            convolutions; `both` as the authors' code.
        patch_logits: one at each `place` of each scale's last maps, 4×4 or fewer, or one for each
            `scale`, of all its places. The pixels are a further scale.
        heads: what it says of its features, besides a logit.
    """

    kind: Literal["features"]
    side: Side | None = None
    channels: Width = 64
    pixels: Annotated[int, Field(ge=0, le=4096)] = 16
    norm: Literal["spectral", "batch", "both"] = "both"
    patch_logits: Literal["place", "scale"] = "place"
    heads: HeadsConfig = HeadsConfig()

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_recipe(cls, values: Any) -> Any:
        """Recipes of before called them `votes`."""
        if isinstance(values, dict) and "votes" in values and "patch_logits" not in values:
            values = values | {"patch_logits": values["votes"]}
            del values["votes"]
        return values

    @property
    def mixes_batch(self) -> bool:
        """Whether what it says of an image depends on the others of its batch."""
        return self.norm != "spectral"

    def build(self, spec: ImageSpec, range: Range) -> FeaturesDiscriminator:
        """The network for images of this shape and range.

        Raises:
            RecipeError: the range or the resolution is one that it cannot take.
            FaceganError: the frozen network's weights are not installed.
        """
        return FeaturesDiscriminator(self, spec, range)


class FeaturesDiscriminator(Discriminator):
    """Image → frozen network → maps of several scales, mixed → a head each → patch logits."""

    patch_logits = True

    def __init__(self, config: FeaturesDiscriminatorConfig, spec: ImageSpec, range: Range) -> None:
        super().__init__(spec)
        self._scale, self._offset = _to_input(range)
        self._side = _side(config, spec)
        sides = [self._side // stride for stride in (4, 8, 16, 32) if self._side >= 2 * stride]
        sections = backbone.sections(backbone.network(backbone.weights().values()))
        self.backbone = nn.ModuleList(sections[: len(sides)])
        self.mixing = Mixing(backbone.TAPS[: len(sides)], _SPREAD)
        batch = config.norm != "spectral"
        self.pixels: nn.Sequential | None = None
        parts: list[Places] = []
        if config.pixels:
            _require_halving(spec.resolution)
            self.pixels, found = _trunk(
                spec.resolution, spec.channels, config.pixels, batch, image=True
            )
            parts.append(found)
        heads = []
        for side, taken in zip(sides, backbone.TAPS, strict=False):
            head, found = _trunk(side, taken, config.channels, batch)
            heads.append(head)
            parts.append(found)
        if config.patch_logits == "scale":
            parts = [Places(channels * places, 1) for channels, places in parts]
        self.scales = nn.ModuleList(heads)
        self.heads = Heads(config.heads, spec, parts)
        if config.norm != "batch":
            spectral_norm(self)

    def features(self, images: Tensor) -> Tensor:
        """See `Discriminator.features`: those on pixels first, then from shallow to deep."""
        scaled = images.to(torch.promote_types(images.dtype, torch.float32))
        scaled = scaled * self._scale + self._offset
        found = [] if self.pixels is None else [self.pixels(scaled)]
        projected = self.project(scaled)
        found += [head(maps) for head, maps in zip(self.scales, projected, strict=True)]
        return torch.cat([maps.flatten(1) for maps in found], 1)

    def project(self, scaled: Tensor) -> list[Tensor]:
        """The frozen part: the network's input [N, C, H, W] → mixed maps, shallow to deep."""
        if self._side != scaled.shape[-1]:
            size = (self._side, self._side)
            shrink = self._side < scaled.shape[-1]
            scaled = F.interpolate(scaled, size, mode="bilinear", antialias=shrink)
        maps = [scaled.expand(-1, 3, -1, -1)]
        with _precision(scaled):
            for section in self.backbone:
                maps.append(section(maps[-1]))
            return self.mixing(maps[1:])


def _precision(images: Tensor) -> AbstractContextManager[object]:
    """That of the run, but float32 on the CPU.

    There the gradient of a depthwise convolution takes so long in bfloat16 that the way back
    to the images takes three times as long as in float32.
    """
    return torch.autocast("cpu", enabled=False) if images.device.type == "cpu" else nullcontext()


def _trunk(
    side: int, inputs: int, channels: int, batch: bool, image: bool = False
) -> tuple[nn.Sequential, Places]:
    """Strided convolutions to 4×4 maps, or an odd side; one without stride for maps as small.

    Args:
        side: of the maps that go in.
        inputs: their channels.
        channels: of the first layer; doubled at each further one.
        batch: whether batch norm follows each convolution.
        image: whether an image goes in: then not the first one, as in DCGAN.

    Returns:
        The layers, and the size of the maps that come out of the last one.
    """
    layers: list[nn.Module] = []
    width = inputs
    for level in range(16):
        strided = side > _LOWEST and side % 2 == 0
        if layers and not strided:
            break
        inputs, width = width, channels * min(2**level, _WIDEST)
        normalise = batch and not (image and level == 0)
        if strided:
            layers.append(StridedConv2d(inputs, width, bias=not normalise))
            side //= 2
        else:
            layers.append(nn.Conv2d(inputs, width, 3, padding=1, bias=not normalise))
        if normalise:
            layers.append(BatchNorm2d(width))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return nn.Sequential(*layers), Places(width, side**2)


def _to_input(range: Range) -> tuple[float, float]:
    """Scale and offset from the recipe's range to the frozen network's input."""
    if range not in _BLACK_AND_WHITE:
        raise RecipeError(
            f"features cannot look at images in the range {range!r}: what is black and white "
            "there depends on the dataset.",
            "Set data.range=symmetric or data.range=unit.",
        )
    black, white = _BLACK_AND_WHITE[range]
    bytes_ = 255 / (white - black)
    return bytes_ / backbone.SCALE, -(black * bytes_ + backbone.MEAN) / backbone.SCALE


def _side(config: FeaturesDiscriminatorConfig, spec: ImageSpec) -> int:
    side = config.side or spec.resolution
    if side % backbone.MULTIPLE:
        above = side + -side % backbone.MULTIPLE
        raise RecipeError(
            f"features cannot look at {side}×{side} images as they are.",
            f"Set discriminator.side={above}, or another multiple of {backbone.MULTIPLE}.",
        )
    return side


def _require_halving(resolution: int) -> None:
    remainder = resolution
    while remainder > _LOWEST and remainder % 2 == 0:
        remainder //= 2
    if remainder > _REMAINDER:
        raise RecipeError(
            f"features has no discriminator on the pixels of {resolution}×{resolution} images: "
            f"halving ends at {remainder}×{remainder}.",
            "Import the data at a power of two, or set discriminator.pixels=0.",
        )
