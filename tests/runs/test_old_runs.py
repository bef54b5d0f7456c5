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
from torch import Tensor

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
    """To the same bytes as a run of today that stands where it stood."""
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(OLD, old)
    recipe = RunDirectory(OLD).recipe()
    train(recipe, dataset, new, threads=1, reporter=watcher(96))
    require_equal_where_learned(load_file(OLD / HALF / STATE), load_file(new / HALF / STATE))
    # The rest of both from the same numbers, of whatever processor the fixture's are.
    shutil.rmtree(new / HALF)
    shutil.copytree(OLD / HALF, new / HALF)
    for run in (old, new):
        said = watcher()
        assert train(recipe, dataset, run, threads=1, reporter=said).finished
        assert "Going on from 0.096 kimg." in said.said
    assert (old / END / STATE).read_bytes() == (new / END / STATE).read_bytes()
    seen = [
        [line["images_seen"] for line in RunDirectory(run).metrics.lines()] for run in (old, new)
    ]
    assert seen[0] == seen[1]


HALF, END, STATE = (
    Path("checkpoints/000000.096k"),
    Path("checkpoints/000000.192k"),
    "state.safetensors",
)


def require_equal_where_learned(old: dict[str, Tensor], new: dict[str, Tensor]) -> None:
    """Equal up to rounding, as the fixture may have been made on another machine.

    All but D's biases, which the reconstruction leaves without a gradient: Adam makes whole steps
    of what rounding leaves there, into a direction that each processor chooses.
    """
    assert old.keys() == new.keys()
    for key, value in new.items():
        biases = key.startswith("discriminator.") and key.endswith(".bias")
        if key.startswith("optimizer.") or biases:
            continue
        torch.testing.assert_close(
            old[key], value, rtol=1e-3, atol=1e-5, msg=lambda m, k=key: k + m
        )
