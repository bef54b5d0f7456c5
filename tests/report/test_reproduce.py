"""The commands that a page gives: typing them repeats the run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from facegan.data.spec import ImageSpec
from facegan.recipe import Recipe
from facegan.runs.commands import commands


def _line(recipe: Recipe, **more: Any) -> list[str]:
    found = commands(recipe, 60_032, "runs", {"name": "faces"}, **more)
    return shlex.split(next(c.line for c in found if c.line.startswith("facegan train")))


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("training.batch=32", "method.loss=hinge", "stages.*.*.lr=1e-4"),
        ("method.penalty={kind='r1', gamma=2.5}", 'title="It\'s <mine> & $HOME"'),
        ("stages.0.generator.betas=[0.0, 0.9]", "stages.0.train=['generator']"),
    ],
)
def test_the_command_gives_the_same_recipe(settings: tuple[str, ...]) -> None:
    recipe = Recipe.load("dcgan").override(*settings).with_budget("3min")
    words = _line(recipe)
    assert words[:3] == ["facegan", "train", "dcgan"]
    given = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert Recipe.load(words[2]).override(*given).with_budget("3min") == recipe
    assert words[-2:] == ["--budget", "60.032kimg"]


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("ignm-cpu", "augment.probability=0.5"),
        ("ignm-cpu", "augment={probability=1.0, flip=true}"),
        ("ignm-cpu", "augment.probability={kind='adaptive', target=0.5, heuristic='held_out'}"),
        ("r3gan-cpu", "method.penalty.gamma=1.0"),
        ("r3gan-cpu", "method.penalty={kind='r1', gamma=2.5}"),
        ("dcgan", "stages.0.generator.lr={kind='cosine', start=1e-3, end=0.0}"),
    ],
)
def test_a_schedule_in_the_place_of_a_number_or_the_other_way(name: str, setting: str) -> None:
    recipe = Recipe.load(name).override(setting)
    words = _line(recipe)
    given = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert words[2] == name
    assert Recipe.load(name).override(*given) == recipe


@pytest.mark.parametrize(
    "settings",
    [("name=mine",), ("stages=[{share=1}, {share=2}]", "name=x"), ("name=dcgan-staged",)],
)
def test_the_command_names_the_file_where_settings_would_not_do(
    settings: tuple[str, ...],
) -> None:
    assert _line(Recipe.load("dcgan").override(*settings))[2] == "runs/recipe.toml"


def test_the_command_names_what_was_mixed_in_and_what_it_began_with(tmp_path: Path) -> None:
    from facegan import portraits
    from facegan.data.dataset import Dataset

    portraits.write(tmp_path / "p", 5, resolution=16, seed=2)
    dataset = {"name": "faces", "mixed": [{"name": "made"}, Dataset.open(tmp_path / "p").card]}
    recipe = Recipe.load("gan").override("data.mix=[0.25, 0.5]")
    about: dict[str, Any] = {"spec": ImageSpec(16, 3), "start_from": "my runs/a"}
    drawing, training, _ = commands(recipe, 64, "r", dataset, **about)
    assert drawing.line.startswith("facegan data portraits portraits-mixed-2 -n 5 ")
    words = shlex.split(training.line)
    given = [words[i + 1] for i, word in enumerate(words) if word == "--mix"]
    assert given == ["MIXED-1", "portraits-mixed-2"]
    assert words[words.index("--data") + 1] == "DATASET"
    assert words[words.index("--from") + 1] == "my runs/a"
    assert Recipe.load(words[2]).override(words[words.index("--set") + 1]) == recipe


@pytest.mark.parametrize("mixed", [None, "made", [3]])
def test_a_damaged_list_of_what_was_mixed_in_is_passed_over(mixed: Any) -> None:
    found = commands(Recipe.load("gan"), 64, "r", {"name": "faces", "mixed": mixed})
    assert not any("--mix" in command.line for command in found)


def test_portraits_can_be_drawn_again(tmp_path: Path) -> None:
    from facegan import portraits
    from facegan.data.dataset import Dataset

    portraits.write(tmp_path / "p", 12, resolution=16, channels=1, seed=3)
    card = Dataset.open(tmp_path / "p").card
    first, second, _ = commands(Recipe.load("gan"), 64, "r", card, ImageSpec(16, 1), processes=2)
    assert first.line.endswith("portraits-again -n 12 --resolution 16 --seed 3 --grey")
    assert "--data portraits-again" in second.line
    assert second.line.endswith("--processes 2")
