from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from facegan.errors import RecipeError
from facegan.recipe import Recipe, difference, recipe_names, shipped_text

NAMES = recipe_names()


def test_the_shipped_recipes_are_in_the_order_of_the_story() -> None:
    assert NAMES[:4] == ["gan", "tanh-gan", "dcgan", "dcgan-staged"]


@pytest.mark.parametrize("name", NAMES)
class TestShipped:
    def test_says_what_it_is_and_where_from(self, name: str) -> None:
        recipe = Recipe.load(name)
        assert recipe.name == name
        assert recipe.title
        assert len(recipe.source) > 20

    def test_toml_and_back(self, name: str, tmp_path: Path) -> None:
        recipe = Recipe.load(name)
        assert Recipe.parse(recipe.to_toml()) == recipe
        file = tmp_path / "own.toml"
        file.write_text(recipe.to_toml(), "utf-8")
        assert Recipe.load(file) == Recipe.load(str(file)) == recipe
        assert Recipe.parse(recipe.to_toml()).to_toml() == recipe.to_toml()

    def test_the_file_reads_as_it_resolves(self, name: str) -> None:
        assert Recipe.parse(shipped_text(name)) == Recipe.load(name)

    def test_is_frozen(self, name: str) -> None:
        recipe = Recipe.load(name)
        with pytest.raises(ValidationError, match="frozen"):
            recipe.name = "other"
        with pytest.raises(ValidationError, match="frozen"):
            recipe.training.batch = 3


def test_what_the_sources_say() -> None:
    gan, tanh, dcgan = (Recipe.load(n) for n in ("gan", "tanh-gan", "dcgan"))
    assert (gan.data.range, tanh.data.range) == ("unit", "symmetric")
    changed = {line.partition(":")[0] for line in difference(gan, tanh)}
    assert changed == {"name", "title", "source", "data.range"}
    adam = dcgan.stages[0].generator
    assert (adam.kind, adam.lr, adam.betas) == ("adam", 2e-4, (0.5, 0.999))
    assert dcgan.generator.latent.distribution == "uniform"
    assert len(Recipe.load("dcgan-staged").stages) == 3


def test_settings_that_need_exact_numbers_survive_toml() -> None:
    recipe = Recipe.load("gan").override("training.ema_half_life=0.1", "stages.*.*.lr=1.1e-17")
    again = Recipe.parse(recipe.to_toml())
    assert again.training.ema_half_life == 0.1
    assert again.stages[0].generator.lr == 1.1e-17


def test_schedules_and_estimates_survive_toml() -> None:
    recipe = Recipe.load("gan").override(
        "method.penalty={kind='r1r2', every=4}",
        "method.penalty.gamma={kind='cosine', start=2, end=0.2, finish=0.3}",
        "method.penalty.estimate={kind='finite_difference', sigma=0.01}",
        "stages.*.*.betas=[0, {kind='cosine', start=0.9, end=0.99, finish=0.3}]",
        "training.ema_half_life={kind='cosine', start=0, end=500, finish=0.3}",
    )
    assert Recipe.parse(recipe.to_toml()) == recipe
    penalty = recipe.method.penalty
    assert (penalty.every, penalty.gamma.end, penalty.estimate.sigma) == (4, 0.2, 0.01)
    assert recipe.override("method.penalty.gamma=3").method.penalty.gamma == 3.0
    assert recipe.stages[0].generator.betas[0] == 0.0
    assert recipe.stages[0].generator.betas[1].end == 0.99
    changed = [line for line in difference(Recipe.load("gan"), recipe) if "betas" in line]
    assert "stages.0.discriminator.betas.1.finish: (absent) → 0.3" in changed


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("training.batch=32", "training.batch", 32),
        ("training.budget=5kimg", "training.budget", "5kimg"),
        ('training.budget="5kimg"', "training.budget", "5kimg"),
        ("training.ema_half_life=2", "training.ema_half_life", 2.0),
        ("generator.hidden=[7, 9]", "generator.hidden", (7, 9)),
        ("generator.hidden.1=5", "generator.hidden", (256, 5, 64)),
        (" training.seed = 9 ", "training.seed", 9),
        ("method.n_critic=5", "method.n_critic", 5),
        ("method.penalty.kind=r1", "method.penalty.gamma", 1.0),
    ],
)
def test_override(setting: str, path: str, value: Any) -> None:
    recipe = Recipe.load("gan")
    found: Any = recipe.override(setting)
    for part in path.split("."):
        found = getattr(found, part)
    assert found == value
    assert recipe == Recipe.load("gan")


def test_override_with_stars_reaches_every_stage_and_player() -> None:
    recipe = Recipe.load("dcgan-staged").override("stages.*.*.lr=3e-4", "stages.1.generator.lr=1")
    rates = [(s.discriminator.lr, s.generator.lr) for s in recipe.stages]
    assert rates == [(3e-4, 3e-4), (3e-4, 1.0), (3e-4, 3e-4)]
    assert Recipe.load("gan").override("stages.*.train=['generator']").stages[0].train == (
        "generator",
    )
    assert Recipe.load("gan").override("generator.hidden.*=3").generator.hidden == (3, 3, 3)


def test_stars_never_miss_in_silence() -> None:
    """These stages do not spell out their optimizers: set the default's rate, or say so."""
    settings = ("stages=[{}, {share=2.0}]", "stages.*.*.lr=3e-4")
    try:
        recipe = Recipe.load("gan").override(*settings)
    except RecipeError:
        return
    assert [(s.discriminator.lr, s.generator.lr) for s in recipe.stages] == [(3e-4, 3e-4)] * 2


def test_the_last_of_two_overrides_counts() -> None:
    recipe = Recipe.load("gan").override("training.batch=4", "training.batch=6")
    assert recipe.training.batch == 6


# Override → (what the message names, what the hint offers).
REFUSED = {
    "training.bach=32": ("training.bach", "'batch'"),
    "trianing.batch=32": ("trianing", "'training'"),
    "generator.hiden=[1]": ("generator.hiden", "'hidden'"),
    "generator.latent.sise=3": ("generator.latent.sise", "'size'"),
    "stages.0.generator.momentum=0.9": ("stages.0.generator.momentum", "betas"),
    "stages.0.generator.kind=adan": ("stages.0.generator.kind", "'adam'"),
    "generator.kind=dcgam": ("generator.kind", "'dcgan'"),
    "method.loss=hinges": ("method.loss", "'hinge'"),
    "method.penalty.kind=r3": ("method.penalty.kind", "r1"),
    "method.penalty.gamma=3": ("method.penalty", "kind"),
    "method.penalty={kind='gradient_penalty', gamma=1}": ("method.penalty.gamma", "weight"),
    "method.penalty={kind='r1', every=0}": ("method.penalty.every", "1"),
    "method.penalty={kind='r1', estimate='exact'}": ("method.penalty.estimate", "table"),
    "method.penalty={kind='r1', estimate={kind='finite'}}": (
        "method.penalty.estimate.kind",
        "finite_difference",
    ),
    "method.penalty={kind='r1', estimate={kind='exact', sigma=0.1}}": (
        "method.penalty.estimate.sigma",
        "kind",
    ),
    "method.penalty={kind='r1', gamma={kind='cosine', start=1, end=-1}}": (
        "method.penalty.gamma",
        "greater than 0",
    ),
    "stages.0.generator.betas=[0, {kind='cosine', start=0.9, end=1}]": ("betas.1", "less than 1"),
    "training.ema_half_life={kind='linear', start=0, end=0}": ("ema_half_life", "greater than 0"),
    "data.range=tanh": ("data.range", "symmetric"),
    "training.batch=1": ("training.batch", "2"),
    "training.batch=8.5": ("training.batch", "integer"),
    "training.batch=true": ("training.batch", "integer"),
    "training.batch=many": ("'many'", "integer"),
    "training.seed=-1": ("training.seed", "0"),
    "training.ema_half_life=inf": ("training.ema_half_life", "finite"),
    "training.budget=soon": ("soon", "10min"),
    "stages=[]": ("stages", "1"),
    "stages.0.train=[]": ("stages.0.train", "1"),
    "stages.0.train=['critic']": ("stages.0.train", "discriminator, generator"),
    "stages.3.share=1": ("stages.3", "0 to 0"),
    "stages.-1.share=1": ("-1", "0 to 0"),
    "stages.².share=1": ("²", "0 to 0"),
    "training.batch.size=1": ("size", "Shorten"),
    "training.batch": ("a.b=value", "training.batch=32"),
    "=3": ("a.b=value", "training.batch=32"),
    "stages.*.*.lr=-1": ("lr", "0"),
    "stages.*.*.lr=1e300": ("lr", ""),
    "stages.0.generator.lr={kind='linear', start=1e-4, end=-1e-4}": ("lr", "0"),
    "stages.0.generator.lr={kind='linear', start=-1e-4, end=1e-4}": ("lr", "0"),
    "stages.0.generator.lr={kind='step', start=1e-4, end=1e-5}": ("lr", "cosine"),
    "stages.0.generator.lr={kind='linear', start=1e-4, finish=0}": ("lr", ""),
    "data.*=unit": ("data.*", ""),
    "method.*.gamma=2": ("method.*", ""),
}


@pytest.mark.parametrize("setting", REFUSED)
def test_what_makes_no_sense_is_refused_with_help(setting: str) -> None:
    place, help_ = REFUSED[setting]
    with pytest.raises(RecipeError) as caught:
        Recipe.load("gan").override(setting)
    assert place in caught.value.message
    assert help_ in caught.value.hint


def test_names_and_files_that_are_not_recipes(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="dcgn") as caught:
        Recipe.load("dcgn")
    assert "'dcgan'" in caught.value.hint
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ", "utf-8")
    with pytest.raises(RecipeError, match=r"broken\.toml is not valid TOML"):
        Recipe.load(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    for path in (broken, tmp_path, tmp_path / "absent.toml"):
        with pytest.raises(RecipeError, match="cannot be read"):
            Recipe.load(path)
    with pytest.raises(RecipeError, match="lacks 'generator'"):
        Recipe.parse('name = "a"\ntitle = "b"\nsource = "c"\ndiscriminator = { kind = "mlp" }')


def test_difference_names_every_changed_value() -> None:
    old = Recipe.load("gan")
    new = old.override("training.batch=32", "method.penalty.kind=r1", "stages.0.generator.lr=0.1")
    assert difference(old, old) == []
    assert difference(old, new) == [
        "method.penalty.at: (absent) → seen",
        "method.penalty.estimate.kind: (absent) → exact",
        "method.penalty.every: (absent) → 1",
        "method.penalty.gamma: (absent) → 1.0",
        "method.penalty.kind: (absent) → r1",
        "method.penalty.share: (absent) → 1.0",
        "stages.0.generator.lr: 0.0002 → 0.1",
        "training.batch: 64 → 32",
    ]


def test_with_budget_changes_the_budget_alone() -> None:
    assert difference(Recipe.load("gan"), Recipe.load("gan").with_budget("7kimg")) == [
        "training.budget: 10min → 7kimg"
    ]
    with pytest.raises(RecipeError, match="not a budget"):
        Recipe.load("gan").with_budget("7")


def test_the_commands_in_the_documentation_name_recipes_that_can_be() -> None:
    text = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
    typed = re.findall(r"^facegan train (.*)$", text.replace("\\\n", " "), re.MULTILINE)
    commands = [shlex.split(line, comments=True) for line in typed]
    assert len(commands) >= 5
    kinds = set()
    for name, *words in (words for words in commands if not words[0].endswith(".toml")):
        settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        method = Recipe.load(name).override(*settings).method
        kinds |= {method.kind, *(each.kind for each in method.regularisers)}
    assert {"consistency", "lecam", "path_length", "feature_matching"} <= kinds
