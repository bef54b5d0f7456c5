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
    if heads.direction and ADVERSARIAL[recipe.method.loss].relativistic:
        raise RecipeError(
            f"discriminator.heads.direction learns from single logits, and of the loss "
            f"{recipe.method.loss!r} only their differences mean something.",
            "Set method.loss=hinge, or discriminator.heads.direction=false.",
        )
    penalty = recipe.method.penalty
    if penalty is not None and penalty.share < 1 and _mixes_batch(recipe):
        raise RecipeError(
            f"method.penalty.share is {penalty.share:g}, but this discriminator judges each image "
            "by its batch too, and a part of a batch would be judged otherwise.",
            "Set method.penalty.share=1, or give the discriminator a norm without batch "
            "statistics.",
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


def _mixes_batch(recipe: Recipe) -> bool:
    """Whether D says something else of an image in another batch; most networks do not."""
    return getattr(recipe.discriminator, "mixes_batch", False)
