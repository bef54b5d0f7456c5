"""What a discriminator says of the features that it finds: one logit, and what else is asked.

- The logit is linear in the features. With labels, the inner product of a projection of the
  features and an embedding of the labels is added: how well the two fit each other (Miyato &
  Koyama 2018, arXiv:1802.05637, the projection discriminator; IGNM's joint embedding, 4.4).
- An auxiliary head predicts the labels (Odena et al. 2017, AC-GAN; IGNM's classification and
  regression, 4.4).
- A code head makes the network an encoder, for pretraining a generator by reconstruction
  (IGNM 4.3).
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.config import Config
from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.models.layers.labels import LabelEmbedding

_SLOPE = 0.2
HeadWidth = Annotated[int, Field(ge=1, le=65536)]


class HeadsConfig(Config):
    """What stands on a discriminator's features.

    Attributes:
        hidden: width of a fully connected layer between features and heads; none for none.
        projection: width of the joint embedding of features and labels, where the recipe has
            labels; none leaves the labels out of the logit.
        auxiliary: whether the labels are predicted too, for `method.auxiliary`.
        code: how many numbers `encode` gives, which must be the generator's latent size; none
            for no encoder.
    """

    hidden: HeadWidth | None = None
    projection: HeadWidth | None = 128
    auxiliary: bool = False
    code: HeadWidth | None = None


class Assessment(NamedTuple):
    """What a discriminator says of N images.

    Attributes:
        logits: float [N], positive for "real".
        labels: float [N, L]: logits of the binary ones, scaled values of the others; None
            where it predicts none.
    """

    logits: Tensor
    labels: Tensor | None = None


class Heads(nn.Module):
    """The heads, all linear.

    Args:
        config: which ones.
        spec: the labels.
        features: how many numbers there are for each image, F.
        bias: whether the logit has a bias.
    """

    def __init__(
        self, config: HeadsConfig, spec: ImageSpec, features: int, bias: bool = True
    ) -> None:
        super().__init__()
        labels = len(spec.labels)
        self.hidden = nn.Linear(features, config.hidden) if config.hidden else None
        if self.hidden is not None:
            features = self.hidden.out_features
        self.logit = nn.Linear(features, 1, bias=bias)
        self.project: nn.Linear | None = None
        if labels and config.projection is not None:
            self.embed = LabelEmbedding(labels, config.projection)
            self.project = nn.Linear(features, config.projection, bias=False)
        self.auxiliary = nn.Linear(features, labels) if config.auxiliary else None
        self.code = nn.Linear(features, config.code) if config.code else None

    def forward(self, features: Tensor, labels: Tensor | None) -> Assessment:
        """Features [N, F], labels [N, L] or None → what they mean."""
        features = self._hidden(features)
        logits = self.logit(features).flatten()
        if self.project is not None:
            if labels is None:
                labels = features.new_full((len(features), self.embed.labels), torch.nan)
            fit = (self.project(features) * self.embed(labels)).float().sum(1)
            logits = logits + fit / math.sqrt(self.project.out_features)
        return Assessment(logits, None if self.auxiliary is None else self.auxiliary(features))

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
