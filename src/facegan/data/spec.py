"""What a model must know of its data, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageSpec:
    """The shape that networks are built for: the data dictate it, never a flag.

    Attributes:
        resolution: height and width in pixels.
        channels: 3 (RGB) or 1 (grey).
        labels: how many label values stand beside each image; 0 without labels.
    """

    resolution: int
    channels: int = 3
    labels: int = 0

    @property
    def pixels(self) -> int:
        """Values in one image: H · W · C."""
        return self.resolution * self.resolution * self.channels
