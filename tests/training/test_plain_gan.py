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

from facegan.data.pack import Pack
from facegan.device import Execution
from facegan.recipe import Recipe
from facegan.training.feed import Feed
from facegan.training.state import TrainingState
from facegan.training.step import Trainer

SCRIPT = Path(__file__).parents[2] / "examples" / "plain_gan.py"
STEPS, BATCH = 30, 12  # nine epochs of 40 images, batches across their ends


@pytest.mark.parametrize("seed", [0, 7])
def test_equal_step_by_step(pack_path: Path, seed: int) -> None:
    """Equal floats, not close ones: the same operations in the same order."""
    recipe = Recipe.load("tanh-gan").override(f"training.batch={BATCH}", f"training.seed={seed}")
    pack = Pack.open(pack_path)
    execution = Execution(torch.device("cpu"))
    feed = Feed.of(recipe, pack, execution)
    state = TrainingState(recipe, pack.spec, execution)
    trainer = Trainer(recipe, state, feed, execution, total=BATCH * STEPS)
    script = runpy.run_path(str(SCRIPT))
    plain = script["train"](pack_path, STEPS, BATCH, seed)
    for expected, average in plain:
        found = {"images_seen": state.images_seen + BATCH, **trainer.step()}
        assert {name: found[name] for name in expected} == expected
        ours, theirs = state.average.parameters(), average.parameters()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert state.images_seen == BATCH * STEPS


def test_the_script_stands_alone(pack_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(pack_path), "--steps", "2", "--batch", "4"],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
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
