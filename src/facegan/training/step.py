"""One step: the discriminator's updates, then the generator's. The loop's only arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from facegan.device import Execution, average_, to_device
from facegan.methods import Batch, Method, Terms
from facegan.networks.layers import spectral
from facegan.optimizers import PLAYERS, Player
from facegan.recipe import Recipe
from facegan.seeding import Random, step_random
from facegan.training import ema
from facegan.training.augmenting import Augmenting
from facegan.training.batch_source import BatchSource
from facegan.training.exchange import Exchange
from facegan.training.finite import require_finite
from facegan.training.moment import Moment
from facegan.training.state import TrainingState

# Asking a GPU for a step's values means waiting until it has done all that it was given, and then
# it waits for the next step. So it is asked after so many of them.
_LOOKS_EVERY = 16


class Trainer:
    """Takes steps on a state.

    On a processor each step's values are looked at once it is done, and one that is not finite
    stops the run before the update. On a GPU they are looked at now and then (`look`), and
    meanwhile the device itself leaves out an update whose gradient is not finite.

    Args:
        recipe: what to compute.
        state: what changes.
        batch_source: the real images.
        execution: where and how.
        total: images over which schedules run; after them they stay at their last values.
        looks_every: steps after which their values are looked at; as the device asks by default.
    """

    def __init__(
        self,
        recipe: Recipe,
        state: TrainingState,
        batch_source: BatchSource,
        execution: Execution,
        total: int,
        looks_every: int | None = None,
    ) -> None:
        self.recipe, self.state, self.batch_source, self.execution = (
            recipe,
            state,
            batch_source,
            execution,
        )
        self.total = total
        on_gpu = execution.device.type == "cuda"
        self.exchange = Exchange(recipe, state, execution)
        self._looks_every = looks_every or (_LOOKS_EVERY if on_gpu else 1)
        if self.exchange.every:
            # Looking means waiting for the other processes, too: they meet soon enough.
            self._looks_every = self.exchange.every + 1
        self._seen: dict[str, float] = {}
        self._augmenting = Augmenting(recipe, batch_source, state)

    @property
    def step_images(self) -> int:
        """Images that one step of the present stage shows to the discriminator."""
        return self.recipe.step_images(self.state.stage)

    def step(self) -> dict[str, float]:
        """Take one step.

        Returns:
            Values by name: what schedules set, and what the last step that was looked at computed.

        Raises:
            TrainingError: a value of a step that was looked at is not finite.
        """
        state = self.state
        now = Moment.of(self.recipe, state.images_seen / self.total)
        if now.stage != state.stage_index:
            state.enter(now.stage)
        with self.exchange.step(self.step_images):
            values = self._step(now)
        if self.exchange.every and self.exchange.together:
            values |= self.look()
        return values

    def _step(self, now: Moment) -> dict[str, float]:
        state, recipe = self.state, self.recipe
        before = state.images_seen
        for player, options in now.options.items():
            for group in state.optimizers[player].param_groups:
                group.update(options)
        method = now.method.build()
        learning = state.stage.train
        # The generator does not change before its own update, so the images made for the
        # discriminator's last iteration serve it too, with their graph.
        values: dict[str, Tensor] = {}
        with _kept(state.network(player) for player in PLAYERS if player not in learning):
            for iteration in range(now.n_critic):
                last = iteration == now.n_critic - 1
                batch = self._batch(now, method, graph=last and "generator" in learning)
                if "discriminator" in learning:
                    values |= self._update("discriminator", method, batch, before)
                state.images_seen += recipe.training.batch
            if "generator" in learning:
                values |= self._update("generator", method, batch, before)
                self._average(now, before)
        state.sums.add(values, self.execution, before)
        follows = self._augmenting.follows(before, state.images_seen)
        if follows or state.sums.waiting >= self._looks_every:
            self.look()
        follow = self._augmenting.follow(self._seen, before, state.images_seen)
        return self._seen | now.values | follow

    def look(self) -> dict[str, float]:
        """Wait for the steps taken, and look at their values; before the state is saved.

        Returns:
            The last one's.

        Raises:
            TrainingError: one of them is not finite.
        """
        for before, values in self.state.sums.look():
            require_finite(values, self.state, before, at_once=self._looks_every == 1)
            self._seen = values
        return self._seen

    def _batch(self, now: Moment, method: Method, graph: bool) -> Batch:
        """Real images at the run's position, and what else the method needs."""
        training, execution = self.recipe.training, self.execution
        position = self.state.images_seen
        real, labels = self.batch_source.batch(position, training.batch, now.shares)
        real = execution.layout(real)
        random = step_random(training.seed, position, execution.rank, execution.world)
        update = position // training.batch
        batch = Batch(
            real,
            real[:0],
            labels,
            random,
            update,
            step=update // now.n_critic,
            memory=self.state.memory,
        )
        if method.needs.generated:
            z = self._latents(random, len(real))
            with execution.autocast(), torch.set_grad_enabled(graph):
                batch = replace(batch, fake=self.state.networks.generator(z, labels))
        if method.needs.augmentation:
            batch = self._augmenting.prepare(batch, now.probability, position)
        return batch

    def _latents(self, random: Random, n: int) -> Tensor:
        return to_device(self.state.networks.generator.draw(random, n), self.execution.device)

    def _update(
        self, player: Player, method: Method, batch: Batch, before: int
    ) -> dict[str, Tensor]:
        """Backward and one optimizer step for one player; the other is left untouched."""
        networks, state = self.state.networks, self.state
        network, optimizer = state.network(player), state.optimizers[player]
        optimizer.zero_grad(set_to_none=True)
        with self.execution.autocast():
            if player == "discriminator":
                # What the generator must learn, it learns in its own update.
                if not batch.fake.requires_grad:
                    state.learn("generator", False)
                detached = replace(batch, fake=batch.fake.detach())
                terms = method.discriminator_terms(networks, detached)
            else:
                # Gradients flow through the discriminator to the images, not into its weights.
                state.learn("discriminator", False)
                terms = method.generator_terms(networks, batch)
        terms.total().backward()
        for each in PLAYERS:
            state.learn(each, True)
        gradients = [p.grad for p in state.learning[player] if p.grad is not None]
        if not self.exchange.every:
            average_(gradients, self.execution.world)
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        values = _values(player, terms, norm)
        if self._looks_every > 1 and optimizer.defaults.get("fused"):
            # As fused optimizers know it from scaled gradients: where it is 1, nothing is updated.
            vars(optimizer).update(grad_scale=None, found_inf=1 - torch.isfinite(norm).float())
        elif not torch.isfinite(norm):
            # Before the step, while what is broken is not yet everywhere.
            means = {name: value.detach().float().mean().item() for name, value in values.items()}
            require_finite(means, state, before)
        optimizer.step()
        spectral.follow(network)
        return values

    def _average(self, now: Moment, before: int) -> None:
        """Move the averaged generator."""
        rampup = self.recipe.training.ema_rampup
        old = ema.decay(self.step_images, before, now.half_life, rampup)
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
