"""Path-length regularisation (Karras et al. 2020, StyleGAN2, arXiv:1912.04958, section 3.2): a step
in latent space should change every image by as much, whichever way it goes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from facegan.device import to_device
from facegan.losses.penalties import Every
from facegan.methods.regulariser import REGULARISERS, Regulariser, Update
from facegan.networks.layers.processes import mean_over_processes
from facegan.schedule import PositiveSchedule


@REGULARISERS.register
class PathLength(Regulariser):
    """(‖Jᵀy‖ − a)², J = ∂G(z)/∂z, y normal noise in the image's shape, a the moving average of
    ‖Jᵀy‖ (equation 4), on latents of its own.

    The paper's w is the output of a mapping network; our generators have none, so that it is z.
    y is divided by the image's side r, which keeps lengths alike at every resolution; the paper's
    weight (appendix B), ln 2 / (r²(ln r − ln 2)) for y as it is, becomes ln 2 / (ln r − ln 2): 0.25
    at 32 pixels, 0.2 at 64, 0.17 at 128. With batch normalisation in G, an image depends on
    the whole batch's latents, and its length is that of its own alone.

    Attributes:
        weight: γ_pl, in these units.
        decay: of the moving average, per update that has this term; it begins with the first
            update's mean.
        every: 8 in the paper.
    """

    kind: Literal["path_length"] = "path_length"
    weight: PositiveSchedule = 0.2
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    every: Every = 8

    def generator_loss(self, update: Update) -> Tensor:
        """See `Regulariser.generator_loss`."""
        batch, generator = update.batch, update.networks.generator
        z = to_device(generator.latent.draw(batch.random, len(batch.real)), batch.real.device)
        z.requires_grad_(True)
        # As input_gradient: squared gradients of many pixels lose too much in bfloat16.
        with torch.autocast(z.device.type, enabled=False):
            images = generator(z, batch.labels)
            y = to_device(batch.random.normal(*images.shape), images.device) / images.shape[-1]
            (gradient,) = torch.autograd.grad((images * y).sum(), z, create_graph=True)
        # The norm's derivative is infinite at a gradient of exactly zero.
        length = (gradient.square().sum(1) + 1e-12).sqrt()
        with torch.no_grad():
            mean = mean_over_processes(length.mean())
            before = update.remembered("length", mean)
            update.memory["length"] = torch.lerp(mean, before, self.decay)
        return (length - update.memory["length"]).square()
