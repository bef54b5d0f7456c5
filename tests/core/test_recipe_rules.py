"""What no section of a recipe can refuse by itself: parts that need one another."""

from __future__ import annotations

from typing import Any

import pytest

from facegan.errors import RecipeError
from facegan.evaluation.wording import settings
from facegan.methods import AdversarialConfig, ReconstructionConfig
from facegan.methods.adversarial import Auxiliary
from facegan.recipe import Recipe, Stage
from facegan.recipe.recipe import Training

AUXILIARY = "method.auxiliary={}"
HEAD = "discriminator.heads.auxiliary=true"
ADAPTIVE = "augment={probability={kind='adaptive'}, flip=true}"
HELD_OUT = "augment={probability={kind='adaptive', heuristic='held_out'}, flip=true}"
DIRECTION = "discriminator.heads.direction=true"
SHARE = "method.penalty={kind='r1', share=0.25}"
BY_BATCH = "discriminator={kind='ignm'}"
PRETRAIN = "stages=[{objective='reconstruction'}, {}]"


# As recipes of earlier versions have it; and as it is written now.
PRETRAIN_NOW = "stages=[{method={kind='reconstruction'}}, {}]"


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


def fields(recipe: Recipe) -> dict[str, Any]:
    """Its sections, as Python code would hand them to `Recipe`."""
    return {name: getattr(recipe, name) for name in Recipe.model_fields}


def test_parts_are_checked_however_a_recipe_is_made() -> None:
    recipe = Recipe.load("gan")
    assert Recipe(**fields(recipe)) == recipe
    auxiliary = AdversarialConfig(auxiliary=Auxiliary())
    for wrong in (
        {"method": auxiliary},
        {"method": {"kind": "adversarial", "auxiliary": {}}},
        {"stages": (Stage(), Stage(method=ReconstructionConfig()))},
        {"stages": (Stage(method=auxiliary),)},
        {"training": {"budget": "soon"}},
    ):
        for make in (lambda values: Recipe(**values), Recipe.model_validate):
            with pytest.raises(RecipeError) as caught:
                make(fields(recipe) | wrong)
            assert caught.value.hint
    with pytest.raises(RecipeError, match="budget"):
        Training(budget="7")


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


def test_objectives_of_earlier_recipes_are_read_as_methods() -> None:
    code = "discriminator.heads.code=128"
    old, now = (Recipe.load("gan").override(code, way) for way in (PRETRAIN, PRETRAIN_NOW))
    assert old == now
    assert [stage.method for stage in old.stages] == [ReconstructionConfig(), None]
    assert [old.method_in(stage).kind for stage in old.stages] == ["reconstruction", "adversarial"]
    assert "objective" not in now.to_toml()
    plain = "stages=[{objective='game'}]"
    assert Recipe.load("gan").override(plain) == Recipe.load("gan")


@pytest.mark.parametrize("critic", [1, 3])
def test_a_stage_takes_the_recipes_n_critic_where_its_method_names_none(critic: int) -> None:
    settings = ("discriminator.heads.code=128", PRETRAIN, f"method.n_critic={critic}")
    recipe = Recipe.load("gan").override(*settings)
    assert [recipe.n_critic_in(stage) for stage in recipe.stages] == [critic, critic]
    other = recipe.override("stages.0.method.n_critic=2")
    assert [other.n_critic_in(stage) for stage in other.stages] == [2, critic]


def test_stars_in_a_stage_are_its_players() -> None:
    """Also where it has a method of its own."""
    settings = ("discriminator.heads.code=128", PRETRAIN_NOW)
    recipe = Recipe.load("gan").override(*settings).override("stages.*.*.lr=1e-5")
    assert {stage.generator.lr for stage in recipe.stages} == {1e-5}
    assert {stage.discriminator.lr for stage in recipe.stages} == {1e-5}
    assert recipe.stages[0].method == ReconstructionConfig()


def test_a_regulariser_is_listed_once() -> None:
    twice = "method.regularisers=[{kind='lecam'}, {kind='path_length'}, {kind='lecam', weight=1}]"
    with pytest.raises(RecipeError) as caught:
        Recipe.load("gan").override(twice)
    assert "method.regularisers" in caught.value.message
    assert "lecam" in caught.value.hint
    assert "path_length" not in caught.value.hint


@pytest.mark.parametrize(
    ("setting", "place", "offered"),
    [
        ("method.regularisers=[{kind='lekam'}]", "method.regularisers.0.kind", "lecam"),
        ("method.regularisers=[{kind='lecam', wait=1}]", "method.regularisers.0.wait", "weight"),
        ("method.regularisers=[{weight=1}]", "method.regularisers.0", "path_length"),
        ("method.kind=adversary", "method.kind", "adversarial"),
        ("stages.0.method={kind='feature'}", "stages.0.method.kind", "feature_matching"),
        ("stages.0.method={kind='reconstruction', n_critics=2}", "n_critics", "n_critic"),
        ("method=3", "method", "table"),
    ],
)
def test_kinds_that_are_not_there_are_refused_with_help(
    setting: str, place: str, offered: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.load("gan").override(setting)
    assert place in caught.value.message
    assert offered in caught.value.hint


def test_a_listed_table_is_written_as_a_table_is() -> None:
    recipe = Recipe.load("gan").override("method.regularisers=[{kind='lecam', weight=0.5}]")
    written = settings(recipe.values()["method"])
    assert "regularisers (lecam, weight 0.5, every 1, decay 0.99)" in written
    assert "{" not in written
