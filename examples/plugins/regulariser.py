r"""A regulariser of one's own: logits of real images stay near zero.

The drift term of progressive growing (Karras et al. 2018, arXiv:1710.10196, appendix A.1).

facegan train dcgan --data portraits --run runs/drift \
    --plugin regulariser.py --set "method.regularisers=[{kind='drift'}]"
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from facegan.methods import REGULARISERS, Regulariser, Update
from facegan.schedule import PositiveSchedule


@REGULARISERS.register
class Drift(Regulariser):
    """D(x)², with the paper's weight."""

    kind: Literal["drift"] = "drift"
    weight: PositiveSchedule = 0.001

    def discriminator_loss(self, update: Update) -> Tensor:
        """See `Regulariser.discriminator_loss`."""
        assert update.real is not None  # as in every update of the discriminator
        return update.real.logits.square()
