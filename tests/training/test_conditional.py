"""Training with labels: what a supervised step computes, and that it can be interrupted."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.apps.train import train
from facegan.data.dataset import Dataset
from facegan.generation.samples import image_inputs
from facegan.seeding import step_random
from facegan.training.state import PLAYERS

Make = Callable[..., Any]

SUPERVISED = (
    "data.labels=all",
    "discriminator.heads={projection=5, auxiliary=true}",
    "method.auxiliary={classification=0.5, regression=0.25, generator=0.125}",
)
RECONSTRUCT = "stages=[{objective='reconstruction'}, {}, {objective='reconstruction'}, {}]"
# D soon knows its pictures.
FAST = ("stages.*.discriminator.lr=5e-3", "discriminator.hidden=[64]")
CODE = "discriminator.heads={projection=5, code=6}"


def adaptive(**more: object) -> str:
    """Rises or falls by 0.2 every fourth update."""
    options = "".join(f", {key}={value!r}" for key, value in more.items())
    return f"augment={{flip=true, shift=0.1, probability={{kind='adaptive', ramp=0.16{options}}}}}"


# Name → recipe and settings; each run is interrupted in the middle of a stage and of a tick.
CASES: dict[str, tuple[str, ...]] = {
    "mlp": ("gan", *SUPERVISED),
    "dcgan": ("dcgan", *SUPERVISED, "method.penalty={kind='r1', every=3}"),
    "dcgan-augmented": ("dcgan", *SUPERVISED, "augment={shift=0.1, cutout=0.3, brightness=0.2}"),
    "sngan-critic": ("sngan", *SUPERVISED, "method.n_critic=2"),
    "mlp-sign": ("gan", "data.labels=all", *FAST, adaptive(target=0.1)),
    "mlp-held-out": (
        "gan",
        "data.labels=['light']",
        "method.loss=relativistic",
        *FAST,
        adaptive(heuristic="held_out", reserve=0.2, target=0.02),
    ),
    "mlp-held-out-critic": (
        "gan",
        "method.n_critic=2",
        "method.loss=relativistic_average",
        *FAST,
        adaptive(heuristic="held_out", reserve=0.2, target=0.02),
    ),
    "mlp-reconstruction": ("gan", "data.labels=all", CODE, RECONSTRUCT),
    "dcgan-reconstruction": ("dcgan", CODE, RECONSTRUCT),
    "mlp-reconstruction-adaptive": ("gan", CODE, RECONSTRUCT, adaptive(target=0.5)),
    "mlp-alone-adaptive": ("gan", adaptive(), "stages=[{}, {train=['generator']}, {}]"),
}


STOPS = (56, 72, 136)


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than these runs, and has tests of its own."""
    monkeypatch.setattr("facegan.report.pages.report", lambda path: None)


@pytest.mark.parametrize("case", CASES)
def test_stopping_changes_nothing(
    tiny: Make, watcher: Any, bytes_of: Make, labelled_dataset_path: Path, tmp_path: Path, case: str
) -> None:
    name, *settings = CASES[case]
    recipe = tiny(name, "training.snapshots=1", *settings)
    whole = watcher()
    train(recipe, labelled_dataset_path, tmp_path / "whole", reporter=whole)
    for stop_at in STOPS:
        part = train(recipe, labelled_dataset_path, tmp_path / "parts", reporter=watcher(stop_at))
        assert not part.finished
    assert train(recipe, labelled_dataset_path, tmp_path / "parts", reporter=watcher()).finished
    found, expected = bytes_of(tmp_path / "parts"), bytes_of(tmp_path / "whole")
    assert found["metrics.jsonl"].decode() == expected["metrics.jsonl"].decode()
    assert found.keys() == expected.keys()
    assert [key for key in expected if found[key] != expected[key]] == []
    if "kind='adaptive'" in str(settings):
        used = {at: values.get("augment/probability") for at, values in whole.steps}
        after = [used.get(at + step) for at in STOPS for step in (8, 16)]
        assert any(after), f"resuming must need it: {used}"


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_a_supervised_step_is_the_formulas(
    tiny: Make, trainer_of: Make, labelled_dataset_path: Path, name: str
) -> None:
    """Plain SGD by hand, every loss written out; some labels are missing."""
    recipe = tiny(name, *SUPERVISED, "stages.*.*={kind='sgd', lr=0.1}", "training.batch=16")
    trainer, by_hand = (trainer_of(recipe, data=labelled_dataset_path) for _ in range(2))
    values = trainer.step()
    networks = by_hand.state.networks
    critic, generator = networks.discriminator, networks.generator
    real, labels = by_hand.batch_source.batch(0, 16)
    real = real.contiguous()
    assert labels.isnan().any()
    fake = generator(generator.latent.draw(step_random(0, 0), 16), labels)

    logits, predicted = judged(critic, real, labels)
    against, _ = judged(critic, fake.detach(), labels)
    game = (F.softplus(-logits) + F.softplus(against)).mean()
    classes, amounts = supervised(predicted, labels)
    descend(critic, game + 0.5 * classes + 0.25 * amounts)

    fooled, of_fake = judged(critic, fake, labels)
    fake_classes, fake_amounts = supervised(of_fake, labels)
    g_game = F.softplus(-fooled).mean()
    descend(generator, g_game + 0.125 * (0.5 * fake_classes + 0.25 * fake_amounts))

    for key, expected in {
        "discriminator/adversarial": game,
        "discriminator/classification": classes,
        "discriminator/regression": amounts,
        "generator/adversarial": g_game,
        "generator/classification": fake_classes,
        "generator/regression": fake_amounts,
    }.items():
        assert values[key] == pytest.approx(expected.item(), rel=1e-4), key
    for player in PLAYERS:
        found = trainer.state.network(player).state_dict()
        for key, expected in by_hand.state.network(player).state_dict().items():
            torch.testing.assert_close(
                found[key],
                expected,
                rtol=1e-4,
                atol=1e-6,
                equal_nan=True,
                msg=lambda m, k=f"{player}.{key}": f"{k}: {m}",
            )


def judged(critic: Any, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits with the joint embedding, and predicted labels."""
    heads, features = critic.heads, critic.features(images)
    missing = labels.isnan()
    known = torch.cat((torch.where(missing, 0.0, labels), missing.float()), 1)
    embedded = F.leaky_relu(heads.embed.dense(known), 0.2)
    fit = (heads.project(features) * embedded).sum(1) / math.sqrt(5)
    return heads.logit(features)[:, 0] + fit, heads.auxiliary(features)


def supervised(predicted: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of warm and sure, squared error of light, image by image."""
    classes, amounts = [], []
    for guess, truth in zip(predicted, labels, strict=True):
        yes = [column for column in (0, 2) if not truth[column].isnan()]
        p = (truth[yes] + 1) / 2
        entropy = -(p * guess[yes].sigmoid().log() + (1 - p) * (-guess[yes]).sigmoid().log())
        classes.append(entropy.mean())
        amounts.append(guess[1] * 0 if truth[1].isnan() else (guess[1] - truth[1]) ** 2)
    return torch.stack(classes).mean(), torch.stack(amounts).mean()


def descend(network: nn.Module, loss: Tensor) -> None:
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(0.1 * gradient)


@pytest.mark.parametrize("name", ["gan", "dcgan", "wgan-gp", "sngan", "sagan", "r3gan"])
def test_every_network_trains_with_labels_and_augmentation(
    tiny: Make, trainer_of: Make, labelled_dataset_path: Path, name: str
) -> None:
    """In bf16 too; and not one parameter is left out."""
    augment = "augment={flip=true, shift=0.1, scale=0.2, contrast=0.3, cutout=0.2}"
    recipe = tiny(name, *SUPERVISED, augment, "training.batch=4")
    plain = trainer_of(recipe, data=labelled_dataset_path)
    convolutional = plain.execution.channels_last
    fast = plain.execution.with_("bf16", channels_last=convolutional)
    rounded = trainer_of(recipe, fast, data=labelled_dataset_path)
    before = {key: value.clone() for key, value in plain.state.tensors().items()}
    for trainer in (plain, rounded):
        trainer.step()
        values = trainer.step()
        assert {"discriminator/classification", "generator/regression"} <= values.keys()
        for player in PLAYERS:
            for key, parameter in trainer.state.network(player).named_parameters():
                assert parameter.isfinite().all(), key
                if key != "heads.logit.bias":  # real and generated pull it equally
                    assert not torch.equal(parameter, before[f"{player}.{key}"]), key


def test_real_labels_are_asked_of_generated_images(
    tiny: Make, trainer_of: Make, labelled_dataset_path: Path
) -> None:
    """D gets the same labels with real and generated images: no pair may tell by its labels."""
    trainer = trainer_of(tiny("gan", *SUPERVISED), data=labelled_dataset_path)
    networks = trainer.state.networks
    seen: list[tuple[str, Tensor]] = []
    heads = networks.discriminator.heads
    heads.register_forward_hook(lambda m, i, o: seen.append(("D", i[1])))
    networks.generator.labels.register_forward_hook(lambda m, i, o: seen.append(("G", i[0])))
    trainer.step()
    _, labels = trainer.batch_source.batch(0, 8)
    assert [who for who, _ in seen] == ["G", "D", "D", "D"]
    for _, given in seen:
        torch.testing.assert_close(given, labels, rtol=0, atol=0, equal_nan=True)


def test_pictures_are_made_with_labels_of_training_images(
    tiny: Make, trainer_of: Make, labelled_dataset_path: Path
) -> None:
    recipe = tiny("gan", "data.labels=['warm', 'light']")
    trainer = trainer_of(recipe, data=labelled_dataset_path)
    trainer.step()
    average = trainer.state.average
    dataset = Dataset.open(labelled_dataset_path)
    assert dataset.labels is not None
    stored = dataset.labels[dataset.indices("train"), 1]
    known = stored[~np.isnan(stored)]
    light = {round(float(v), 3) for v in (known - known.mean()) / known.std()}
    drawn = torch.cat([image_inputs(average, seed)[1] for seed in range(300)])
    found = {round(v, 3) for v in drawn[~drawn[:, 1].isnan(), 1].tolist()}
    assert found <= light
    assert len(found) > 0.8 * len(light)
    assert set(drawn[~drawn[:, 0].isnan(), 0].tolist()) == {-1.0, 1.0}
    _, one = image_inputs(average, 3, {1: 2.5})
    assert one[0, 1] == 2.5
    torch.testing.assert_close(one[:, 0], drawn[3:4, 0], equal_nan=True)


def test_supervision_is_learnt(tiny: Make, trainer_of: Make, labelled_dataset_path: Path) -> None:
    recipe = tiny("gan", *SUPERVISED, "stages.*.*.lr=5e-3", "training.budget=2kimg")
    trainer = trainer_of(recipe, data=labelled_dataset_path)
    steps = [trainer.step() for _ in range(120)]
    for loss in ("classification", "regression"):
        first, last = (
            np.mean([values[f"discriminator/{loss}"] for values in part])
            for part in (steps[:10], steps[-10:])
        )
        assert last < 0.7 * first, loss
