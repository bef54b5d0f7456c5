r"""A method of one's own: the game, played on images under noise that fades.

Instance noise (Sønderby et al. 2017, arXiv:1610.04490, section 3.2).

facegan train dcgan --data portraits --run runs/noise \
    --plugin method.py --set method.kind=instance_noise
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from torch import Tensor

from facegan.device import to_device
from facegan.methods import METHODS, AdversarialMethod, Batch, Networks, Terms
from facegan.methods.adversarial import Game
from facegan.schedule import Linear, NonNegativeSchedule, constant


@METHODS.register
class InstanceNoiseConfig(Game):
    """Options of a game with instance noise.

    Attributes:
        noise: its standard deviation in the recipe's pixel range, or a schedule over the run.
    """

    kind: Literal["instance_noise"]
    noise: NonNegativeSchedule = Linear(kind="linear", start=0.1, end=0.0)

    def build(self) -> InstanceNoiseMethod:
        """The method with these options."""
        return InstanceNoiseMethod(self)


class InstanceNoiseMethod(AdversarialMethod):
    """Whatever D looks at has noise on it, for both players."""

    def __init__(self, config: InstanceNoiseConfig) -> None:
        super().__init__(config)
        self._noise = constant(config.noise)

    def discriminator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """See `Method.discriminator_terms`."""
        return super().discriminator_terms(networks, self._noisy(batch))

    def generator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """See `Method.generator_terms`."""
        return super().generator_terms(networks, self._noisy(batch))

    def _noisy(self, batch: Batch) -> Batch:
        def augment(images: Tensor) -> Tensor:
            noise = to_device(batch.random.normal(*images.shape), images.device)
            return batch.augment(images) + self._noise * noise

        return replace(batch, augment=augment)
