"""The section `augment` of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from facegan.augment.adaptive import Adaptive
from facegan.augment.pipeline import Augmentation
from facegan.augment.transform import TRANSFORMS, Transform
from facegan.config import Config
from facegan.data.pixels import Pixels
from facegan.schedule import Cosine, Linear, bounds

# Above it, changes begin to appear in generated images (see the package's docstring).
SAFE_PROBABILITY = 0.8

Steering = Annotated[Linear | Cosine | Adaptive, Field(discriminator="kind")]


def _probability(value: float | Steering) -> float | Steering:
    if not isinstance(value, Adaptive):
        low, high = bounds(value)
        if low < 0 or high > 1:
            raise ValueError("It should be between 0 and 1, at every moment of the run")
    return value


Probability = Annotated[float | Steering, AfterValidator(_probability)]


def _up_to(most: float) -> object:
    return Field(ge=0.0, le=most)


class AugmentConfig(Config):
    """What may happen to an image before D sees it. 0 (or false) switches a transform off.

    Each transform is decided on for each image independently. Its amount is uniform between
    its limits; factors are, in their logarithm, and so are as likely to divide as to multiply.

    Attributes:
        probability: of each transform: a number, a schedule over the run, or `adaptive`.
        paired: whether the n-th real and the n-th generated image of an update change in the
            same way, as R3GAN's authors came to do: what D sees of a change then differs less.
        flip: mirrors left and right half of the images that it is applied to.
        shift: by whole pixels, at most this share of the side, along each axis; the border left
            behind is mid-grey, which tells D (and so G) that the picture was shifted.
        fraction: by any distance, at most this share of the side, along each axis. This one,
            scale and rotation are interpolated (bilinear: a slight blur) and fill the border with
            the picture's reflection.
        scale: enlarged or made smaller by at most this many octaves: 0.5 is up to √2 times.
        rotation: at most this many degrees either way.
        brightness: adds at most this share of the range from black to white.
        contrast: multiplies the distance from mid-grey by at most 1 + this, or divides it.
        saturation: the same for the distance from grey of the same brightness. Grey pictures
            stay as they are.
        cutout: side of a mid-grey square as a share of the shorter side of the image. Its
            centre is anywhere in the image, so that a part of it may lie outside.
        noise: standard deviation of normal noise, at most this share of the range from black to
            white; each image has its own.
        transforms: further ones, each a table with its `kind` and options, in this order and
            after all others: `light`, `pose`, `hue`, `scene`, and those of plug-ins.
    """

    probability: Probability = 0.5
    paired: bool = False
    flip: bool = False
    shift: Annotated[float, _up_to(0.5)] = 0.0
    fraction: Annotated[float, _up_to(0.5)] = 0.0
    scale: Annotated[float, _up_to(1.0)] = 0.0
    rotation: Annotated[float, _up_to(180.0)] = 0.0
    brightness: Annotated[float, _up_to(1.0)] = 0.0
    contrast: Annotated[float, _up_to(3.0)] = 0.0
    saturation: Annotated[float, _up_to(3.0)] = 0.0
    cutout: Annotated[float, _up_to(0.75)] = 0.0
    noise: Annotated[float, _up_to(0.5)] = 0.0
    transforms: tuple[Annotated[Transform, TRANSFORMS], ...] = ()

    def build(self, pixels: Pixels) -> Augmentation:
        """The transforms for images in this pixel range."""
        return Augmentation(self, pixels)

    def resampling(self) -> list[str]:
        """The transforms that interpolate between pixels, of those that are on."""
        return [name for name in ("fraction", "scale", "rotation") if getattr(self, name)]

    def highest_probability(self) -> float:
        """The highest that the probability can become."""
        if isinstance(self.probability, Adaptive):
            return self.probability.limit
        return bounds(self.probability)[1]

    def leaks(self) -> list[str]:
        """Which settings may appear in generated images, a sentence each; none is the rule.

        A flip and a shift by whole pixels never count: the package's docstring says why.
        """
        highest = self.highest_probability()
        if highest <= SAFE_PROBABILITY:
            return []
        on = [
            (f"{name} = {getattr(self, name):g}", why)
            for name, why in _WHY.items()
            if getattr(self, name)
        ]
        on += [(each.kind, each.leaks) for each in self.transforms if each.leaks]
        return [
            f"{what} may appear in generated images: at probability {highest:g}, {why}. Safe up "
            f"to {SAFE_PROBABILITY:g}."
            for what, why in on
        ]


_WHY = {
    "fraction": "too few pictures stay in place to tell where they belong",
    "scale": "too few pictures keep their size to tell the right one",
    "rotation": "too few pictures stay upright to tell which way is up",
    "brightness": "too few pictures keep their brightness to tell the right one",
    "contrast": "too few pictures keep their contrast to tell the right one",
    "saturation": "too few pictures keep their colours to tell the right ones",
    "cutout": "D sees too few pictures that are whole",
    "noise": "D sees too few pictures without noise",
}
