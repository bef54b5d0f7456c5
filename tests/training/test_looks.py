"""Steps whose values are looked at now and then, as on a GPU: the same steps, and no waiting.

The device here is PyTorch's `meta`: it computes shapes alone, so that whatever would bring a
value back to the processor within a step, and wait for it, is an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan import optimizers
from facegan.device import Execution
from facegan.errors import TrainingError
from facegan.recipe import recipe_names
from facegan.training.step import Trainer

Make = Callable[..., Any]
RARELY = 1000
META = torch.device("meta")
CONDITIONAL = (
    "data.labels=all",
    "discriminator.heads.projection=8",
    "discriminator.heads.auxiliary=true",
    "method.auxiliary={}",
)
EVERYTHING = (
    "augment={probability=0.8, flip=true, shift=0.1, fraction=0.1, scale=0.2, rotation=10.0, "
    "brightness=0.2, contrast=0.5, saturation=1.0, cutout=0.5, noise=0.1}"
)


@pytest.fixture
def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """`meta` knows neither autocast nor fused optimizers, neither of which looks at anything."""
    autocast = torch.autocast

    def none(device: str, *about: Any, **more: Any) -> Any:
        return contextlib.nullcontext() if device == "meta" else autocast(device, *about, **more)

    build = optimizers.Adam.build

    def fused(self: Any, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = build(self, parameters)
        optimizer.defaults["fused"] = True
        return optimizer

    monkeypatch.setattr(torch, "autocast", none)
    monkeypatch.setattr(optimizers.Adam, "build", fused)
    monkeypatch.setattr(optimizers._ADAM, "step", lambda self: None)


def rarely(trainer: Trainer, every: int = RARELY) -> Trainer:
    """The same trainer, looking less often."""
    about = (trainer.recipe, trainer.state, trainer.batch_source, trainer.execution, trainer.total)
    return Trainer(*about, looks_every=every)


@pytest.mark.usefixtures("without_data")
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, ()) for name in recipe_names() if name != "dcgan-staged"),
        *((name, CONDITIONAL) for name in ("dcgan", "ignm", "sngan", "r3gan-cpu")),
        ("dcgan", (EVERYTHING, "method.penalty={kind='r1'}")),
        (
            "dcgan",
            (EVERYTHING, "method.penalty={kind='r1r2', estimate={kind='finite_difference'}}"),
        ),
    ],
)
def test_a_step_brings_nothing_back(
    tiny: Make, trainer_of: Make, labelled_dataset_path: Path, name: str, settings: tuple[str, ...]
) -> None:
    recipe = tiny(name, *settings)
    trainer = rarely(trainer_of(recipe, Execution(META), labelled_dataset_path))
    # Past the first update: what adapts by values looks at those of every fourth.
    trainer.state.images_seen = trainer.recipe.training.batch
    for _ in range(2):
        trainer.step()
    assert trainer.state.sums.waiting == 2
    with pytest.raises(NotImplementedError, match="meta"):
        trainer.look()  # which shows that looking is what brings values back


@pytest.mark.parametrize("every", [3, RARELY])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dcgan", ()),
        ("gan", ("stages.*.*={kind='rmsprop'}",)),
        ("ignm", ("augment.probability.heuristic=held_out",)),
        ("r3gan-cpu", ()),
        ("wgan-gp", ()),
    ],
)
def test_steps_are_the_same_however_often_they_are_looked_at(
    tiny: Make, trainer_of: Make, name: str, settings: tuple[str, ...], every: int
) -> None:
    recipe = tiny(name, *settings)
    often, seldom = trainer_of(recipe), rarely(trainer_of(recipe), every)
    for _ in range(7):
        often.step()
        seldom.step()
    assert seldom.look() == often.look()
    found, expected = seldom.state.tensors(), often.state.tensors()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert found.keys() == expected.keys()
    assert seldom.state.sums.as_json() == often.state.sums.as_json()
    assert seldom.state.sums.take() == often.state.sums.take()


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_an_update_that_is_not_finite_is_left_out_and_found_at_the_next_look(
    tiny: Make, trainer_of: Make, player: str
) -> None:
    trainer = rarely(trainer_of(tiny("tanh-gan")))
    trainer.step()
    network = trainer.state.network(player)
    parameter = network.get_parameter("layers.2.weight")
    hook = parameter.register_hook(lambda gradient: gradient * torch.inf)
    before = {name: value.clone() for name, value in network.named_parameters()}
    moments = str(trainer.state.optimizers[player].state_dict())
    trainer.step()
    assert all(torch.equal(value, before[name]) for name, value in network.named_parameters())
    assert str(trainer.state.optimizers[player].state_dict()) == moments
    hook.remove()
    trainer.step()
    assert not torch.equal(parameter, before["layers.2.weight"]), "later updates are taken again"
    message = rf"diverged at 0\.008 kimg: {player}/gradient_norm = (inf|nan)\. .*`device` cpu"
    with pytest.raises(TrainingError, match=message):
        trainer.look()


def test_without_a_fused_optimizer_it_is_found_at_once(tiny: Make, trainer_of: Make) -> None:
    trainer = rarely(trainer_of(tiny("tanh-gan", "stages.*.*={kind='sgd'}")))
    parameter = trainer.state.network("generator").get_parameter("layers.2.weight")
    before = parameter.clone()
    parameter.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(TrainingError, match=r"diverged at 0\.000 kimg"):
        trainer.step()
    assert torch.equal(parameter, before)


def test_nothing_is_saved_unseen(tiny: Make, trainer_of: Make) -> None:
    trainer = rarely(trainer_of(tiny("gan")))
    trainer.step()
    with pytest.raises(AssertionError):
        trainer.state.sums.as_json()
    trainer.look()
    assert trainer.state.sums.as_json()
