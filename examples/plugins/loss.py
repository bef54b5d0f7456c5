r"""An adversarial loss of one's own: hinge with squared margins.

facegan train dcgan --data portraits --run runs/loss \
    --plugin loss.py --set method.loss=squared_hinge
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from facegan.losses.adversarial import ADVERSARIAL, Adversarial


def discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 − D(x))² + max(0, 1 + D(G(z)))², from logits [N] to losses [N]."""
    return relu(1 - real).square() + relu(1 + fake).square()


def generator(real: Tensor, fake: Tensor) -> Tensor:
    """−D(G(z))."""
    return -fake


ADVERSARIAL.add("squared_hinge", Adversarial(discriminator, generator))
