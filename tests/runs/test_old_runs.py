"""Runs of earlier versions open, go on, and end as a run of today's does.

The fixture was begun by facegan 0.1.0 (commit a543f20) and stopped at 96 of 192 images: a stage
with `objective = "reconstruction"`, then a game with penalty, augmentation and schedules.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from facegan.apps.train import train
from facegan.models.file import GeneratorFile
from facegan.runs.directory import RunDirectory

OLD = Path(__file__).parents[1] / "fixtures" / "run-with-objectives"
Make = Callable[..., Any]


@pytest.fixture
def dataset(make_dataset: Make, tmp_path: Path) -> Path:
    """The dataset that it was begun with."""
    return make_dataset(tmp_path / "dataset", n=12, resolution=8)


def test_its_recipe_is_read_as_todays() -> None:
    assert "objective" in (OLD / "recipe.toml").read_text("utf-8")
    recipe = RunDirectory(OLD).recipe()
    assert [recipe.method_in(stage).kind for stage in recipe.stages] == [
        "reconstruction",
        "adversarial",
    ]
    assert [recipe.n_critic_in(stage) for stage in recipe.stages] == [2, 2]


def test_its_generator_opens() -> None:
    file = GeneratorFile.load(OLD / "checkpoints" / "000000.096k" / "generator.safetensors")
    assert file.images_seen == 96
    assert file.recipe == RunDirectory(OLD).recipe()


def test_it_goes_on_to_the_end_of_a_run_of_today(
    dataset: Path, tmp_path: Path, watcher: Any
) -> None:
    """Equal up to rounding, as the fixture may have been made on another machine.

    Adam magnifies a last digit near zero: 3e-3 was seen between two kinds of processor.
    """
    shutil.copytree(OLD, tmp_path / "old")
    recipe = RunDirectory(OLD).recipe()
    said = watcher()
    assert train(recipe, dataset, tmp_path / "old", threads=1, reporter=said).finished
    assert "Going on from 0.096 kimg." in said.said
    assert train(recipe, dataset, tmp_path / "new", threads=1, reporter=watcher()).finished
    name = "checkpoints/000000.192k/state.safetensors"
    old, new = load_file(tmp_path / "old" / name), load_file(tmp_path / "new" / name)
    assert old.keys() == new.keys()
    for key, value in new.items():
        if not key.startswith("average."):  # moments and running sums magnify it further
            continue
        torch.testing.assert_close(
            old[key], value, rtol=0.1, atol=5e-3, msg=lambda m, k=key: k + m
        )
    seen = [line["images_seen"] for line in RunDirectory(tmp_path / "old").metrics.lines()]
    assert seen == [line["images_seen"] for line in RunDirectory(tmp_path / "new").metrics.lines()]
