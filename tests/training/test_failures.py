"""What happens when the numbers stop being numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan.apps.train import train
from facegan.errors import TrainingError
from facegan.models.file import GeneratorFile
from facegan.runs.checkpoint import latest
from facegan.runs.directory import RunDirectory
from facegan.runs.find import find_generator

Make = Callable[..., Any]
# Good for two thirds of the run, then a rate that nothing survives.
DIVERGING = """stages=[
  { share=2.0 },
  { share=1.0, discriminator={kind='sgd', lr=1e30}, generator={kind='sgd', lr=1e30} },
]""".replace("\n", "")


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_divergence_stops_and_names_the_place(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, name: str
) -> None:
    recipe = tiny(name, DIVERGING, "training.snapshots=24")
    with pytest.raises(TrainingError) as caught:
        train(recipe, dataset_path, tmp_path / "run", reporter=watcher())
    message = caught.value.message
    assert caught.value.exit_code == 1
    assert "diverged at 0.1" in message
    assert "kimg" in message
    assert re.search(r"in the (dis|gen)\w+, in the (gradient|weight) of layers\.\d", message)
    assert "stages.*.*.lr" in caught.value.hint
    kept = latest(tmp_path / "run" / "checkpoints")
    assert kept is not None
    for key, value in kept.tensors().items():
        assert torch.isfinite(value.double()).all(), f"the checkpoint kept has a broken {key}"
    generator = GeneratorFile.load(find_generator(tmp_path / "run")).generator
    assert torch.isfinite(generator(torch.zeros(2, 6))).all()
    for line in RunDirectory(tmp_path / "run").metrics.lines():
        assert all(abs(value) < float("inf") for value in line.values())


def test_a_rate_of_a_million(tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path) -> None:
    """Already the norm of a gradient may be too large for float32, when no number in it is."""
    recipe = tiny("gan", "stages.*.*={kind='sgd', lr=1e6}", "method.loss=least_squares")
    with pytest.raises(TrainingError, match=r"It began in the \w+, in the \w+ of layers\.\d"):
        train(recipe, dataset_path, tmp_path / "run", reporter=watcher())


def test_going_on_fails_in_the_same_way(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path
) -> None:
    recipe = tiny("gan", DIVERGING, "training.snapshots=8")
    messages = []
    for _ in range(2):
        with pytest.raises(TrainingError) as caught:
            train(recipe, dataset_path, tmp_path / "run", reporter=watcher())
        messages.append(caught.value.message)
    assert messages[0] == messages[1]


def test_a_broken_state_is_never_saved(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    """The last update of a step may break weights after all its values were still finite."""
    # RMSProp's first update is 10 times the rate, wherever the gradient is not zero: infinite.
    broken = "{ generator={kind='rmsprop', lr=3e38} }"
    recipe = tiny("gan", f"stages=[{{ share=2.0 }}, {broken}]", "training.snapshots=24")
    with pytest.raises(TrainingError):
        train(recipe, dataset_path, tmp_path / "run", reporter=watcher())
    kept = latest(tmp_path / "run" / "checkpoints")
    assert kept is not None
    for key, value in kept.tensors().items():
        assert torch.isfinite(value.double()).all(), f"{kept.path.name} has a broken {key}"


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("layer", ["layers.0", "layers.2"])
def test_a_broken_weight_is_named(tiny: Make, trainer_of: Make, player: str, layer: str) -> None:
    """Not the layers that it infected: after it every loss and every gradient is NaN."""
    trainer = trainer_of(tiny("tanh-gan"))
    trainer.step()
    with torch.no_grad():
        trainer.state.network(player).get_parameter(f"{layer}.weight")[0, 0] = torch.nan
    with pytest.raises(TrainingError) as caught:
        trainer.step()
    assert "diverged at 0.008 kimg" in caught.value.message
    assert f"in the {player}" in caught.value.message
    assert f"weight of {layer}.weight (Linear)" in caught.value.message


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_broken_gradient_is_named(tiny: Make, trainer_of: Make, player: str) -> None:
    trainer = trainer_of(tiny("tanh-gan"))
    parameter = trainer.state.network(player).get_parameter("layers.2.weight")
    parameter.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(TrainingError, match=f"in the {player}, in the gradient of layers.2.weight"):
        trainer.step()
