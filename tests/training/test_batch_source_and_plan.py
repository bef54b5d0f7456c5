"""Which images a step gets, and what is decided before the first step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan.data.dataset import Dataset
from facegan.data.pixels import Pixels
from facegan.data.spec import Label
from facegan.data.writer import DatasetWriter
from facegan.device import Execution, choose_device
from facegan.training import plan
from facegan.training.batch_source import BatchSource

Make = Callable[..., Any]
CPU = torch.device("cpu")


@pytest.fixture
def labelled(tmp_path: Path) -> Dataset:
    """20 grey pictures of one value each, with that value as their label; each third held out."""
    values = np.arange(20, dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (20, 4, 4, 1)).copy()
    names = [str(v) for v in values]
    splits = ["holdout" if v % 3 == 0 else "train" for v in values]
    with DatasetWriter(tmp_path / "dataset", 4, 1, label_names=["value"]) as writer:
        writer.add(images, names, names, splits, names, values[:, None].astype(np.float32))
        writer.finish({"name": "values"})
    return Dataset.open(tmp_path / "dataset")


def feed_of(dataset: Dataset, seed: int, execution: Execution, **options: Any) -> BatchSource:
    """All labels of a dataset, on the scale on which it has them."""
    spec = replace(dataset.spec, labels=(Label("value", binary=False, mean=0.0, std=1.0),))
    return BatchSource(dataset, spec, Pixels.of("unit"), seed, execution, **options)


def shown(batch_source: BatchSource, position: int, size: int) -> list[int]:
    """The pictures by their values, which must be those of their labels."""
    images, labels = batch_source.batch(position, size)
    assert images.shape == (len(labels), 1, 4, 4)
    values = (images[:, 0, 0, 0] * 255).round().int().tolist()
    assert labels[:, 0].int().tolist() == values
    return values


def test_only_the_train_split_is_shown_and_labels_stay_with_their_images(labelled: Dataset) -> None:
    batch_source = feed_of(labelled, 0, Execution(CPU))
    train = [v for v in range(20) if v % 3 != 0]
    assert sorted(shown(batch_source, 0, len(train))) == train
    parts = [feed_of(labelled, 0, Execution(CPU, rank=r, world=2)) for r in (0, 1)]
    assert shown(parts[0], 8, 10) + shown(parts[1], 8, 10) == shown(batch_source, 8, 10)


def slopes(batch_source: BatchSource, position: int, size: int) -> list[int]:
    """For each picture of `slanted`, the sign of its slope from left to right."""
    images, _ = batch_source.batch(position, size)
    return (images[:, 0, 0, -1] - images[:, 0, 0, 0]).sign().int().tolist()


@pytest.fixture
def slanted(tmp_path: Path) -> Dataset:
    """16 pictures that grow lighter to the right."""
    images = np.zeros((16, 4, 4, 1), np.uint8)
    images[:] = np.array([0, 50, 100, 150], np.uint8)[:, None]
    names = [str(n) for n in range(16)]
    with DatasetWriter(tmp_path / "slanted", 4, 1) as writer:
        writer.add(images, names, names, ["train"] * 16, names)
        writer.finish({"name": "slanted"})
    return Dataset.open(tmp_path / "slanted")


def test_half_of_the_pictures_are_mirrored_if_asked(slanted: Dataset) -> None:
    def batch_source(
        mirror: bool, execution: Execution | None = None, seed: int = 0
    ) -> BatchSource:
        execution = execution or Execution(CPU)
        options = {"mirror": mirror, "reserve": 0.2}
        return BatchSource(slanted, slanted.spec, Pixels.of("unit"), seed, execution, **options)

    assert slopes(batch_source(False), 0, 64) == [1] * 64
    found = slopes(batch_source(True), 0, 400)
    assert 160 < found.count(-1) < 240
    assert slopes(batch_source(True), 400, 400) != found
    assert slopes(batch_source(True, seed=1), 0, 400) != found
    parts = [batch_source(True, Execution(CPU, rank=rank, world=2)) for rank in (0, 1)]
    assert slopes(parts[0], 0, 400) + slopes(parts[1], 0, 400) == found
    held_out = batch_source(True).held_out(0, 400)
    assert held_out is not None
    assert 160 < int((held_out[0][:, 0, 0, -1] < 0.1).sum()) < 240


def test_mirroring_leaves_order_and_labels(labelled: Dataset) -> None:
    plain, mirrored = (feed_of(labelled, 3, Execution(CPU), mirror=m) for m in (False, True))
    assert shown(mirrored, 5, 40) == shown(plain, 5, 40)


def test_a_dataset_may_be_replaced_while_it_is_trained_on(labelled: Dataset) -> None:
    batch_source = feed_of(labelled, 3, Execution(CPU))
    expected = shown(batch_source, 5, 40)
    if os.name == "nt":
        pytest.skip("an open file cannot be deleted there")
    shutil.rmtree(labelled.path)
    assert shown(batch_source, 5, 40) == expected


@pytest.mark.parametrize(
    ("budget", "n_critic", "images"),
    [("200img", 1, 200), ("201img", 1, 208), ("1img", 3, 24), ("2kimg", 3, 2016)],
)
def test_a_budget_of_images_becomes_whole_steps(
    tiny: Make, trainer_of: Make, budget: str, n_critic: int, images: int
) -> None:
    recipe = tiny("gan", f"method.n_critic={n_critic}").with_budget(budget)
    trainer = trainer_of(recipe)
    found = plan.make_plan(
        recipe, trainer.state.networks.generator.spec, trainer.batch_source, None
    )
    assert found == plan.Plan(images, None)


@pytest.mark.parametrize(("budget", "images"), [("10s", 1000), ("1min", 6000), ("0.001s", 8)])
def test_a_budget_of_time_becomes_images_by_the_measured_speed(
    tiny: Make, trainer_of: Make, monkeypatch: pytest.MonkeyPatch, budget: str, images: int
) -> None:
    recipe = tiny("gan").with_budget("1img")
    trainer = trainer_of(recipe)
    monkeypatch.setattr(plan, "measure_speed", lambda *about, **more: 100.0)
    found = plan.make_plan(
        recipe.with_budget(budget), None, trainer.batch_source, trainer.execution
    )
    assert found == plan.Plan(images, 100.0)


@pytest.mark.parametrize(
    ("budget", "images", "asked"), [("10s", 2000, 1000), ("20s", 2000, None), ("1min", 6000, None)]
)
def test_a_slow_machine_trains_longer(
    tiny: Make,
    trainer_of: Make,
    monkeypatch: pytest.MonkeyPatch,
    budget: str,
    images: int,
    asked: int | None,
) -> None:
    recipe = tiny("gan").with_budget("1img")
    trainer = trainer_of(recipe)
    monkeypatch.setattr(plan, "measure_speed", lambda *about, **more: 100.0)
    own = recipe.override(f"training.budget={budget}", "training.at_least=2")
    found = plan.make_plan(own, None, trainer.batch_source, trainer.execution)
    assert found == plan.Plan(images, 100.0, asked=asked)
    # A budget of somebody's own is what they get, and one of images is exact.
    for given in ("10s", "100img"):
        theirs = plan.make_plan(
            own.with_budget(given),
            trainer.state.networks.generator.spec,
            trainer.batch_source,
            trainer.execution,
        )
        assert theirs.asked is None
        assert theirs.images <= 1000


def test_speed_is_measured_on_a_copy_in_every_stage(
    tiny: Make, trainer_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny("gan", "stages=[{share=1.0}, {share=3.0}, {share=1.0, train=['generator']}]")
    trainer = trainer_of(recipe)
    entered = []
    enter = plan.TrainingState.enter

    def watched(state: Any, stage: int) -> None:
        entered.append(stage)
        enter(state, stage)

    monkeypatch.setattr(plan.TrainingState, "enter", watched)
    before = {k: v.clone() for k, v in trainer.state.tensors().items()}
    spec = trainer.state.networks.generator.spec
    speed = plan.measure_speed(recipe, spec, trainer.batch_source, trainer.execution, seconds=0.01)
    assert speed > 10
    assert entered == [1, 2]
    after = trainer.state.tensors()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(
    ("first", "later", "every", "steps", "speed"),
    [
        (4.0, 1.0, 1, 2 + 5, 8.0),  # the first warms up, and five seconds are five steps
        (2.0, 2.0, 1, 2 + 3, 4.0),  # at least three
        (9.0, 9.0, 1, 1, 8 / 9.0),  # a long one is enough
        (9.0, 3.0, 4, 4, 8 * 4 / 18.0),  # but whole rounds of a lazy penalty
        (1.0, 1.0, 4, 2 + 8, 8.0),
    ],
)
def test_speed_is_that_of_enough_steps(
    tiny: Make,
    trainer_of: Make,
    monkeypatch: pytest.MonkeyPatch,
    first: float,
    later: float,
    every: int,
    steps: int,
    speed: float,
) -> None:
    recipe = tiny("gan", f"method.penalty={{kind='r1', every={every}}}")
    trainer = trainer_of(recipe)
    now, taken = 0.0, 0

    def step(trainer: Any) -> None:
        nonlocal now, taken
        taken += 1
        now += first if taken == 1 else later

    monkeypatch.setattr(plan.time, "perf_counter", lambda: now)
    monkeypatch.setattr(plan, "_step", step)
    spec = trainer.state.networks.generator.spec
    found = plan.measure_speed(recipe, spec, trainer.batch_source, trainer.execution, seconds=5.0)
    assert (taken, found) == (steps, pytest.approx(speed))


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_precision_as_the_recipe_says(
    tiny: Make, trainer_of: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(plan, "bf16_hardware", lambda execution: False)
    trainer = trainer_of(tiny(name))
    spec = trainer.state.networks.generator.spec
    for wanted, expected in (("fp32", "fp32"), ("bf16", "bf16"), ("auto", "fp32")):
        recipe = tiny(name, f"training.precision={wanted}")
        found = plan.choose_precision(recipe, spec, trainer.batch_source, Execution(CPU))
        assert found.precision == expected
        assert found.channels_last == (name == "dcgan")


def test_auto_takes_the_faster(
    tiny: Make, trainer_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that only the steps of one precision move."""
    trainer = trainer_of(tiny("gan"))
    spec = trainer.state.networks.generator.spec
    monkeypatch.setattr(plan, "bf16_hardware", lambda execution: True)
    now, steps = [0.0], [0]
    monkeypatch.setattr(plan.time, "perf_counter", lambda: now[0])
    # A clear lead needs two rounds after the warm-up, a small one seconds, none at most twelve,
    # and long steps one.
    for slow, cost, expected, rounds in (
        ("fp32", 10.0, "bf16", 1),
        ("fp32", 2.0, "bf16", 2),
        ("bf16", 2.0, "fp32", 2),
        ("fp32", 1.2, "bf16", 3),
        (None, 1.0, "fp32", 4),
        (None, 0.01, "fp32", 12),
    ):

        def step(trainer: Any, slow: str | None = slow, cost: float = cost) -> None:
            assert trainer.recipe.training.batch == 16
            assert trainer.recipe.method.n_critic == 1
            steps[0] += 1
            now[0] += cost if trainer.execution.precision == slow or slow is None else 1.0

        monkeypatch.setattr(plan, "_step", step)
        steps[0] = 0
        recipe = tiny("gan", "training.precision=auto", "training.batch=64", "method.n_critic=5")
        found = plan.choose_precision(recipe, spec, trainer.batch_source, Execution(CPU))
        assert found.precision == expected
        assert steps[0] == 2 * (1 + rounds)


def test_devices_are_taken_at_their_word() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize(
    ("budget_seconds", "cost", "times"),
    [
        (600.0, 1.0, 20),  # 20 snapshots, 30 affordable
        (600.0, 3.0, 10),
        (600.0, 100.0, 1),  # the end is always measured
    ],
)
def test_measuring_takes_at_most_a_twentieth_of_the_time(
    tiny: Make,
    trainer_of: Make,
    monkeypatch: pytest.MonkeyPatch,
    budget_seconds: float,
    cost: float,
    times: int,
) -> None:
    recipe = tiny("dcgan", "evaluation.times=auto", "training.snapshots=20")
    trainer = trainer_of(recipe)
    now = 0.0
    monkeypatch.setattr(plan.time, "perf_counter", lambda: now)

    def measure(generator: Any, images_seen: int) -> None:
        nonlocal now
        now += cost

    begun = plan.Plan(images=round(100 * budget_seconds), speed=100.0)
    about = (recipe, trainer.state.average.spec, trainer.batch_source, trainer.execution)
    found = plan.plan_evaluations(begun, *about, measure)  # type: ignore[arg-type]
    assert found.evaluations == times
    assert found.images == begun.images


@pytest.mark.parametrize(("times", "expected"), [("7", 7), ("0", 0)])
def test_a_number_of_measurements_is_taken_at_its_word(
    tiny: Make, trainer_of: Make, times: str, expected: int
) -> None:
    recipe = tiny("dcgan", f"evaluation.times={times}")
    trainer = trainer_of(recipe)
    about = (recipe, trainer.state.average.spec, trainer.batch_source, trainer.execution)

    def never(generator: Any, images_seen: int) -> Any:
        raise AssertionError("nothing needs to be timed")

    begun = plan.Plan(images=1000, speed=None)
    assert plan.plan_evaluations(begun, *about, never).evaluations == expected
    assert plan.plan_evaluations(begun, *about, None).evaluations == 0
