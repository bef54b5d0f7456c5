"""What no section of a recipe can refuse by itself: parts that need one another."""

from __future__ import annotations

import pytest

from facegan.errors import RecipeError
from facegan.recipe import Recipe

AUXILIARY = "method.auxiliary={}"
HEAD = "discriminator.heads.auxiliary=true"
ADAPTIVE = "augment={probability={kind='adaptive'}, flip=true}"
HELD_OUT = "augment={probability={kind='adaptive', heuristic='held_out'}, flip=true}"
DIRECTION = "discriminator.heads.direction=true"
SHARE = "method.penalty={kind='r1', share=0.25}"
BY_BATCH = "discriminator={kind='ignm'}"
PRETRAIN = "stages=[{objective='reconstruction'}, {}]"


def ramp(start: float, end: float) -> str:
    return f"{{kind='linear', start={start}, end={end}}}"


# Settings → (what the message names, what the hint offers).
REFUSED = {
    (AUXILIARY, "data.labels=all"): (
        "method.auxiliary needs a discriminator",
        "discriminator.heads.auxiliary=true",
    ),
    (HEAD,): ("no labels to predict", "data.labels=all"),
    (AUXILIARY, HEAD): ("no labels to predict", "data.labels=all"),
    (PRETRAIN,): (" and 128", "discriminator.heads.code=128"),
    (PRETRAIN, "discriminator.heads.code=64"): ("64 and 128", "discriminator.heads.code=128"),
    (PRETRAIN, "discriminator.heads.code=128", "generator.latent.size=100"): (
        "128 and 100",
        "discriminator.heads.code=100",
    ),
    (ADAPTIVE, "method.loss=relativistic"): ("'sign'", "augment.probability.heuristic=held_out"),
    (ADAPTIVE, "method.loss=relativistic_average"): (
        "'sign'",
        "augment.probability.heuristic=held_out",
    ),
    (DIRECTION, "method.loss=relativistic"): ("'relativistic'", "heads.direction=false"),
    (BY_BATCH, SHARE): ("part of a batch", "method.penalty.share=1"),
}
ALLOWED = [
    (DIRECTION,),
    (SHARE,),
    (BY_BATCH, "discriminator.norm=weight", SHARE),
    (AUXILIARY, HEAD, "data.labels=all"),
    (AUXILIARY, HEAD, "data.labels=['Male']"),
    (HEAD, "data.labels=all"),
    (PRETRAIN, "discriminator.heads.code=128"),
    ("discriminator.heads.code=3",),  # nothing reconstructs
    (ADAPTIVE, "method.loss=hinge"),
    (HELD_OUT, "method.loss=relativistic"),
    (HELD_OUT, "method.loss=hinge"),
    ("augment={probability=0.5, flip=true}", "method.loss=relativistic"),
]


@pytest.mark.parametrize("settings", REFUSED, ids=" ".join)
def test_parts_that_lack_one_another_are_refused(settings: tuple[str, ...]) -> None:
    place, help_ = REFUSED[settings]
    with pytest.raises(RecipeError) as caught:
        Recipe.load("gan").override(*settings)
    assert place in caught.value.message
    assert help_ in caught.value.hint


@pytest.mark.parametrize("settings", REFUSED, ids=" ".join)
def test_what_the_hint_says_helps(settings: tuple[str, ...]) -> None:
    """Every hint ends in a setting; with it (and labels, where they are missing) it is allowed."""
    helped = [*settings]
    for _ in range(2):
        try:
            Recipe.load("gan").override(*helped)
        except RecipeError as error:
            words = error.hint.replace(",", " ").split()
            helped.append(next(word.strip(".") for word in words[::-1] if "=" in word))
    Recipe.load("gan").override(*helped)


@pytest.mark.parametrize("settings", ALLOWED, ids=" ".join)
def test_parts_that_fit_are_accepted(settings: tuple[str, ...]) -> None:
    recipe = Recipe.load("gan").override(*settings)
    assert Recipe.parse(recipe.to_toml()) == recipe


@pytest.mark.parametrize(
    ("mix", "place"),
    [
        ("[0.6, 0.6]", "add up to 1.2"),
        (f"[0.5, {ramp(0.0, 0.75)}]", "add up to 1.25"),
        (f"[{ramp(1.0, 0.0)}, {ramp(0.0, 1.0)}, 0.25]", "add up to 1.25"),
        ("[0.5, {kind='cosine', start=0, end=0.625, begin=0.4, finish=0.6}]", "add up to 1.125"),
        ("[1.5]", "between 0 and 1"),
        ("[-0.1]", "between 0 and 1"),
        (f"[{ramp(0.5, -0.5)}]", "between 0 and 1"),
    ],
)
def test_shares_of_a_batch_are_at_most_all_of_it(mix: str, place: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.load("gan").override(f"data.mix={mix}")
    said = str(caught.value)
    assert "data" in caught.value.message
    assert place in said


@pytest.mark.parametrize(
    "mix", ["[]", "[1.0]", "[0.1, 0.2, 0.7]", f"[{ramp(1.0, 0.0)}, {ramp(0.0, 1.0)}]"]
)
def test_shares_that_leave_room(mix: str) -> None:
    recipe = Recipe.load("gan").override(f"data.mix={mix}")
    assert Recipe.parse(recipe.to_toml()) == recipe
