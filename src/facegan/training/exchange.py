"""Processes that train apart for some updates, and then average what they have learned.

Averaging gradients makes several processes compute what one would, and makes them wait for one
another in every layer with batch statistics. Here each process has its own part of the batch, its
own batch statistics and its own updates. Every so many updates, networks, averages, optimizers'
moments and what methods remember are replaced by their means over all processes (FedGAN: Rasouli
et al. 2020, arXiv:2006.07228; local SGD: Stich 2019, arXiv:1805.09767).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import Tensor

from facegan.device import Execution, average_
from facegan.networks.layers import spectral
from facegan.networks.layers.processes import apart
from facegan.optimizers import PLAYERS
from facegan.recipe import Recipe
from facegan.training.state import TrainingState


class Exchange:
    """Keeps several processes apart between exchanges, and brings them together.

    Attributes:
        every: steps between two exchanges; 0 where gradients are averaged instead, or where
            there is one process alone.
        together: whether all processes hold the same state now. Only then may it be saved,
            sampled or measured.

    Args:
        recipe: says how often.
        state: of this process.
        execution: how many processes there are.
    """

    def __init__(self, recipe: Recipe, state: TrainingState, execution: Execution) -> None:
        self.every = recipe.training.exchange if execution.world > 1 else 0
        self.together = True
        self._state, self._world = state, execution.world

    @contextlib.contextmanager
    def step(self, step_images: int) -> Iterator[None]:
        """Compute one step in the block, and exchange after it where it is time.

        Args:
            step_images: images that the step shows to the discriminator, over all processes.
        """
        if not self.every:
            yield
            return
        period, before = self.every * step_images, self._state.images_seen
        with apart():
            yield
        self.together = False
        if self._state.images_seen // period > before // period:
            self.meet()

    def meet(self) -> None:
        """Replace the state by its mean over all processes. Nothing to do where they agree."""
        if self.together:
            return
        average_(list(self._floating()), self._world)
        for player in PLAYERS:
            # A mean of unit vectors is no unit vector.
            spectral.follow(self._state.network(player))
        self.together = True

    def _floating(self) -> Iterator[Tensor]:
        """All that may differ. Counters are equal everywhere."""
        state = self._state
        for network in (state.networks.generator, state.networks.discriminator, state.average):
            yield from (p.data for p in network.parameters())
            yield from (b for b in network.buffers() if b.is_floating_point())
        for player in PLAYERS:
            for moments in state.optimizers[player].state.values():
                yield from (
                    m
                    for m in moments.values()
                    if isinstance(m, Tensor) and m.dim() > 0 and m.is_floating_point()
                )
        for remembered in state.memory.values():
            yield from (m for m in remembered.values() if m.is_floating_point())
