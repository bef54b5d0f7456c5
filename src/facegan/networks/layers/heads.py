"""What a discriminator says of the features that it finds: a logit, and what else is asked.

- The logit is linear in the features. A discriminator of several parts may give several, a patch
  logit at each place of each part's maps (`Places`); its logit is then their mean. With labels,
  the inner product of a projection of the features and an embedding of the labels is added to
  each: how well the two fit each other (Miyato & Koyama 2018, arXiv:1802.05637, the projection
  discriminator; IGNM's joint embedding, 4.4).
- An auxiliary head predicts the labels (Odena et al. 2017, AC-GAN; IGNM's classification and
  regression, 4.4).
- A code head makes the network an encoder, for pretraining a generator by reconstruction
  (IGNM 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.config import Config
from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.networks.layers.labels import LabelEmbedding

_SLOPE = 0.2
HeadWidth = Annotated[int, Field(ge=0, le=65536)]


class HeadsConfig(Config):
    """What stands on a discriminator's features. A width of 0 means: not there.

    Attributes:
        hidden: width of a fully connected layer between features and heads. Patch logits do
            without: each sees its own place alone.
        projection: width of the joint embedding of features and labels, where the recipe has
            labels; 0 leaves the labels out of the logit.
        auxiliary: whether the labels are predicted too, for `method.auxiliary`.
        code: how many numbers `encode` gives, which must be the generator's latent size.
        direction: whether the logit is the inner product of the features with a direction of
            length 1, which learns by a loss of its own (SAN; Takida et al. 2024,
            arXiv:2301.12811); not with patch logits.
    """

    hidden: HeadWidth = 0
    projection: HeadWidth = 128
    auxiliary: bool = False
    code: HeadWidth = 0
    direction: bool = False


class Assessment(NamedTuple):
    """What a discriminator says of N images.

    Attributes:
        logits: float [N], positive for "real": the mean of the patch logits, if there are any.
        patch_logits: float [N, H], where there are several logits for each image; or None.
        along: float [N]: the logits again, for the loss of a direction; or None. Here gradients
            go to the direction alone; in `logits`, all but to it.
        labels: float [N, L]: logits of the binary ones, scaled values of the others; None
            where it predicts none.
    """

    logits: Tensor
    labels: Tensor | None = None
    patch_logits: Tensor | None = None
    along: Tensor | None = None

    @property
    def judgements(self) -> Tensor:
        """What the losses see: the patch logits [N, H], or the logits [N] of a network without."""
        return self.logits if self.patch_logits is None else self.patch_logits


class Places(NamedTuple):
    """A part of the features: maps, flattened [channels, places], with a logit at each place."""

    channels: int
    places: int


class PatchLogits(nn.Module):
    """Logits of parts of the features: in each part, one linear function at all its places.

    Args:
        parts: in the order of the features.
    """

    def __init__(self, parts: Sequence[Places]) -> None:
        super().__init__()
        self._parts = tuple(parts)
        self.parts = nn.ModuleList(nn.Linear(part.channels, 1) for part in parts)

    def forward(self, features: Tensor) -> Tensor:
        """[N, F] → [N, H], F and H being the sums of channels · places and of places."""
        taken = features.split([channels * places for channels, places in self._parts], 1)
        patch_logits = [
            linear(maps.unflatten(1, part).transpose(1, 2)).flatten(1)
            for linear, maps, part in zip(self.parts, taken, self._parts, strict=True)
        ]
        return torch.cat(patch_logits, 1)


class Direction(nn.Module):
    """⟨ω, h⟩ + b with |ω| = 1: how far features h lie along a direction.

    The direction learns from where features of real and of generated images lie, the features
    from the adversarial loss: a discriminator then tells the distance between the two along the
    direction in which they lie furthest apart (Takida et al. 2024, arXiv:2301.12811, section 5).

    Args:
        features: numbers in h.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.randn(features), dim=0))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """[N, F] → logits [N], without a gradient to ω; and ⟨ω, h⟩ [N], with no other."""
        omega = F.normalize(self.weight, dim=0)
        logits = F.linear(features, omega.detach()[None], self.bias).flatten()
        return logits, F.linear(features.detach(), omega[None]).flatten()


class Heads(nn.Module):
    """The heads, all linear.

    Args:
        config: which ones.
        spec: the labels.
        features: how many numbers there are for each image, F; or the parts that they make up,
            which give patch logits.
        bias: whether the one logit of a network without patch logits has a bias.
    """

    def __init__(
        self,
        config: HeadsConfig,
        spec: ImageSpec,
        features: int | Sequence[Places],
        bias: bool = True,
    ) -> None:
        super().__init__()
        labels = len(spec.labels)
        patches: PatchLogits | None = None
        if not isinstance(features, int):
            patches = PatchLogits(features)
            features = sum(channels * places for channels, places in features)
        self.hidden = nn.Linear(features, config.hidden) if config.hidden else None
        if self.hidden is not None:
            features = self.hidden.out_features
        self.logit: nn.Module
        if patches is not None:
            self.logit = patches
        elif config.direction:
            self.logit = Direction(features)
        else:
            self.logit = nn.Linear(features, 1, bias=bias)
        self.project: nn.Linear | None = None
        if labels and config.projection:
            self.embed = LabelEmbedding(labels, config.projection)
            self.project = nn.Linear(features, config.projection, bias=False)
        self.auxiliary = nn.Linear(features, labels) if config.auxiliary else None
        self.code = nn.Linear(features, config.code) if config.code else None

    def forward(self, features: Tensor, labels: Tensor | None) -> Assessment:
        """Features [N, F], labels [N, L] or None → what they mean."""
        seen, features = features, self._hidden(features)
        along = None
        if isinstance(self.logit, Direction):
            logits, along = self.logit(features)
        else:
            logits = self.logit(seen) if self.patch_logits else self.logit(features).flatten()
        if self.project is not None:
            if labels is None:
                labels = features.new_full((len(features), self.embed.labels), torch.nan)
            fit = (self.project(features) * self.embed(labels)).float().sum(1)
            fit = fit / math.sqrt(self.project.out_features)
            logits = logits + (fit[:, None] if self.patch_logits else fit)
        predicted = None if self.auxiliary is None else self.auxiliary(features)
        if self.patch_logits:
            return Assessment(logits.float().mean(1), predicted, logits)
        return Assessment(logits, predicted, along=along)

    @property
    def patch_logits(self) -> bool:
        """Whether several logits are given for each image."""
        return isinstance(self.logit, PatchLogits)

    @property
    def directed(self) -> bool:
        """Whether the logit is the inner product with a direction."""
        return isinstance(self.logit, Direction)

    def encode(self, features: Tensor) -> Tensor:
        """Features [N, F] → codes [N, Z]."""
        if self.code is None:
            raise RecipeError(
                "This discriminator has no code to give, so nothing can be reconstructed.",
                "Set discriminator.heads.code to the generator's latent size.",
            )
        return self.code(self._hidden(features))

    def _hidden(self, features: Tensor) -> Tensor:
        if self.hidden is None:
            return features
        return F.leaky_relu(self.hidden(features), _SLOPE)
