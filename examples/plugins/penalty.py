r"""A penalty of one's own: slopes of zero on the way between real and generated images.

0-GP (Thanh-Tung, Tran & Venkatesh 2019, arXiv:1902.03984, equation 6).

facegan train dcgan --data portraits --run runs/penalty \
    --plugin penalty.py --set "method.penalty={kind='zero_between', gamma=2.0}"
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from facegan.device import to_device
from facegan.losses.gradient_norm import Critic, Judged, input_gradient, squared_norm
from facegan.losses.penalties import PENALTIES, Penalty
from facegan.schedule import PositiveSchedule, constant
from facegan.seeding import Random


@PENALTIES.register
class ZeroBetween(Penalty):
    """γ · ‖∇D(εx + (1 − ε)G(z))‖², ε uniform on [0, 1] for each image.

    Attributes:
        gamma: γ, or a schedule of it over the run.
    """

    kind: Literal["zero_between"]
    gamma: PositiveSchedule = 1.0

    def __call__(self, critic: Critic, real: Judged, fake: Judged, random: Random) -> Tensor:
        """See `Penalty.__call__`."""
        epsilon = to_device(random.uniform(len(real.images), 1, 1, 1), real.images.device)
        between = epsilon * real.images + (1 - epsilon) * fake.images.detach()
        return constant(self.gamma) * squared_norm(input_gradient(critic, between))
