"""Generators that learned against a frozen network are measured with another one too.

A discriminator on frozen features tells its generator what to look like in that very feature
space. A distance there falls further than the pictures get better (Kynkäänniemi et al. 2023,
arXiv:2203.06026).
"""

from __future__ import annotations

from collections.abc import Sequence

from facegan.recipe import Recipe

# The network that discriminators of the kind `features` look through, as extractors name it;
# and one that has nothing in common with it.
_NETWORK, ANOTHER = "efflite0", "selfsup"


def flattering(recipe: Recipe, extractors: Sequence[str]) -> list[str]:
    """Those of the extractors that are the network this recipe's discriminator looks through."""
    if recipe.discriminator.kind != "features":
        return []
    return [name for name in extractors if name.partition("@")[0] == _NETWORK]


def caveat(recipe: Recipe, extractors: Sequence[str]) -> str | None:
    """What to say beside scores in these spaces; None where there is nothing to say."""
    flattered = flattering(recipe, extractors)
    if not flattered:
        return None
    text = (
        "The discriminator was trained on features of the same network as "
        f"{' and '.join(flattered)}: scores there flatter this generator, and compare with no "
        "other method's."
    )
    others = [name for name in extractors if name not in flattered]
    if others:
        return f"{text} Go by {' and '.join(others)}."
    return f"{text} Measure it with another extractor too, such as {ANOTHER}."
