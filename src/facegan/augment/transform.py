"""What stands in `augment.transforms` of a recipe: transforms with options of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from facegan.config import Config
from facegan.data.pixels import Pixels
from facegan.device import to_device
from facegan.registry import Kinds
from facegan.seeding import Random


class Transform(Config, ABC):
    """Changes images at random, after the transforms that `augment` has itself.

    It is a section of the recipe and the function in one. Its options are plain numbers, no
    schedules. The package's docstring says which changes G can undo.

    Attributes:
        kind: its name in recipes, a Literal.
        leaks: why it may appear in generated images where nearly all are changed; empty where
            nothing is known.
    """

    kind: str
    leaks: ClassVar[str] = ""

    @abstractmethod
    def __call__(
        self, images: Tensor, random: Random, probability: float, pixels: Pixels
    ) -> Tensor:
        """Decide for each image, with this probability, and apply. Differentiable twice.

        Args:
            images: float32 [N, C, H, W] in the recipe's range, or a little beyond.
            random: of the update. How many numbers are drawn depends on the images' shape alone.
            probability: in (0, 1].
            pixels: what the range is.

        Returns:
            Images of the same shape.
        """


def range_of(pixels: Pixels, images: Tensor) -> tuple[Tensor, Tensor]:
    """The value of black, and the distance from black to white; [C, 1, 1] or [1, 1, 1] each."""
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    black, white = to_device(pixels.to_model(ends), images.device).to(images.dtype)
    return black, white - black


def places(images: Tensor) -> tuple[Tensor, Tensor]:
    """x [1, W] and y [H, 1] of the pixels' middles, in (−1, 1) from the left and from above."""
    height, width = images.shape[2:]
    x = (torch.arange(width, device=images.device) + 0.5) * (2 / width) - 1
    y = (torch.arange(height, device=images.device) + 0.5) * (2 / height) - 1
    return x.to(images.dtype)[None, :], y.to(images.dtype)[:, None]


TRANSFORMS = Kinds[Transform]("augmentation")
