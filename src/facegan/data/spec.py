"""What a model must know of its data, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """One value that stands beside each image.

    Networks see it scaled: yes or no as 1 or −1 (a probability p as 2p − 1), a quantity as
    its distance from the mean in standard deviations; NaN where it is missing.

    Attributes:
        name: as the dataset calls it.
        binary: whether it is yes or no, or a probability of yes; otherwise a quantity.
        mean: of the quantity, over the training images; 0.5 where binary.
        std: its standard deviation; 0.5 where binary.
    """

    name: str
    binary: bool
    mean: float = 0.5
    std: float = 0.5


@dataclass(frozen=True)
class ImageSpec:
    """The shape that networks are built for: the data dictate it, never a flag.

    Attributes:
        resolution: height and width in pixels.
        channels: 3 (RGB) or 1 (grey).
        labels: those that the networks see beside each image; none unless the recipe asks.
    """

    resolution: int
    channels: int = 3
    labels: tuple[Label, ...] = ()

    @property
    def pixels(self) -> int:
        """Values in one image: H · W · C."""
        return self.resolution * self.resolution * self.channels


def class_groups(names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Which labels are the classes of one column: column → class → number of the label.

    A class's label is called `COLUMN=CLASS`. A column has two classes or more.
    """
    found: dict[str, dict[str, int]] = {}
    for number, name in enumerate(names):
        column, equals, word = name.partition("=")
        if equals and column and word:
            found.setdefault(column, {})[word] = number
    return {column: words for column, words in found.items() if len(words) > 1}
