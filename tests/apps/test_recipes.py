"""What `facegan recipes` tells: sizes, and costs that are measured once and then known."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from facegan.apps import recipes
from facegan.errors import RecipeError, TrainingError
from facegan.recipe import Recipe, recipe_names
from facegan.training.speed import costs


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's findings will lie."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "recipe-costs.json"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the recipes that were measured, in the place of measuring them."""
    names: list[str] = []

    def pretend(recipe: Recipe, dataset: Any, execution: Any) -> costs.Cost:
        assert dataset.spec.resolution == 32
        names.append(recipe.name)
        return costs.Cost(img_per_s=250.0, batch=16, precision="fp32")

    monkeypatch.setattr(recipes, "measure", pretend)
    return names


def test_every_shipped_recipe_is_listed() -> None:
    listed = recipes.recipes()
    assert [line.name for line in listed] == recipe_names()
    for line in listed:
        assert line.title
        assert line.source
        assert line.size is not None or line.trouble
        assert line.cost is None


def test_sizes_are_those_that_can_be_calculated_and_were_published() -> None:
    gan, r3gan = recipes.recipes(64, ["gan"]), recipes.recipes(256, ["r3gan"])
    pixels = 64 * 64 * 3
    widths = [128, 256, 128, 64, pixels]
    by_hand = sum((a + 1) * b for a, b in pairwise(widths))
    assert gan[0].size is not None
    assert gan[0].size.generator == by_hand
    assert r3gan[0].size is not None
    assert round(r3gan[0].size.generator / 1e6, 2) == 23.06
    assert round(r3gan[0].size.discriminator / 1e6, 2) == 23.01


def test_a_resolution_that_cannot_be_done_is_told_in_words(measured: list[str]) -> None:
    (line,) = recipes.recipes(48, ["r3gan"])
    assert (line.size, line.trouble) == (None, "r3gan cannot make 48×48 images.")
    assert recipes.measured_recipes(48, ["r3gan"]) == [line]
    assert measured == []


def test_what_was_measured_is_known_afterwards(measured: list[str]) -> None:
    said: list[str] = []
    listed = recipes.measured_recipes(32, ["gan", "dcgan"], said.append)
    assert measured == ["gan", "dcgan"]
    assert said == ["measuring gan (1 of 2) …", "measuring dcgan (2 of 2) …"]
    assert recipes.recipes(32, ["dcgan", "gan"]) == listed
    assert recipes.measured_recipes(32, ["gan", "tanh-gan"])[0] == listed[0]
    assert measured == ["gan", "dcgan", "tanh-gan"]
    cost = listed[0].cost
    assert cost is not None
    assert (cost.seconds_per_kimg, listed[0].estimated) == (4.0, True)
    assert recipes.recipes(64, ["gan"])[0].cost is None


def test_another_recipe_or_number_of_threads_is_another_cost(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    recipes.measured_recipes(32, ["gan"])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert recipes.recipes(32, ["gan"])[0].cost is None
    monkeypatch.undo()
    changed = Recipe.load("gan").override("training.batch=8")
    conditions = costs.size_conditions(changed, 32)
    assert conditions != costs.size_conditions(Recipe.load("gan"), 32)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: '{"versions": 1, "entries": 2}',
        lambda text: text.replace('"facegan": "', '"facegan": "0.0.'),
        lambda text: text.replace("250.0", "-1.0"),
        lambda text: text.replace('"found"', '"lost"'),
        lambda text: "\udcff",
    ],
    ids=["cut", "list", "types", "version", "negative", "keys", "not-utf8"],
)
def test_a_damaged_or_older_file_is_ignored_and_written_anew(
    cache: Path, measured: list[str], damage: Callable[[str], str]
) -> None:
    whole = recipes.measured_recipes(32, ["gan"])
    before = cache.read_text("utf-8")
    cache.write_text(damage(before), "utf-8", errors="surrogateescape")
    assert recipes.recipes(32, ["gan"])[0].cost is None
    assert recipes.measured_recipes(32, ["gan"]) == whole
    assert measured == ["gan", "gan"]
    assert cache.read_text("utf-8") == before


def test_a_list_needs_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "file"))
    assert recipes.recipes(32, ["gan"])[0].size is not None


def test_an_unknown_name_is_refused_before_anything_is_measured(measured: list[str]) -> None:
    with pytest.raises(RecipeError, match="no recipe 'dcgam'") as refused:
        recipes.measured_recipes(32, ["gan", "dcgam"])
    assert "mean 'dcgan'" in refused.value.hint
    assert measured == []


def test_one_that_fails_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(recipe: Recipe, *_: Any) -> costs.Cost:
        if recipe.name == "gan":
            raise TrainingError("It diverged.")
        return costs.Cost(img_per_s=1.0, batch=64, precision="fp32")

    monkeypatch.setattr(recipes, "measure", fail)
    gan, tanh_gan = recipes.measured_recipes(32, ["gan", "tanh-gan"])
    assert (gan.cost, gan.trouble) == (None, "Cannot be measured: It diverged.")
    assert tanh_gan.cost is not None


@pytest.mark.parametrize(("patience", "batch"), [(20.0, 32), (19.0, 16), (9.0, 4), (2.0, 4)])
def test_what_would_take_long_is_measured_with_a_smaller_batch(
    tiny: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch, patience: float, batch: int
) -> None:
    """Trying 4 images takes a second here, so that measuring takes 2.5 for each 4."""
    import torch

    from facegan.device import Execution

    clock = iter([0.0, 1.0])
    asked: list[int] = []

    def speed(recipe: Recipe, *_: Any, seconds: float) -> float:
        asked.append(recipe.training.batch)
        return 10.0

    monkeypatch.setattr(costs, "_PATIENCE", patience)
    monkeypatch.setattr(costs, "measure_speed", speed)
    recipe = tiny("gan", "training.batch=32")
    with costs.blobs(32) as dataset:
        monkeypatch.setattr(costs.time, "perf_counter", lambda: next(clock))
        cost = costs.measure(recipe, dataset, Execution(torch.device("cpu")))
    assert cost == costs.Cost(img_per_s=10.0, batch=batch, precision="fp32")
    assert asked == [4, batch]


def test_a_real_measurement_of_a_small_recipe(
    tiny: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from facegan.device import Execution

    monkeypatch.setattr(costs, "_SECONDS", 0.05)
    recipe = tiny("dcgan")
    with costs.blobs(32) as dataset:
        cost = costs.measure(recipe, dataset, Execution(torch.device("cpu")))
    assert cost.batch == recipe.training.batch
    assert 1 < cost.img_per_s < 1e6
    assert not dataset.path.exists()
