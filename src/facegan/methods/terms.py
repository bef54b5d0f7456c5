"""The vocabulary between methods and the trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from facegan.networks.interfaces import Discriminator, Generator
from facegan.seeding import Random


@dataclass(frozen=True)
class Networks:
    """The two players."""

    generator: Generator
    discriminator: Discriminator


def unchanged(images: Tensor) -> Tensor:
    """No augmentation."""
    return images


# Who remembers → name → tensor; in the checkpoint, and so the same after a resumption.
Memory = dict[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Batch:
    """What one update sees.

    Attributes:
        real: images [N, C, H, W] in the recipe's range.
        fake: G(z) [N, C, H, W]: detached for the discriminator's update, attached to the
            generator for the generator's; none (N = 0) for a method that does not need them.
        labels: float [N, L] belonging to `real`, and asked of `fake`; None without labels.
        random: further random numbers for this step (interpolations, noise).
        update: how many updates of the discriminator came before this one, in the whole run.
        augment: changes images at random, before the discriminator sees them.
        fixed: gives such a change that is the same at each call, for as many images.
        held_out: real images [M, C, H, W] that are never trained on, where augmentation asks
            how far the discriminator has overfitted; and their labels.
        step: how many updates of the generator came before.
        memory: what methods remember from step to step. Replace tensors, never change them.
    """

    real: Tensor
    fake: Tensor
    labels: Tensor | None
    random: Random
    update: int
    augment: Callable[[Tensor], Tensor] = unchanged
    fixed: Callable[[], Callable[[Tensor], Tensor]] = lambda: unchanged
    held_out: tuple[Tensor, Tensor | None] | None = None
    step: int = 0
    memory: Memory = field(default_factory=dict)


@dataclass
class Terms:
    """What an update minimises, and what it lets us see.

    Attributes:
        losses: name → per-sample tensor [N]; the update minimises the sum of their means.
        weights: name → how often that loss counts in the sum, once where nothing is said. The
            journal shows each loss without it.
        signals: name → detached per-sample tensor [N], for the journal only.
    """

    losses: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    signals: dict[str, Tensor] = field(default_factory=dict)

    def total(self) -> Tensor:
        """The scalar to minimise."""
        means = [
            self.weights.get(name, 1.0) * term.float().mean() for name, term in self.losses.items()
        ]
        return sum(means[1:], start=means[0])
