"""What a generator and a discriminator are. Networks contain no training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from facegan.config import Config
from facegan.data.pixels import Range
from facegan.data.spec import ImageSpec
from facegan.seeding import Random

Width = Annotated[int, Field(ge=1, le=65536)]


class Latent(Config):
    """Where a generator's input z comes from.

    Attributes:
        size: how many numbers, Z.
        distribution: `normal` (mean 0, variance 1) or `uniform` on [−1, 1].
    """

    size: Width = 128
    distribution: Literal["normal", "uniform"] = "normal"

    def draw(self, random: Random, n: int) -> Tensor:
        """n latents, float32 [n, Z]."""
        if self.distribution == "normal":
            return random.normal(n, self.size)
        return random.uniform(n, self.size, low=-1.0, high=1.0)


class Generator(nn.Module, ABC):
    """Latents to images.

    Attributes:
        latent: the distribution of its input.
        spec: the shape of its output.
    """

    def __init__(self, latent: Latent, spec: ImageSpec) -> None:
        super().__init__()
        self.latent = latent
        self.spec = spec

    @abstractmethod
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z float [N, Z] (and labels [N, L]) → images float [N, C, H, W] in the recipe's range."""


class Discriminator(nn.Module, ABC):
    """Images to logits: positive means "real", unbounded; the losses apply the sigmoid."""

    def __init__(self, spec: ImageSpec) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images float [N, C, H, W] (and labels [N, L]) → logits float [N]."""


def output_activation(range: Range) -> nn.Module:
    """The last layer that fits a pixel range: sigmoid [0, 1], tanh [−1, 1], or none."""
    return {"unit": nn.Sigmoid(), "symmetric": nn.Tanh(), "standard": nn.Identity()}[range]


def parameter_count(module: nn.Module) -> int:
    """Trainable numbers in a network."""
    return sum(p.numel() for p in module.parameters())
