"""The probe only looks, says the same twice, and its numbers mean what they say."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from facegan.data.dataset import Dataset
from facegan.data.spec import ImageSpec, Label
from facegan.data.writer import DatasetWriter
from facegan.device import Execution
from facegan.generation.samples import pictures
from facegan.seeding import image_random
from facegan.training.batch_source import value_range_of
from facegan.training.probe import (
    FEWEST_HELD_OUT,
    PICTURES,
    Probe,
    as_in_training,
    diversity,
    higher,
    nearest_distance,
    overfitting,
)
from facegan.training.state import TrainingState

Make = Callable[..., Any]
ALWAYS = {f"probe/{name}" for name in ("logits_train", "logits_fake", "told_apart", "separation")}
HELD_OUT = {"probe/logits_holdout", "probe/remembered"}


@pytest.fixture(scope="module")
def dataset(make_dataset: Make, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """200 pictures to train on, 40 held out."""
    return Dataset.open(make_dataset(tmp_path_factory.mktemp("probe") / "blobs", n=240))


def probe_of(trainer: Any, dataset: Dataset) -> Probe:
    return Probe(
        dataset, dataset.spec, value_range_of(trainer.recipe, dataset.card), trainer.execution
    )


def grid_of(trainer: Any, dataset: Dataset, n: int = 16) -> np.ndarray:
    pixels = value_range_of(trainer.recipe, dataset.card)
    return np.concatenate(list(pictures(trainer.state.average, pixels, range(n))))


def everything(trainer: Any) -> dict[str, Any]:
    """All that measuring could have changed."""
    networks = (trainer.state.networks.generator, trainer.state.networks.discriminator)
    return {
        "tensors": {k: v.numpy().tobytes() for k, v in trainer.state.tensors().items()},
        "names": [list(network.state_dict()) for network in networks],
        "extra": json.dumps(trainer.state.extra()),
        "modes": [m.training for network in networks for m in network.modules()],
        "learning": [p.requires_grad for network in networks for p in network.parameters()],
        "gradients": [
            None if p.grad is None else p.grad.numpy().tobytes()
            for network in networks
            for p in network.parameters()
        ],
        "random": torch.get_rng_state().numpy().tobytes() + np.random.get_state()[1].tobytes(),
        "grad mode": torch.is_grad_enabled(),
    }


KINDS: dict[str, tuple[str, ...]] = {
    "gan": ("gan",),
    "dcgan": ("dcgan",),
    "bf16": ("dcgan", "training.precision=bf16"),
    "standard": ("gan", "data.range=standard", "method.loss=relativistic"),
    "penalty": ("dcgan", "method.loss=wasserstein", "method.penalty.kind=gradient_penalty"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_only_looks(tiny: Make, trainer_of: Make, dataset: Dataset, kind: str) -> None:
    trainer = trainer_of(tiny(*KINDS[kind]))
    for _ in range(3):
        trainer.step()
    before = everything(trainer)
    probe = probe_of(trainer, dataset)
    found = probe.measure(trainer.state, grid_of(trainer, dataset))
    assert everything(trainer) == before
    assert ALWAYS | HELD_OUT | {"probe/diversity"} <= found.keys()
    assert probe.measure(trainer.state, grid_of(trainer, dataset)) == found
    assert probe_of(trainer, dataset).measure(trainer.state, grid_of(trainer, dataset)) == found
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_a_run_ends_the_same_with_and_without(
    tiny: Make, trainer_of: Make, dataset: Dataset, name: str
) -> None:
    ends = []
    for probed in (True, False):
        trainer = trainer_of(tiny(name))
        probe = probe_of(trainer, dataset)
        for _ in range(8):
            trainer.step()
            if probed:
                probe.measure(trainer.state, grid_of(trainer, dataset))
        ends.append({k: v.numpy().tobytes() for k, v in trainer.state.tensors().items()})
    assert ends[0] == ends[1]


def test_an_error_on_the_way_restores_the_networks(tiny: Make, trainer_of: Make) -> None:
    trainer = trainer_of(tiny("dcgan"))
    before = everything(trainer)
    with pytest.raises(ZeroDivisionError), as_in_training(trainer.state.networks.discriminator):
        raise ZeroDivisionError
    assert everything(trainer) == before


def test_no_other_process_is_asked(
    tiny: Make, trainer_of: Make, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the main one probes: what the others do not answer would hang."""
    trainer = trainer_of(tiny("dcgan"))
    alone = probe_of(trainer, dataset).measure(trainer.state, grid_of(trainer, dataset))

    def collective(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a collective operation")

    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", collective)
    with pytest.raises(AssertionError, match="collective"):
        trainer.state.networks.generator(torch.zeros(2, 6))  # what training mode does
    assert probe_of(trainer, dataset).measure(trainer.state, grid_of(trainer, dataset)) == alone


def test_pictures_are_judged_as_in_training(tiny: Make, trainer_of: Make, dataset: Dataset) -> None:
    """By each batch's own statistics, and the generated ones are the current generator's."""
    trainer = trainer_of(tiny("dcgan"))
    for _ in range(5):
        trainer.step()
    state = trainer.state
    found = probe_of(trainer, dataset).measure(state, grid_of(trainer, dataset))

    networks = copy.deepcopy(state.networks)
    rows = dataset.indices("train")
    rows = rows[np.linspace(0, len(rows) - 1, PICTURES).round().astype(int)]
    stored = torch.from_numpy(dataset.images[rows])
    real = value_range_of(trainer.recipe, dataset.card).to_model(stored)
    z = torch.cat([networks.generator.latent.draw(image_random(s), 1) for s in range(PICTURES)])
    with torch.no_grad():
        fake = torch.cat([networks.generator(part) for part in z.split(64)])
        logits = [
            torch.cat([networks.discriminator(part.contiguous()) for part in images.split(64)])
            for images in (real, fake)
        ]
    assert found["probe/logits_train"] == pytest.approx(logits[0].mean().item(), rel=1e-4)
    assert found["probe/logits_fake"] == pytest.approx(logits[1].mean().item(), rel=1e-4)
    assert found["probe/told_apart"] == higher(*(v.double().numpy() for v in logits))

    grid = grid_of(trainer, dataset)
    with torch.no_grad():
        for parameter in state.average.parameters():
            parameter.add_(1)
    assert probe_of(trainer, dataset).measure(state, grid) == found


def test_without_enough_held_out_pictures_nothing_is_said_of_them(
    tiny: Make, trainer_of: Make, dataset_path: Path
) -> None:
    trainer = trainer_of(tiny("dcgan"))
    dataset = Dataset.open(dataset_path)
    assert 0 < len(dataset.indices("holdout")) < FEWEST_HELD_OUT
    found = probe_of(trainer, dataset).measure(trainer.state, grid_of(trainer, dataset))
    assert found.keys() == ALWAYS | {"probe/diversity"}


def test_what_is_not_a_number_is_left_out(tiny: Make, trainer_of: Make, dataset: Dataset) -> None:
    trainer = trainer_of(tiny("gan"))
    grid = grid_of(trainer, dataset)
    with torch.no_grad():
        next(iter(trainer.state.networks.discriminator.parameters())).fill_(float("nan"))
    found = probe_of(trainer, dataset).measure(trainer.state, grid)
    assert not found.keys() & {"probe/logits_train", "probe/separation", "probe/overfitting"}
    json.dumps(found, allow_nan=False)


def test_networks_get_the_labels_that_belong_to_the_pictures(tiny: Make, tmp_path: Path) -> None:
    names = [str(i) for i in range(80)]
    splits = ["holdout" if i % 2 else "train" for i in range(80)]
    images = np.random.default_rng(0).integers(0, 256, (80, 32, 32, 3), np.uint8)
    labels = np.arange(80, dtype=np.float32)[:, None]
    with DatasetWriter(tmp_path / "p", resolution=32, channels=3, label_names=["number"]) as writer:
        writer.add(images, names, names, splits, names, labels)
        writer.finish({"name": "numbers", "source": "drawn by the tests", "licence": "CC0-1.0"})
    dataset = Dataset.open(tmp_path / "p")
    recipe = tiny("gan", "data.labels=['number']")
    spec = ImageSpec(32, labels=(Label("number", binary=False, mean=0.0, std=1.0),))
    execution = Execution(torch.device("cpu"))
    state = TrainingState(recipe, spec, execution)
    seen = []
    networks = state.networks
    for network in (networks.generator, networks.discriminator):
        network.register_forward_pre_hook(
            lambda module, given: seen.append((type(module).__name__, given[1].flatten().tolist()))
        )
    pixels = value_range_of(recipe, dataset.card)
    grid = np.concatenate(list(pictures(state.average, pixels, range(16))))
    Probe(dataset, spec, pixels, execution).measure(state, grid)
    even, odd = list(range(0, 80, 2)), list(range(1, 80, 2))
    judged = [numbers for name, numbers in seen if "Discriminator" in name]
    assert judged == [even, even, odd]
    assert [numbers for name, numbers in seen if "Generator" in name] == [even]


# --- the numbers ---------------------------------------------------------------------------


def test_higher_counts_pairs() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 5, 30).astype(float), random.integers(0, 6, 20).astype(float)
    pairs = [(x > y) + 0.5 * (x == y) for x in a for y in b]
    assert higher(a, b) == pytest.approx(np.mean(pairs))
    assert higher(a, b) == pytest.approx(1 - higher(b, a))
    assert higher(a + 100, b) == 1.0
    assert higher(a, a) == 0.5


def test_overfitting_is_the_papers_ratio() -> None:
    random = np.random.default_rng(0)
    train, fake = random.normal(3, 1, 128), random.normal(-2, 1, 128)
    for place in (0.0, 0.3, 1.0, 1.4):
        middle = train.mean() + place * (fake.mean() - train.mean())
        holdout = random.normal(0, 1, 64)
        holdout += middle - holdout.mean()
        assert overfitting(train, holdout, fake) == pytest.approx(place, abs=1e-12)
        # Relativistic and Wasserstein logits may lie anywhere, on any scale.
        moved = [4.0 * logits - 77.0 for logits in (train, holdout, fake)]
        assert overfitting(*moved) == pytest.approx(place, abs=1e-12)


def test_overfitting_is_unknown_where_nothing_is_told_apart() -> None:
    random = np.random.default_rng(0)
    train, holdout, fake = random.normal(0, 1, (3, 128))
    assert np.isnan(overfitting(train, holdout, fake))
    assert np.isnan(overfitting(train, holdout, train))
    assert np.isnan(overfitting(np.ones(4), np.ones(4), np.ones(4)))


def varied(images: np.ndarray, real: np.ndarray) -> float:
    found = diversity(images, real)
    assert found is not None
    return found


def test_diversity_separates_collapse_from_health(dataset: Dataset) -> None:
    real = dataset.images[:64]
    random = np.random.default_rng(1)

    def noisy(images: np.ndarray, sd: float) -> np.ndarray:
        return (images + random.normal(0, sd, images.shape)).round().clip(0, 255).astype(np.uint8)

    assert varied(real, real) == 1.0
    assert 0.8 < varied(dataset.images[64:128], real) < 1.25
    assert 0.9 < varied(noisy(real, 20), real) < 1.1
    assert varied(np.repeat(real[:1], 64, 0), real) == 0.0
    # Few kinds, and noise on top: the mean distance of all pairs stays near that of real ones.
    for kinds in (1, 4, 16, 32):
        few = noisy(np.repeat(real[:kinds], 64 // kinds, 0), 10)
        assert varied(few, real) < 0.3
    half = real.copy()
    half[32:] = real[0]
    assert 0.3 < varied(half, real) < 0.8


def test_noise_is_not_diversity() -> None:
    """The same distance in pixels counts in full where it is coarse, and hardly as noise."""
    random = np.random.default_rng(0)
    shape = (64, 64, 64, 3)
    noise = random.normal(0, 20, shape)
    coarse = random.normal(0, 20, (64, 8, 8, 3)).repeat(8, 1).repeat(8, 2)
    as_noise, as_blocks = (
        nearest_distance((128 + pattern).round().clip(0, 255).astype(np.uint8))
        for pattern in (noise, coarse)
    )
    assert as_noise < as_blocks / 6  # 1/8 by the law of large numbers


def test_diversity_of_too_little_is_unknown(dataset: Dataset) -> None:
    real = dataset.images[:8]
    assert diversity(real[:1], real) is None
    assert diversity(real, real[:1]) is None
    assert diversity(real, np.repeat(real[:1], 8, 0)) is None
    assert varied(real, real[:3]) == 1.0  # equal numbers are compared
