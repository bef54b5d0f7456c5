"""What a checkpoint says of the state is checked before an optimizer's kernel believes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from facegan.errors import RunError

Make = Callable[..., Any]
MOMENT = "optimizer.generator.layers.0.weight.exp_avg"
STEP = "optimizer.generator.layers.0.weight.step"


def stepped(trainer_of: Make, recipe: Any) -> tuple[dict[str, Tensor], dict[str, Any], int]:
    """The state after a step: tensors, the rest, images seen."""
    trainer = trainer_of(recipe)
    trainer.step()
    trainer.look()
    state = trainer.state
    return state.tensors(), state.extra(), state.images_seen


@pytest.fixture
def taken(trainer_of: Make, tiny: Make) -> tuple[Any, dict[str, Tensor], dict[str, Any], int]:
    """A recipe that adapts its augmentation, and its state after a step."""
    recipe = tiny("gan", "augment={probability={kind='adaptive'}, transforms=[{kind='light'}]}")
    return recipe, *stepped(trainer_of, recipe)


def test_what_was_taken_is_loaded(taken: Any, trainer_of: Make) -> None:
    recipe, tensors, extra, seen = taken
    state = trainer_of(recipe).state
    state.load(tensors, seen, extra)
    again = state.tensors()
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], value) for name, value in tensors.items())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # A kernel would write a whole weight's length into a moment of one number.
        (MOMENT, torch.zeros(())),
        (MOMENT, torch.zeros(1)),
        (MOMENT, torch.zeros(0)),
        (MOMENT, torch.zeros(2, 3)),
        (MOMENT, torch.float16),
        (MOMENT, torch.float64),
        (MOMENT, torch.int64),
        (MOMENT, None),
        (STEP, torch.zeros(1)),
        (STEP, torch.zeros((), dtype=torch.int64)),
        (STEP, torch.tensor(float("nan"))),
        (STEP, torch.tensor(-1.0)),
        (STEP, torch.tensor(1e30)),
        (STEP, None),
        (f"{MOMENT}.other", torch.zeros(())),
    ],
    ids=str,
)
def test_what_an_optimizer_cannot_have_kept_is_refused(
    taken: Any, trainer_of: Make, name: str, value: Tensor | torch.dtype | None
) -> None:
    recipe, tensors, extra, seen = taken
    if value is None:
        del tensors[name]
    else:
        tensors[name] = tensors[name].to(value) if isinstance(value, torch.dtype) else value
    with pytest.raises(RunError, match="generator's optimizer"):
        trainer_of(recipe).state.load(tensors, seen, extra)


@pytest.mark.parametrize(
    "change",
    [
        {"augmenting": float("nan")},
        {"augmenting": -0.5},
        {"augmenting": 7},
        {"sums": {"a": [1.0, 0]}},
        {"sums": {"a": [float("inf"), 1]}},
        {"sums": {"a": [1.0, -1]}},
        {"stage": 1},
    ],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(
    taken: Any, trainer_of: Make, change: dict[str, Any]
) -> None:
    recipe, tensors, extra, seen = taken
    with pytest.raises(RunError, match="makes no sense"):
        trainer_of(recipe).state.load(tensors, seen, extra | change)


def test_moments_of_an_earlier_stage_stay(trainer_of: Make, tiny: Make) -> None:
    """SGD without momentum keeps what the stage with momentum left."""
    stages = ", ".join(
        f"{{discriminator={{kind='sgd', momentum={each}}}, generator={{kind='adam'}}}}"
        for each in (0.9, 0.0)
    )
    recipe = tiny("gan", f"stages=[{stages}]")
    trainer = trainer_of(recipe)
    trainer.step()
    trainer.look()
    trainer.state.enter(1)
    tensors, extra = trainer.state.tensors(), trainer.state.extra()
    assert any(name.endswith(".momentum_buffer") for name in tensors)
    state = trainer_of(recipe).state
    state.load(tensors, trainer.state.images_seen, extra)
    assert state.tensors().keys() == tensors.keys()


@pytest.mark.parametrize(
    ("kind", "name"), [("lecam", "logits"), ("path_length", "length")], ids=str
)
@pytest.mark.parametrize("value", [torch.zeros(3, 3), torch.zeros(2, dtype=torch.int64)], ids=str)
def test_what_a_regulariser_cannot_have_kept_is_refused(
    trainer_of: Make, tiny: Make, kind: str, name: str, value: Tensor
) -> None:
    recipe = tiny("gan", f"method.regularisers=[{{kind='{kind}', every=1}}]")
    tensors, extra, seen = stepped(trainer_of, recipe)
    trainer = trainer_of(recipe)
    trainer.state.load(tensors | {f"memory.{kind}.{name}": value}, seen, extra)
    with pytest.raises(RunError, match=f"does not fit the recipe: {name}"):
        trainer.step()


@pytest.mark.parametrize("name", ["memory.", "memory.x", "memory..", "optimizer.", "other"])
def test_tensors_that_nobody_asks_for_do_nothing(taken: Any, trainer_of: Make, name: str) -> None:
    recipe, tensors, extra, seen = taken
    trainer = trainer_of(recipe)
    trainer.state.load(tensors | {name: torch.zeros(3)}, seen, extra)
    trainer.step()
