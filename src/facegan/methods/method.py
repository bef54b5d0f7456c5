"""What a method is: the section of a recipe that names it, and what the trainer asks of it.

To add one: a section of its own `kind` that registers itself, and what it builds. The trainer
asks nothing else, and treats all methods alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field

from facegan.config import Config
from facegan.methods.terms import Batch, Networks, Terms
from facegan.networks.interfaces import DiscriminatorConfig, GeneratorConfig
from facegan.registry import Kinds


@dataclass(frozen=True)
class Needs:
    """What a method wants of its batches. Real images, and their labels, are always there.

    Attributes:
        generated: images made by the generator, for both players' updates.
        augmentation: what the recipe does to images before the discriminator sees them; only
            such methods move a probability that adapts.
    """

    generated: bool = True
    augmentation: bool = True


class Method(Protocol):
    """What one update of each player minimises.

    It has no state of its own: the trainer builds it anew for each step. What must outlive a step
    goes to `Batch.memory`. Tensors computed from a whole batch (means, statistics) are those of
    all processes together: see `facegan.networks.layers.processes`.

    Attributes:
        needs: what its batches must have.
    """

    needs: Needs

    def discriminator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the discriminator minimises; generated images come detached."""

    def generator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the generator minimises; generated images come attached to it.

        The discriminator's weights take no gradient from this.
        """


class MethodConfig(Config, ABC):
    """Options of a method: `method` in a recipe, and in a stage that has another.

    Attributes:
        kind: its name in recipes, a Literal.
        n_critic: discriminator updates for each generator update. None: as many as the recipe's
            own method has, or 1.
    """

    kind: str
    n_critic: Annotated[int, Field(ge=1, le=100)] | None = None

    @abstractmethod
    def build(self) -> Method:
        """The method; called with a number in the place of every schedule."""

    @property
    def centred(self) -> bool:
        """Whether the logits that it trains have their border between real and generated at 0.

        Augmentation that adapts by the signs of logits needs it.
        """
        return True

    def round(self, n_critic: int) -> int:
        """The steps after which the costs of a step repeat: lazy terms are in some alone."""
        return 1

    def check(self, generator: GeneratorConfig, discriminator: DiscriminatorConfig) -> None:
        """Refuse networks that it cannot train. Raises RecipeError."""


METHODS = Kinds[MethodConfig]("method", default="adversarial")
