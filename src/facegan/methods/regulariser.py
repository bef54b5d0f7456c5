"""What may be added to a game, on either player: `method.regularisers` in a recipe.

A regulariser is a section of the recipe and what it computes in one, as penalties are. It sees the
update as the game does, and gives one value for each image; it may remember tensors between
steps, which are then part of the checkpoint.
"""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from torch import Tensor

from facegan.config import Config
from facegan.errors import RunError
from facegan.losses.gradient_norm import Judged
from facegan.losses.penalties import Every
from facegan.methods.terms import Batch, Networks
from facegan.registry import Kinds
from facegan.schedule import PositiveSchedule


@dataclass(frozen=True)
class Update:
    """One update of one player, as a regulariser sees it.

    Attributes:
        networks: the two players.
        batch: the update's images, labels, random numbers and augmentation.
        fake: generated images as the discriminator was shown them, and its logits.
        real: the same of real images; in the generator's update None, unless its loss needs them.
        memory: tensors by name that this regulariser wants to find again at its next update.
            They are the same in every process: take means over all of them.
    """

    networks: Networks
    batch: Batch
    fake: Judged
    real: Judged | None
    memory: dict[str, Tensor]

    def critic(self, images: Tensor) -> Tensor:
        """The discriminator's logits [N] of other images, with the labels of the batch."""
        return self.networks.discriminator(images, self.batch.labels)

    def remembered(self, name: str, now: Tensor) -> Tensor:
        """What `memory` has under this name; at the first update `now`, which has its shape.

        Raises:
            RunError: it has another shape, which a checkpoint must have brought.
        """
        found = self.memory.get(name, now)
        if found.shape != now.shape or found.dtype != now.dtype:
            raise RunError(
                f"The checkpoint does not fit the recipe: {name} is {found.dtype} "
                f"{list(found.shape)}, not {now.dtype} {list(now.shape)}.",
                "The run's folder was changed by hand; begin again in another one.",
            )
        return found


class Regulariser(Config, ABC):
    """A term beside the game's own. Subclasses define it for one player, or for both.

    Attributes:
        kind: its name in recipes, a Literal, and that of its losses in the journal.
        weight: how much it counts beside the game's loss, or a schedule of it over the run. The
            journal shows the loss without it.
        every: in each k-th update of the player, k times as much (lazy regularisation).
    """

    kind: str
    weight: PositiveSchedule = 1.0
    every: Every = 1

    def discriminator_loss(self, update: Update) -> Tensor | None:
        """What the discriminator minimises besides, [N]; None for nothing."""
        return None

    def generator_loss(self, update: Update) -> Tensor | None:
        """What the generator minimises besides, [N]; None for nothing."""
        return None


REGULARISERS = Kinds[Regulariser]("regulariser")
