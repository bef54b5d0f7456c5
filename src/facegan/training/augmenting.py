"""How a run augments: with which probability, and with which pictures it asks for overfitting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import Tensor

from facegan.augment import Adaptive
from facegan.methods import Batch
from facegan.recipe import Recipe
from facegan.seeding import Random
from facegan.training.batch_source import BatchSource
from facegan.training.state import TrainingState

# The probability follows every fourth update, as in Karras et al. 2020 (ADA), section 3.1:
# the held-out images that it may ask for cost a pass each time.
ADAPTS_EVERY = 4


class Augmenting:
    """Augments the batches of a run as its recipe says.

    Args:
        recipe: says how.
        batch_source: has the images that are kept back, where the probability adapts by them.
        state: keeps the probability, where it adapts.
    """

    def __init__(self, recipe: Recipe, batch_source: BatchSource, state: TrainingState) -> None:
        self._config, self._batch = recipe.augment, recipe.training.batch
        self._batch_source, self._state = batch_source, state
        self._augmentation = (
            None if recipe.augment is None else recipe.augment.build(batch_source.pixels)
        )
        self._probability: float | None = None  # of this step, where it augments

    def prepare(self, batch: Batch, probability: float | Adaptive | None, position: int) -> Batch:
        """A batch that augments its images.

        Args:
            batch: to be augmented.
            probability: of this moment, or how it adapts; None without augmentation.
            position: of the batch in the run, in images.
        """
        if self._augmentation is None or probability is None:
            return batch
        adaptive = isinstance(probability, Adaptive)
        self._probability = (
            self._state.augmenting if isinstance(probability, Adaptive) else probability
        )
        held_out = None
        if adaptive and batch.update % ADAPTS_EVERY == 0:
            held_out = self._batch_source.held_out(position, self._batch)
        augmentation, strength = self._augmentation, self._probability

        def by(numbers: Callable[[], Random]) -> Callable[[Tensor], Tensor]:
            return lambda images: augmentation(images, random=numbers(), probability=strength)

        def fixed() -> Callable[[Tensor], Tensor]:
            return by(batch.random.repeatable())

        if self._config is not None and self._config.paired:
            # Every look at this batch takes the same numbers: real and generated, of both players.
            augment = fixed()
            return replace(batch, augment=augment, fixed=lambda: augment, held_out=held_out)
        augment = by(lambda: batch.random)
        return replace(batch, augment=augment, fixed=fixed, held_out=held_out)

    def follows(self, before: int, after: int) -> bool:
        """Whether `follow` needs a step's values; images seen before and after it."""
        if self._config is None or self._probability is None:
            return False
        return isinstance(self._config.probability, Adaptive) and self._images(before, after) > 0

    def _images(self, before: int, after: int) -> int:
        """For how many images a step moves the probability."""
        updates = range(before // self._batch, after // self._batch)
        asked = sum(update % ADAPTS_EVERY == 0 for update in updates)
        return self._batch * ADAPTS_EVERY * asked

    def follow(self, values: Mapping[str, float], before: int, after: int) -> dict[str, float]:
        """What the journal should know after a step, which may change the probability.

        Args:
            values: of the step.
            before: images seen before it.
            after: and after it.
        """
        if self._config is None or self._probability is None:
            return {}  # the method of this stage does not want it
        used, self._probability = self._probability, None
        adaptive = self._config.probability
        # Where D does not learn, it does not overfit, and nothing is known of it.
        if isinstance(adaptive, Adaptive) and "logits_real" in values:
            images = self._images(before, after)
            if images:
                overfitting = adaptive.overfitting(values)
                self._state.augmenting = adaptive.step(self._state.augmenting, overfitting, images)
        return {"augment/probability": used}
