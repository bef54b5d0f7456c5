"""The trainer against its specification, the flat script examples/plain_gan.py."""

from __future__ import annotations

import ast
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from facegan.data.dataset import Dataset
from facegan.device import Execution
from facegan.recipe import Recipe
from facegan.training.batch_source import BatchSource
from facegan.training.state import TrainingState
from facegan.training.step import Trainer

SCRIPT = Path(__file__).parents[2] / "examples" / "plain_gan.py"
STEPS, BATCH = 30, 12  # nine epochs of 40 images, batches across their ends


@pytest.mark.parametrize("seed", [0, 7])
def test_equal_step_by_step(dataset_path: Path, seed: int) -> None:
    """Equal floats, not close ones: the same operations in the same order."""
    recipe = Recipe.load("tanh-gan").override(f"training.batch={BATCH}", f"training.seed={seed}")
    dataset = Dataset.open(dataset_path)
    execution = Execution(torch.device("cpu"))
    batch_source = BatchSource.of(recipe, dataset, execution)
    state = TrainingState(recipe, dataset.spec, execution)
    trainer = Trainer(recipe, state, batch_source, execution, total=BATCH * STEPS)
    script = runpy.run_path(str(SCRIPT))
    plain = script["train"](dataset_path, STEPS, BATCH, seed)
    for expected, average in plain:
        found = {"images_seen": state.images_seen + BATCH, **trainer.step()}
        assert {name: found[name] for name in expected} == expected
        ours, theirs = state.average.parameters(), average.parameters()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert state.images_seen == BATCH * STEPS


def test_the_script_stands_alone(dataset_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(dataset_path), "--steps", "2", "--batch", "4"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["images_seen"] for line in lines] == [4, 8]


def test_the_script_is_short_and_imports_little() -> None:
    text = SCRIPT.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    outside = names - set(sys.stdlib_module_names)
    assert outside == {"numpy", "torch"}
