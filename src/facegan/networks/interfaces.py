"""What a generator and a discriminator are. Networks contain no training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from facegan.config import Config
from facegan.data.pixels import Range
from facegan.data.spec import ImageSpec
from facegan.device import to_device
from facegan.networks.layers.heads import Assessment, Heads, HeadsConfig
from facegan.networks.layers.labels import LabelEmbedding
from facegan.registry import Kinds
from facegan.seeding import Random

Width = Annotated[int, Field(ge=1, le=65536)]

# So many rows of training labels stay with a conditional generator, to draw labels from.
LABEL_ROWS = 4096


class Latent(Config):
    """Where a generator's input comes from.

    Attributes:
        size: how many numbers, Z.
        distribution: `normal` (mean 0, variance 1) or `uniform` on [−1, 1].
        labels: width of the label embedding that stands beside z, where the recipe has labels.
    """

    size: Width = 128
    distribution: Literal["normal", "uniform"] = "normal"
    labels: Width = 64

    def draw(self, random: Random, n: int) -> Tensor:
        """n latents, float32 [n, Z]."""
        if self.distribution == "normal":
            return random.normal(n, self.size)
        return random.uniform(n, self.size, low=-1.0, high=1.0)


class GeneratorConfig(Config, ABC):
    """Options of a generator: `generator` in a recipe. Each network has its own kind.

    Attributes:
        kind: its name in recipes, a Literal.
        latent: distribution of z.
    """

    kind: str
    latent: Latent = Latent()

    @abstractmethod
    def build(self, spec: ImageSpec, range: Range) -> Generator:
        """The network for images of this shape and range. Raises RecipeError if it has none."""


class DiscriminatorConfig(Config, ABC):
    """Options of a discriminator: `discriminator` in a recipe. Any meets any generator.

    Attributes:
        kind: its name in recipes, a Literal.
        heads: what it says of its features, besides a logit.
    """

    kind: str
    heads: HeadsConfig = HeadsConfig()

    @abstractmethod
    def build(self, spec: ImageSpec, range: Range) -> Discriminator:
        """The network for images of this shape and range. Raises RecipeError if it has none."""


GENERATORS = Kinds[GeneratorConfig]("generator")
DISCRIMINATORS = Kinds[DiscriminatorConfig]("discriminator")


class Generator(nn.Module, ABC):
    """Latents, and labels where the recipe has them, to images.

    Subclasses define `synthesise`, and build it for an input of `inputs` numbers.

    Attributes:
        latent: the distribution of z.
        spec: the shape of its output, and its labels.
        inputs: how many numbers `synthesise` takes: Z, and the label embedding's width.
        noise: how many numbers of noise it takes beside them; 0 for most. They are a part of the
            latent that is drawn, so that a latent stands for one picture.
        modulated: sides of the maps that the latent modulates, from coarse to fine; none for most.
            At each of them another latent can be taken: see `mixed`.
        singly: whether it computes each picture by itself, so that the others of a batch, and how
            many they are, change nothing.
    """

    label_rows: Tensor
    modulated: tuple[int, ...] = ()
    singly: bool = False

    def __init__(self, latent: Latent, spec: ImageSpec, noise: int = 0) -> None:
        super().__init__()
        self.latent = latent
        self.noise = noise
        self.spec = spec
        self.inputs = latent.size
        if spec.labels:
            self.labels = LabelEmbedding(len(spec.labels), latent.labels)
            self.inputs += latent.labels
            rows = torch.full((LABEL_ROWS, len(spec.labels)), torch.nan)
            self.register_buffer("label_rows", rows)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images.

        Args:
            z: float [N, Z], or [N, Z + noise] as `draw` gives; without noise, that is 0.
            labels: float [N, L] as `facegan.data.spec.Label` scales them, NaN where unknown;
                None for all unknown. A generator without labels passes over them.

        Returns:
            Float [N, C, H, W] in the recipe's range.
        """
        return self.synthesise(self._code(z, labels))

    def mixed(
        self,
        z: Tensor,
        labels: Tensor | None,
        fine: Tensor,
        fine_labels: Tensor | None,
        share: Tensor,
    ) -> Tensor:
        """Make images whose maps are modulated by other latents, at some resolutions.

        For generators with `modulated` alone.

        Args:
            z: as `forward` takes it; with the noise.
            labels: likewise.
            fine: latents [N, Z] or [N, Z + noise] of what modulates; their noise is not used.
            fine_labels: theirs, as `labels`.
            share: float [N, len(modulated)] in [0, 1], of `fine` at each resolution: 0 leaves z.

        Returns:
            Float [N, C, H, W] in the recipe's range.
        """
        return self.synthesise_mixed(self._code(z, labels), self._code(fine, fine_labels), share)

    def _code(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """What `synthesise` takes, of latents and labels as `forward` takes them."""
        z, noise = z[:, : self.latent.size], z[:, self.latent.size :]
        if self.noise and noise.shape[1] == 0:
            noise = z.new_zeros(len(z), self.noise)
        if self.spec.labels:
            if labels is None:
                labels = z.new_full((len(z), len(self.spec.labels)), torch.nan)
            embedded = self.labels(labels)
            z = torch.cat([z.to(embedded.dtype), embedded], 1)
        return torch.cat([z, noise.to(z.dtype)], 1) if self.noise else z

    @abstractmethod
    def synthesise(self, code: Tensor) -> Tensor:
        """Float [N, inputs + noise] → images float [N, C, H, W] in the recipe's range."""

    def synthesise_mixed(self, code: Tensor, fine: Tensor, share: Tensor) -> Tensor:
        """The same, maps of each side in `modulated` modulated by a share of the code `fine`."""
        raise NotImplementedError(f"{type(self).__name__} takes its latent in at one place")

    def draw(self, random: Random, n: int) -> Tensor:
        """n latents with their noise, float32 [n, Z + noise]."""
        z = self.latent.draw(random, n)
        return torch.cat([z, random.normal(n, self.noise)], 1) if self.noise else z

    def draw_labels(self, random: Random, n: int) -> Tensor | None:
        """Labels [n, L] of training images drawn by chance; None without labels."""
        if not self.spec.labels:
            return None
        rows = (random.uniform(n) * len(self.label_rows)).long().clamp_max_(LABEL_ROWS - 1)
        return self.label_rows[to_device(rows, self.label_rows.device)]


class Discriminator(nn.Module, ABC):
    """Images to logits: positive means "real", unbounded; the losses apply the sigmoid.

    Subclasses define `features`, and end their construction with `self.heads = Heads(…)`.

    Attributes:
        patch_logits: whether `assess` gives several logits for each image; `forward` gives
            their mean.
    """

    patch_logits: bool = False
    heads: Heads

    @property
    def directed(self) -> bool:
        """Whether its logit is the inner product with a direction that learns by itself."""
        return self.heads.directed

    def __init__(self, spec: ImageSpec) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Images float [N, C, H, W] → features [N, F]."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images float [N, C, H, W] (and labels [N, L], NaN where missing) → logits float [N]."""
        return self.assess(images, labels).logits

    def assess(self, images: Tensor, labels: Tensor | None = None) -> Assessment:
        """All that it says of images [N, C, H, W]: logits, patch logits, and labels it predicts."""
        return self.heads(self.features(images), labels)

    def encode(self, images: Tensor) -> Tensor:
        """Images → codes [N, Z] from which a generator may make them again; see `HeadsConfig`."""
        return self.heads.encode(self.features(images))


def output_activation(range: Range) -> nn.Module:
    """The last layer that fits a pixel range: sigmoid [0, 1], tanh [−1, 1], or none."""
    return {"unit": nn.Sigmoid(), "symmetric": nn.Tanh(), "standard": nn.Identity()}[range]


def parameter_count(module: nn.Module) -> int:
    """Trainable numbers in a network."""
    return sum(p.numel() for p in module.parameters())
