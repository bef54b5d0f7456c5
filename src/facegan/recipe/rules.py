"""What no section of a recipe can see alone: which of its parts need one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegan.augment import Adaptive
from facegan.errors import RecipeError
from facegan.losses.adversarial import ADVERSARIAL

if TYPE_CHECKING:
    from facegan.recipe import Recipe


def check_parts(recipe: Recipe) -> None:
    """Refuse a recipe whose parts do not fit. Raises RecipeError."""
    heads = recipe.discriminator.heads
    if recipe.method.auxiliary is not None and not heads.auxiliary:
        raise RecipeError(
            "method.auxiliary needs a discriminator that predicts labels, and this one does not.",
            "Set discriminator.heads.auxiliary=true, or leave method.auxiliary out.",
        )
    if heads.auxiliary and not recipe.data.labels:
        raise RecipeError(
            "discriminator.heads.auxiliary: there are no labels to predict.",
            "Name some in data.labels, or all of them: --set data.labels=all.",
        )
    size = recipe.generator.latent.size
    reconstructs = any(stage.objective == "reconstruction" for stage in recipe.stages)
    if reconstructs and heads.code != size:
        raise RecipeError(
            f"A stage that reconstructs needs codes as long as latents, and they are "
            f"{heads.code} and {size} numbers long.",
            f"Set discriminator.heads.code={size}.",
        )
    augment = recipe.augment
    if augment is not None and isinstance(augment.probability, Adaptive):
        relativistic = ADVERSARIAL[recipe.method.loss].relativistic
        if relativistic and augment.probability.heuristic == "sign":
            raise RecipeError(
                "augment.probability.heuristic is 'sign', but only differences of a relativistic "
                "loss's logits mean something.",
                "Set augment.probability.heuristic=held_out.",
            )
