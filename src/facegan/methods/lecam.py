"""LeCam regularisation (Tseng et al. 2021, arXiv:2104.03310): D's logits are held near what it
said of the other kind of image.

With few training images D drives the logits of the two kinds apart without end. The square of
each logit's distance from the other kind's moving average bounds that; for the Wasserstein loss
the paper shows (section 3.2) that this minimises a LeCam divergence.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from facegan.methods.regulariser import REGULARISERS, Regulariser, Update
from facegan.networks.layers.processes import mean_over_processes
from facegan.schedule import PositiveSchedule


@REGULARISERS.register
class LeCam(Regulariser):
    """‖D(x) − α_F‖² + ‖D(G(z)) − α_R‖², α_R and α_F being moving averages of D's mean logits of
    real and of generated images (equations 4 and 5).

    Attributes:
        weight: λ.
        decay: γ of the moving averages, per update that has this term. They begin with the first
            update's means.
    """

    kind: Literal["lecam"] = "lecam"
    weight: PositiveSchedule = 0.3
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.99

    def discriminator_loss(self, update: Update) -> Tensor:
        """See `Regulariser.discriminator_loss`."""
        assert update.real is not None  # as in every update of the discriminator
        real, fake = update.real.logits, update.fake.logits
        with torch.no_grad():
            means = mean_over_processes(torch.stack([real.mean(), fake.mean()]))
            before = update.remembered("logits", means)
            update.memory["logits"] = torch.lerp(means, before, self.decay)
        of_real, of_fake = update.memory["logits"]
        return (real - of_fake).square() + (fake - of_real).square()
