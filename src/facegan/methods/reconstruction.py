"""Reconstruction: the generator alone, with the discriminator's trunk as its encoder.

Our reading of IGNM 4.3, which trains SAGAN's generator first and its discriminator then: a
generator that has no opponent yet can still learn to make given faces. Both networks then
enter the game pretrained.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from facegan.errors import RecipeError
from facegan.methods.method import METHODS, MethodConfig, Needs
from facegan.methods.terms import Batch, Networks, Terms
from facegan.networks.interfaces import DiscriminatorConfig, Generator, GeneratorConfig
from facegan.networks.layers.processes import mean_over_processes


@METHODS.register
class ReconstructionConfig(MethodConfig):
    """Options of reconstruction: none. `discriminator.heads.code` is the latent's size."""

    kind: Literal["reconstruction"] = "reconstruction"

    def build(self) -> ReconstructionMethod:
        """The method."""
        return ReconstructionMethod()

    def check(self, generator: GeneratorConfig, discriminator: DiscriminatorConfig) -> None:
        """See `MethodConfig.check`: codes take the place of latents."""
        size, code = generator.latent.size, discriminator.heads.code
        if code != size:
            raise RecipeError(
                f"Reconstruction needs codes as long as latents, and they are {code} and {size} "
                "numbers long.",
                f"Set discriminator.heads.code={size}.",
            )


class ReconstructionMethod:
    """|G(E(x)) − x| over pixels, minimised by both networks; E is the discriminator's trunk.

    Codes get the mean 0 and the variance that the latents will have, in each of their numbers
    over the batch, so that what G learns of codes it knows of latents. (In evaluation terms: a
    batch normalisation without weights, kept out of the networks.)
    """

    needs = Needs(generated=False, augmentation=False)

    def discriminator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the encoder minimises."""
        return self._terms(networks, batch)

    def generator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the generator minimises."""
        return self._terms(networks, batch)

    def _terms(self, networks: Networks, batch: Batch) -> Terms:
        code = networks.discriminator.encode(batch.real)
        code = normalised(code.float(), _variance(networks.generator))
        made = networks.generator(code, batch.labels)
        return Terms({"reconstruction": (made.float() - batch.real).abs().flatten(1).mean(1)})


def normalised(code: Tensor, variance: float) -> Tensor:
    """Codes [N, Z] with mean 0 and this variance in every column, over all processes."""
    centred = code - mean_over_processes(code.mean(0))
    spread = mean_over_processes(centred.square().mean(0))
    return centred * torch.sqrt(variance / (spread + 1e-5))


def _variance(generator: Generator) -> float:
    return 1.0 if generator.latent.distribution == "normal" else 1 / 3
