"""The random decisions of one call: for each image and transform, whether and how much."""

from __future__ import annotations

from torch import Tensor

from facegan.seeding import Random

# Each has its own columns, drawn whether it is on or not: switching one transform off leaves
# what the others do to each image as it was.
TRANSFORMS = (
    "flip",
    "shift",
    "fraction",
    "scale",
    "rotation",
    "brightness",
    "contrast",
    "saturation",
    "noise",
    "cutout",
)


class Draws:
    """Independent for each image and transform; on the CPU, whatever the images' device.

    Args:
        random: of this update.
        n: images of this process.
        probability: of each transform.
    """

    def __init__(self, random: Random, n: int, probability: float) -> None:
        numbers = random.uniform(n, len(TRANSFORMS), 3)
        self._applies = numbers[..., 0] < probability
        self._amounts = numbers[..., 1:]

    def applies(self, transform: str) -> Tensor:
        """Which images it is applied to, bool [n]."""
        return self._applies[:, TRANSFORMS.index(transform)]

    def amounts(self, transform: str) -> Tensor:
        """Two numbers for each image, uniform in [0, 1), float32 [n, 2]."""
        return self._amounts[:, TRANSFORMS.index(transform)]

    def around(self, transform: str) -> Tensor:
        """Two numbers for each image, uniform in [−1, 1), or 0 where it is not applied."""
        return (self.amounts(transform) * 2 - 1) * self.applies(transform)[:, None]

    def whole(self, transform: str, most: int) -> Tensor:
        """A whole number for each image, uniform in {−most … most}, or 0; float32 [n, 2]."""
        # The product can round up to the next whole number.
        number = (self.amounts(transform) * (2 * most + 1)).floor().clamp(max=2 * most) - most
        return number * self.applies(transform)[:, None]
