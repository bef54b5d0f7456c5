"""One step: the discriminator's updates, then the generator's. The loop's only arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from facegan.methods.terms import Batch, Terms
from facegan.optimizers import Player, stage_at
from facegan.recipe import Recipe
from facegan.schedule import value_at
from facegan.seeding import Random, step_random
from facegan.training import ema
from facegan.training.execution import Execution, average_
from facegan.training.feed import Feed
from facegan.training.finite import require_finite
from facegan.training.state import PLAYERS, TrainingState


class Trainer:
    """Takes steps on a state.

    Args:
        recipe: what to compute.
        state: what changes.
        feed: the real images.
        execution: where and how.
        total: images in the whole run, for schedules.
    """

    def __init__(
        self, recipe: Recipe, state: TrainingState, feed: Feed, execution: Execution, total: int
    ) -> None:
        self.recipe, self.state, self.feed, self.execution = recipe, state, feed, execution
        self.total = total
        self._method = recipe.method.build()

    @property
    def step_images(self) -> int:
        """Images that one step shows to the discriminator."""
        return self.recipe.training.batch * self.recipe.method.n_critic

    def step(self) -> dict[str, float]:
        """Take one step; returns its values by name. Raises TrainingError on a non-finite one."""
        state, recipe = self.state, self.recipe
        before = state.images_seen
        stage, within = stage_at(recipe.stages, before / self.total)
        if stage != state.stage_index:
            state.enter(stage)
        rates = self._set_rates(within)
        learning = state.stage.train
        # The generator does not change before its own update, so the images made for the
        # discriminator's last iteration serve it too, with their graph.
        values: dict[str, Tensor] = {}
        with _kept(state.network(player) for player in PLAYERS if player not in learning):
            for iteration in range(recipe.method.n_critic):
                last = iteration == recipe.method.n_critic - 1
                batch = self._batch(graph=last and "generator" in learning)
                if "discriminator" in learning:
                    values |= self._update("discriminator", batch, before)
                state.images_seen += recipe.training.batch
            if "generator" in learning:
                values |= self._update("generator", batch, before)
                self._average(before)
        added = state.sums.add(values, self.execution)
        require_finite(added, state, before)
        return added | rates

    def _batch(self, graph: bool) -> Batch:
        """Real images at the run's position, and as many generated ones."""
        training, execution = self.recipe.training, self.execution
        position = self.state.images_seen
        real, labels = self.feed.batch(position, training.batch)
        real = execution.layout(real)
        random = step_random(training.seed, position, execution.rank, execution.world)
        z = self._latents(random, len(real))
        with execution.autocast(), torch.set_grad_enabled(graph):
            fake = self.state.networks.generator(z, labels)
        return Batch(real, fake, labels, random)

    def _latents(self, random: Random, n: int) -> Tensor:
        z = self.state.networks.generator.latent.draw(random, n)
        return z.to(self.execution.device, non_blocking=True)

    def _update(self, player: Player, batch: Batch, before: int) -> dict[str, Tensor]:
        """Backward and one optimizer step for one player; the other is left untouched."""
        networks, state = self.state.networks, self.state
        network, optimizer = state.network(player), state.optimizers[player]
        optimizer.zero_grad(set_to_none=True)
        with self.execution.autocast():
            if player == "discriminator":
                detached = Batch(batch.real, batch.fake.detach(), batch.labels, batch.random)
                terms = self._method.discriminator_terms(networks, detached)
            else:
                # Gradients flow through the discriminator to the images, not into its weights.
                networks.discriminator.requires_grad_(False)
                terms = self._method.generator_terms(networks, batch)
        terms.total().backward()
        networks.discriminator.requires_grad_(True)
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        average_(gradients, self.execution.world)
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        values = _values(player, terms, norm)
        if not torch.isfinite(norm):
            # Before the step, while what is broken is not yet everywhere.
            means = {name: value.detach().float().mean().item() for name, value in values.items()}
            require_finite(means, state, before)
        optimizer.step()
        return values

    def _set_rates(self, progress: float) -> dict[str, float]:
        """Resolve the schedules at this point of the stage."""
        rates = {}
        for player in self.state.stage.train:
            rate = value_at(getattr(self.state.stage, player).lr, progress)
            for group in self.state.optimizers[player].param_groups:
                group["lr"] = rate
            rates[f"{player}/lr"] = rate
        return rates

    def _average(self, before: int) -> None:
        training = self.recipe.training
        old = ema.decay(self.step_images, before, training.ema_half_life, training.ema_rampup)
        ema.update(self.state.average, self.state.networks.generator, old)


@contextmanager
def _kept(frozen: Iterable[nn.Module]) -> Iterator[None]:
    """Keep the statistics of networks that do not learn: every pass through them moves them."""
    buffers = [buffer for network in frozen for buffer in network.buffers()]
    before = [buffer.clone() for buffer in buffers]
    yield
    for buffer, value in zip(buffers, before, strict=True):
        buffer.copy_(value)


def _values(player: Player, terms: Terms, norm: Tensor) -> dict[str, Tensor]:
    values = {f"{player}/{name}": term for name, term in terms.losses.items()}
    return values | terms.signals | {f"{player}/gradient_norm": norm}
