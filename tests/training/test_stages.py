"""Schedules and stages: the right value at the right progress, and what an optimizer keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan.apps.train import train
from facegan.optimizers import Stage
from facegan.runs.directory import RunDirectory
from facegan.training.loop import Boundaries

Make = Callable[..., Any]
RAMP = "{kind='linear', start=1e-3, end=0.0}"
WAVE = "{kind='cosine', start=2e-3, end=1e-3}"


def test_rates_are_taken_at_the_progress_before_the_step(tiny: Make, trainer_of: Make) -> None:
    recipe = tiny("gan", f"stages.0.generator.lr={RAMP}", f"stages.0.discriminator.lr={WAVE}")
    trainer = trainer_of(recipe)
    for step in range(24):
        values = trainer.step()
        progress = step / 24
        assert values["generator/lr"] == pytest.approx(1e-3 * (1 - progress), rel=1e-12)
        wave = 1e-3 + 1e-3 * (1 + math.cos(math.pi * progress)) / 2
        assert values["discriminator/lr"] == pytest.approx(wave, rel=1e-12)
        for player in ("generator", "discriminator"):
            (group,) = trainer.state.optimizers[player].param_groups
            assert group["lr"] == values[f"{player}/lr"]


def test_each_stage_has_the_whole_schedule(
    tiny: Make, dataset_path: Path, tmp_path: Path, watcher: Any
) -> None:
    """A ramp in the second stage begins when that begins; the journal says so."""
    ramp = f"{{kind='adam', lr={RAMP}}}"
    stages = f"stages=[{{share=1.0}}, {{share=2.0, generator={ramp}}}]"
    recipe = tiny("gan", stages, "training.ticks=24")
    train(recipe, dataset_path, tmp_path / "run", reporter=watcher())
    lines = [line for line in RunDirectory(tmp_path / "run").metrics.lines() if "stage" in line]
    assert [line["images_seen"] for line in lines] == [8 * (i + 1) for i in range(24)]
    assert [line["stage"] for line in lines] == [0] * 8 + [1] * 16
    expected = [2e-4] * 8 + [1e-3 * (1 - i / 16) for i in range(16)]
    assert [line["generator/lr"] for line in lines] == pytest.approx(expected, rel=1e-9)


STAGES = """stages=[
  { discriminator={kind='adam', lr=1e-3}, generator={kind='rmsprop', lr=1e-3} },
  { discriminator={kind='adam', lr=2e-3, betas=[0.9, 0.99]}, generator={kind='adam', lr=1e-3} },
]""".replace("\n", "")


def test_an_optimizer_of_the_same_kind_keeps_its_moments(tiny: Make, trainer_of: Make) -> None:
    trainer = trainer_of(tiny("gan", STAGES))
    for _ in range(12):
        trainer.step()
    state = trainer.state
    assert state.stage_index == 0
    moments = {
        name: state.optimizers["discriminator"].state[parameter]["exp_avg_sq"].clone()
        for name, parameter in state.networks.discriminator.named_parameters()
    }
    trainer.step()
    assert state.stage_index == 1
    (group,) = state.optimizers["discriminator"].param_groups
    assert (group["lr"], tuple(group["betas"])) == (2e-3, (0.9, 0.99))
    for name, parameter in state.networks.discriminator.named_parameters():
        found = state.optimizers["discriminator"].state[parameter]
        assert found["step"] == 13
        # v ← 0.99 v + 0.01 g²: had it begun afresh, it would be 0.01 g².
        expected = 0.99 * moments[name] + 0.01 * parameter.grad.square()
        torch.testing.assert_close(found["exp_avg_sq"], expected)
    for parameter in state.networks.generator.parameters():
        found = state.optimizers["generator"].state[parameter]
        assert found["step"] == 1
        assert "square_avg" not in found
        torch.testing.assert_close(found["exp_avg"], 0.5 * parameter.grad)


def test_going_into_a_stage_is_the_same_as_having_its_values(tiny: Make, trainer_of: Make) -> None:
    """Two equal stages compute what one does."""
    one = trainer_of(tiny("dcgan"))
    two = trainer_of(tiny("dcgan", "stages=[{share=0.5}, {share=0.5}]"))
    for _ in range(16):
        assert one.step() == two.step()
    assert two.state.stage_index == 1


def test_optimizers_are_built_as_described() -> None:
    weights = [torch.nn.Parameter(torch.zeros(2))]
    stage = Stage.model_validate(
        {
            "generator": {"kind": "sgd", "lr": 0.5, "momentum": 0.25},
            "discriminator": {"kind": "rmsprop", "lr": 0.125, "alpha": 0.75},
        }
    )
    sgd, rms = stage.generator.build(weights), stage.discriminator.build(weights)
    assert isinstance(sgd, torch.optim.SGD)
    assert isinstance(rms, torch.optim.RMSprop)
    assert (sgd.defaults["lr"], sgd.defaults["momentum"]) == (0.5, 0.25)
    assert (rms.defaults["lr"], rms.defaults["alpha"]) == (0.125, 0.75)


@pytest.mark.parametrize(("count", "total", "step"), [(6, 192, 8), (7, 200, 8), (50, 200, 8)])
def test_boundaries_divide_a_run(count: int, total: int, step: int) -> None:
    boundaries = Boundaries(count, total)
    ends = [s for s in range(step, total + 1, step) if boundaries.crossed(s - step, s)]
    assert len(ends) == min(count, total // step)
    assert ends[-1] == total
    gaps = {b - a for a, b in zip([0, *ends], ends, strict=False)}
    assert max(gaps) - min(gaps) <= step
