"""Penalties on every k-th update, and schedules of the method, the optimizers and the average."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan.apps.train import train
from facegan.networks.layers.spectral import spectral_norm
from facegan.runs.directory import RunDirectory
from facegan.schedule import Cosine, constant, resolve

Make = Callable[..., Any]
PENALTY = "discriminator/penalty"


@pytest.mark.parametrize(("every", "n_critic"), [(1, 1), (3, 1), (3, 2), (2, 2), (5, 3)])
def test_a_lazy_penalty_falls_on_every_kth_update(
    tiny: Make, trainer_of: Make, every: int, n_critic: int
) -> None:
    """Counted over the updates of the discriminator, whatever the steps are."""
    penalty = f"method.penalty={{kind='r1', every={every}}}"
    trainer = trainer_of(tiny("gan", penalty, f"method.n_critic={n_critic}"))
    for step in range(8):
        updates = range(step * n_critic, (step + 1) * n_critic)
        assert (PENALTY in trainer.step()) == any(update % every == 0 for update in updates)


def test_it_counts_k_times_and_is_shown_once(tiny: Make, trainer_of: Make) -> None:
    """The first step of γ every 4 is that of 4γ every 1; the journal shows γ's own value."""
    sgd = "stages.*.*={kind='sgd', lr=0.1}"
    lazy = trainer_of(tiny("dcgan", sgd, "method.penalty={kind='r1', gamma=0.5, every=4}"))
    always = trainer_of(tiny("dcgan", sgd, "method.penalty={kind='r1', gamma=2.0}"))
    found, expected = lazy.step(), always.step()
    assert 4 * found[PENALTY] == pytest.approx(expected[PENALTY], rel=1e-6)
    for a, b in zip(
        lazy.state.networks.discriminator.parameters(),
        always.state.networks.discriminator.parameters(),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_between_its_turns_it_costs_and_changes_nothing(tiny: Make, trainer_of: Make) -> None:
    lazy = trainer_of(tiny("dcgan", "method.penalty={kind='r1r2', every=1000}"))
    without = trainer_of(tiny("dcgan"))
    for trainer in (lazy, without):
        trainer.state.images_seen = 8  # after the first update, which has it
    assert [lazy.step() for _ in range(3)] == [without.step() for _ in range(3)]


def test_the_journal_means_the_updates_that_had_it(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe = tiny("gan", "method.penalty={kind='r1', every=3}", "training.ticks=4")
    watch = watcher()
    train(recipe, dataset_path, tmp_path / "run", reporter=watch)
    lines = [x for x in RunDirectory(tmp_path / "run").metrics.lines() if PENALTY in x]
    assert len(lines) == 4
    for number, line in enumerate(lines):
        steps = watch.steps[number * 6 : (number + 1) * 6]
        values = [values[PENALTY] for _, values in steps if PENALTY in values]
        assert len(values) == 2
        assert line[PENALTY] == pytest.approx(sum(values) / 2, rel=1e-12)


def test_everything_at_once(tiny: Make, trainer_of: Make) -> None:
    """n_critic, a lazy approximated penalty, the relativistic average and bfloat16 together."""
    recipe = tiny(
        "dcgan",
        "method.n_critic=5",
        "method.loss=relativistic_average",
        "method.penalty={kind='r1r2', every=4, estimate={kind='finite_difference'}}",
        "training.precision=bf16",
    )
    trainer = trainer_of(recipe)
    assert trainer.execution.precision == "bf16"
    for _ in range(4):
        values = trainer.step()
        assert all(math.isfinite(value) for value in values.values())
        assert PENALTY in values  # of five updates in a row, one is a fourth
    assert trainer.state.images_seen == 4 * 5 * 8


def test_a_penalty_follows_its_schedule(tiny: Make, trainer_of: Make) -> None:
    """Of the run's progress, before the step; shown under its path in the recipe."""
    frozen = "stages.*.*={kind='sgd', lr=0.0}"
    ramp = "gamma={kind='linear', start=2.0, end=0.5, finish=0.5}"
    moving = trainer_of(tiny("gan", frozen, f"method.penalty={{kind='r1', {ramp}}}"))
    constant_ = trainer_of(tiny("gan", frozen, "method.penalty={kind='r1', gamma=1.0}"))
    for step in range(24):
        values, unit = moving.step(), constant_.step()
        gamma = max(2.0 - 1.5 * 2 * step / 24, 0.5)
        assert values["method/penalty.gamma"] == pytest.approx(gamma, rel=1e-12)
        assert values[PENALTY] == pytest.approx(gamma * unit[PENALTY], rel=1e-5)
        assert "method/penalty.gamma" not in unit


def test_betas_and_half_life_follow_theirs(tiny: Make, trainer_of: Make) -> None:
    wave = "{kind='cosine', start=0.9, end=0.99, finish=0.5}"
    recipe = tiny(
        "gan",
        f"stages.0.discriminator.betas=[0.0, {wave}]",
        "training.ema_half_life={kind='linear', start=0.0, end=0.2}",
        "training.ema_rampup=1e9",
    )
    trainer = trainer_of(recipe)
    average = [p.clone() for p in trainer.state.average.parameters()]
    for step in range(24):
        values = trainer.step()
        (group,) = trainer.state.optimizers["discriminator"].param_groups
        beta = Cosine(kind="cosine", start=0.9, end=0.99, finish=0.5).at(step / 24)
        assert group["betas"] == (0.0, beta)
        assert values["discriminator/betas.1"] == beta
        assert values["discriminator/lr"] == 2e-4
        (group,) = trainer.state.optimizers["generator"].param_groups
        assert group["betas"] == (0.5, 0.999)
        half_life = 200 * step / 24
        assert values["training/ema_half_life"] == pytest.approx(half_life / 1000)
        old = 0.5 ** (8 / half_life) if step else 0.0
        networks = trainer.state.networks
        for kept, new in zip(average, networks.generator.parameters(), strict=True):
            kept.copy_(old * kept + (1 - old) * new.detach())
        for kept, found in zip(average, trainer.state.average.parameters(), strict=True):
            torch.testing.assert_close(found, kept, rtol=1e-5, atol=1e-7)


def test_what_is_not_scheduled_is_not_copied(tiny: Make) -> None:
    plain = tiny("gan", "method.penalty.kind=r1").method
    assert resolve(plain, 0.5) == (plain, {})
    assert resolve(plain, 0.5)[0] is plain
    moving = tiny("gan", "method.penalty={kind='r1', gamma={kind='linear', start=1, end=0}}").method
    resolved, values = resolve(moving, 0.25)
    assert values == {"penalty.gamma": 0.75}
    assert constant(resolved.penalty.gamma) == 0.75
    assert resolved.build()
    with pytest.raises(TypeError, match="not resolved"):
        constant(moving.penalty.gamma)


def test_a_normalised_discriminator_is_one_function_throughout_an_update(
    tiny: Make, trainer_of: Make
) -> None:
    """Else a small σ would turn the progress of the power iteration into a huge slope."""
    found = []
    for estimate in ("{kind='exact'}", "{kind='finite_difference', sigma=1e-3}"):
        setting = f"method.penalty={{kind='r1', estimate={estimate}}}"
        trainer = trainer_of(tiny("gan", setting))
        torch.manual_seed(0)
        network = spectral_norm(trainer.state.networks.discriminator)
        for name, buffer in network.named_buffers():
            if name.endswith(".u"):
                buffer.normal_()  # far from where iterations bring it
        found.append([trainer.step()[PENALTY] for _ in range(3)])
    # One direction for each of 8 images: within a factor, not within orders of magnitude.
    for exact, near in zip(*found, strict=True):
        assert 0.1 < near / exact < 10


def test_singular_vectors_of_a_frozen_network_stay(tiny: Make, trainer_of: Make) -> None:
    trainer = trainer_of(tiny("dcgan", "stages.*.train=['generator']"))
    network = spectral_norm(trainer.state.networks.discriminator)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for _ in range(2):
        trainer.step()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
