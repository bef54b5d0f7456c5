"""The losses of every shipped recipe's first steps, kept in a file: a change of them is a decision.

In float64 and from weights that NumPy draws, so that no processor's rounding moves them. After a
change that is meant, write the file anew and say why in the message:

    python tests/training/test_golden_losses.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from process_cases import DoubleBatchSource, in_double
from torch import nn

from facegan.data.dataset import Dataset
from facegan.device import Execution
from facegan.recipe import Recipe, recipe_names
from facegan.training.state import TrainingState
from facegan.training.step import Trainer

STEPS = 4
FILE = Path(__file__).with_name("golden_losses.json")
# SGD: Adam turns the sign of a gradient near zero into a whole step.
CALM = ("stages.*.*={kind='sgd', lr=0.01}", "training.seed=3")


def losses(recipe: Recipe, dataset: Path) -> dict[str, float]:
    """All values of the first steps, by step and name."""
    execution = Execution(torch.device("cpu"))
    found: dict[str, float] = {}
    with in_double():
        batch_source = DoubleBatchSource.of(recipe, Dataset.open(dataset), execution)
        state = TrainingState(recipe, batch_source.spec, execution, batch_source.label_rows())
        for network in (state.networks.generator, state.networks.discriminator, state.average):
            fill(network.double())
        trainer = Trainer(recipe, state, batch_source, execution, total=10**6)
        for step in range(STEPS):
            found |= {f"{step}.{name}": value for name, value in trainer.step().items()}
    return found


def fill(network: nn.Module) -> None:
    """Give weights values of their own size; biases, gains and what begins at zero keep theirs."""
    random = np.random.default_rng(0)
    with torch.no_grad():
        for weight in network.parameters():
            drawn = random.standard_normal(tuple(weight.shape))
            if weight.dim() > 1 and weight.any():
                weight.copy_(torch.from_numpy(drawn) / weight[0].numel() ** 0.5)


@pytest.mark.parametrize("name", recipe_names())
def test_losses_are_as_they_were(
    tiny: Callable[..., Recipe], dataset_path: Path, name: str
) -> None:
    expected = json.loads(FILE.read_text("utf-8"))[name]
    found = losses(tiny(name, *CALM), dataset_path)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_file_has_no_recipe_that_is_gone() -> None:
    assert sorted(json.loads(FILE.read_text("utf-8"))) == sorted(recipe_names())


def _write_anew() -> None:
    import tempfile

    sys.path.insert(0, str(Path(__file__).parent.parent))
    from conftest import write_dataset
    from tiny import SHORT, TINY, TINY_RECIPES

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(Path(folder) / "dataset")
        for name in recipe_names():
            recipe = Recipe.load(name)
            small = (*TINY[recipe.generator.kind], *TINY_RECIPES.get(name, ()))
            found[name] = losses(recipe.override(*small, *SHORT, *CALM), dataset)
    FILE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    _write_anew()
