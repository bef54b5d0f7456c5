"""What a transform of one's own is: `augment.transforms` in a recipe."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from facegan.config import Config
from facegan.data.pixels import Pixels
from facegan.registry import Kinds
from facegan.seeding import Random


class Transform(Config, ABC):
    """Changes images at random, after the transforms that `augment` has itself.

    It is a section of the recipe and the function in one. Its options are plain numbers, no
    schedules. The package's docstring says which changes G can undo.

    Attributes:
        kind: its name in recipes, a Literal.
    """

    kind: str

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


TRANSFORMS = Kinds[Transform]("augmentation")
