"""Augmentation in training: what D sees of it, what G learns through it, and how often."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facegan.apps.train import train
from facegan.data.dataset import Dataset
from facegan.runs.directory import RunDirectory
from facegan.seeding import step_random

Make = Callable[..., Any]

ALWAYS = "augment={probability=1.0, flip=true, shift=0.2, brightness=0.3, cutout=0.4}"
# For each value, x → contrast · x; the pictures' range is [−1, 1], so mid-grey is 0.
CONTRAST = "augment={probability=1.0, contrast=3.0}"


def watched(trainer: Any) -> list[Tensor]:
    """Collects what D sees, as copies."""
    seen: list[Tensor] = []
    trainer.state.networks.discriminator.register_forward_hook(
        lambda m, i, o: seen.append(i[0].detach().clone())
    )
    return seen


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
def test_the_discriminator_sees_nothing_plain(tiny: Make, trainer_of: Make, loss: str) -> None:
    """Real and generated images go through the same changes, drawn anew for each pass."""
    recipe = tiny("dcgan", ALWAYS, f"method.loss={loss}")
    trainer, plain = trainer_of(recipe), trainer_of(tiny("dcgan"))
    seen = watched(trainer)
    trainer.step()
    real, _ = plain.batch_source.batch(0, 8)
    random = step_random(0, 0)
    fake = plain.state.networks.generator(random.uniform(8, 6, low=-1.0))
    augment = recipe.augment.build(plain.batch_source.pixels)
    expected = [augment(images, random, 1.0) for images in (real, fake)]
    # The order of their draws: D on both, then G on its own, then on real ones where it asks.
    expected.append(augment(fake, random, 1.0))
    if loss == "relativistic":
        expected.append(augment(real, random, 1.0))
    assert len(seen) == len(expected)
    for found, wanted in zip(seen, expected, strict=True):
        torch.testing.assert_close(found, wanted.detach(), rtol=0, atol=1e-6)
    assert (seen[0] - real).abs().flatten(1).amax(1).min() > 0.05
    assert not torch.allclose(seen[1], seen[2])


def test_pairs_change_in_the_same_way(tiny: Make, trainer_of: Make) -> None:
    """Contrast multiplies each picture, and the n-th real and generated one by the same number."""
    paired = CONTRAST.replace("contrast", "paired=true, contrast")
    for setting, same in ((CONTRAST, False), (paired, True)):
        recipe = tiny("gan", setting, "data.range=symmetric")
        trainer, plain = trainer_of(recipe), trainer_of(recipe)
        seen = watched(trainer)
        trainer.step()
        real, _ = plain.batch_source.batch(0, 8)
        fake = plain.state.networks.generator(step_random(0, 0).normal(8, 6))
        factors = [
            (changed.flatten(1) * images.flatten(1)).sum(1) / images.flatten(1).square().sum(1)
            for changed, images in zip(seen, (real, fake, fake), strict=True)
        ]
        assert factors[0].std() > 0.1
        assert torch.allclose(factors[0], factors[1].detach(), rtol=1e-3) == same
        # G's update looks at the same pictures.
        assert torch.allclose(factors[1], factors[2], rtol=1e-3) == same
        before = factors[0]
        seen.clear()
        trainer.step()
        real, _ = plain.batch_source.batch(8, 8)
        after = (seen[0].flatten(1) * real.flatten(1)).sum(1) / real.flatten(1).square().sum(1)
        assert not torch.allclose(before, after, rtol=1e-2), "drawn once for the whole run"


def test_gradients_reach_the_generator_through_the_augmentation(
    tiny: Make, trainer_of: Make
) -> None:
    """By hand: w ← w − lr · d/dw loss(D(augment(G(z))))."""
    settings = ("stages=[{train=['generator'], generator={kind='sgd', lr=0.5}}]", ALWAYS)
    trainer, by_hand = (trainer_of(tiny("gan", *settings)) for _ in range(2))
    trainer.step()
    networks, random = by_hand.state.networks, step_random(0, 0)
    fake = networks.generator(random.normal(8, 6))
    augment = by_hand.recipe.augment.build(by_hand.batch_source.pixels)
    parameters = list(networks.generator.parameters())
    before = [p.detach().clone() for p in parameters]
    loss = torch.nn.functional.softplus(-networks.discriminator(augment(fake, random, 1.0))).mean()
    plain = torch.nn.functional.softplus(-networks.discriminator(fake)).mean()
    expected = torch.autograd.grad(loss, parameters, retain_graph=True)
    without = torch.autograd.grad(plain, parameters)
    trained = list(trainer.state.networks.generator.parameters())
    for old, new, slope in zip(before, trained, expected, strict=True):
        torch.testing.assert_close(new.detach(), old - 0.5 * slope, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(expected[0], without[0], rtol=0.01)


@pytest.mark.parametrize(
    ("penalty", "at"),
    [("{kind='r1', gamma=2.0}", (0,)), ("{kind='r2', gamma=2.0}", (1,))],
)
def test_penalties_ask_where_the_discriminator_looks(
    tiny: Make, trainer_of: Make, penalty: str, at: tuple[int, ...]
) -> None:
    """‖∇D‖² at the augmented images, which D has just seen, and not at the plain ones."""
    recipe = tiny("gan", CONTRAST, "data.range=symmetric", f"method.penalty={penalty}")
    trainer, before = trainer_of(recipe), trainer_of(recipe)
    seen = watched(trainer)
    found = trainer.step()["discriminator/penalty"]
    critic = before.state.networks.discriminator
    assert found == pytest.approx(steepness(critic, seen[at[0]]), rel=1e-4)
    real, _ = before.batch_source.batch(0, 8)
    fake = before.state.networks.generator(step_random(0, 0).normal(8, 6))
    plain = (real, fake)[at[0]].detach()
    assert found != pytest.approx(steepness(critic, plain), rel=1e-4)


@pytest.mark.parametrize(("share", "step"), [(0.25, 4), (0.5, 2), (0.01, 8), (1.0, 1)])
def test_a_penalty_may_be_asked_of_a_share_of_the_images(
    tiny: Make, trainer_of: Make, share: float, step: int
) -> None:
    """Evenly spaced ones, at least one: so that processes with a part each choose the same."""
    recipe = tiny("gan", f"method.penalty={{kind='r1', gamma=2.0, share={share}}}")
    trainer, before = trainer_of(recipe), trainer_of(recipe)
    seen = watched(trainer)
    found = trainer.step()["discriminator/penalty"]
    critic = before.state.networks.discriminator
    assert found == pytest.approx(steepness(critic, seen[0][::step]), rel=1e-4)
    assert [len(images) for images in seen] == [8, 8, len(seen[0][::step]), 8]


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("paired", ["false", "true"])
@pytest.mark.parametrize(("kind", "which"), [("r1", (0,)), ("r2", (1,)), ("r1r2", (0, 1))])
def test_penalties_may_ask_at_the_plain_images_through_the_augmentation(
    tiny: Make, trainer_of: Make, kind: str, which: tuple[int, ...], paired: str, share: float
) -> None:
    """γ/2 ‖∇ₓ D(augment(x))‖², with the change that D has just seen."""
    changes = f"augment={{probability=1.0, paired={paired}, shift=0.2, contrast=3.0, cutout=0.4}}"
    penalty = f"method.penalty={{kind='{kind}', gamma=2.0, at='plain', share={share}}}"
    recipe = tiny("gan", changes, "data.range=symmetric", penalty)
    trainer, before = trainer_of(recipe), trainer_of(recipe)
    seen = watched(trainer)
    found = trainer.step()["discriminator/penalty"]
    networks, random = before.state.networks, step_random(0, 0)
    real, _ = before.batch_source.batch(0, 8)
    fake = networks.generator(random.normal(8, 6)).detach()
    numbers = random.repeatable()
    augment = recipe.augment.build(before.batch_source.pixels)
    expected = 0.0
    for number in which:
        images = (real, fake)[number].clone().requires_grad_()
        changed = augment(images, numbers(), 1.0)
        torch.testing.assert_close(seen[number], changed.detach())
        (slope,) = torch.autograd.grad(networks.discriminator(changed).sum(), images)
        expected += slope.square().flatten(1).sum(1)[:: round(1 / share)].mean()
    assert found == pytest.approx(float(expected), rel=1e-4)


def test_the_gradient_penalty_is_between_augmented_images(tiny: Make, trainer_of: Make) -> None:
    penalty = "method.penalty={kind='gradient_penalty'}"
    trainer = trainer_of(tiny("gan", CONTRAST, "data.range=symmetric", penalty))
    seen = watched(trainer)
    trainer.step()
    real, fake, between, _ = seen
    share = (between - fake) / (real - fake)
    for each, apart in zip(share, (real - fake).abs() > 0.01, strict=True):
        epsilon = each[apart].median()
        assert 0 <= epsilon <= 1
        torch.testing.assert_close(each[apart], epsilon.expand(int(apart.sum())), rtol=0, atol=1e-3)


def steepness(critic: Any, images: Tensor) -> float:
    images = images.clone().requires_grad_()
    (slope,) = torch.autograd.grad(critic(images).sum(), images)
    return float(slope.square().sum((1, 2, 3)).mean())


def test_the_probability_follows_its_schedule_into_the_journal(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    ramp = "{kind='linear', start=0.0, end=0.8, finish=0.5}"
    recipe = tiny("gan", f"augment={{probability={ramp}, flip=true}}", "training.ticks=24")
    train(recipe, dataset_path, tmp_path / "run", reporter=watcher())
    lines = [line for line in RunDirectory(tmp_path / "run").metrics.lines() if "stage" in line]
    expected = [min(0.8 * step / 12, 0.8) for step in range(24)]
    assert [line["augment/probability"] for line in lines] == pytest.approx(expected)


def test_at_probability_zero_nothing_changes(tiny: Make, trainer_of: Make) -> None:
    plain = trainer_of(tiny("gan"))
    never = trainer_of(tiny("gan", ALWAYS, "augment.probability=0"))
    for _ in range(3):
        values = never.step()
        assert values.pop("augment/probability") == 0
        assert values == plain.step()


def test_without_augmentation_the_journal_does_not_mention_it(tiny: Make, trainer_of: Make) -> None:
    assert "augment/probability" not in trainer_of(tiny("gan")).step()


def test_where_nothing_is_augmented_the_journal_has_no_probability(
    tiny: Make, trainer_of: Make
) -> None:
    """Reconstruction sees plain pictures, whatever the game has augmented before."""
    stages = "stages=[{}, {objective='reconstruction'}, {}]"
    trainer = trainer_of(tiny("gan", ALWAYS, "discriminator.heads.code=6", stages))
    said = ["augment/probability" in trainer.step() for _ in range(24)]
    assert said == [True] * 8 + [False] * 8 + [True] * 8


@pytest.mark.parametrize("heuristic", ["sign", "held_out"])
def test_the_probability_rises_when_eight_pictures_are_learnt_by_heart(
    tiny: Make, trainer_of: Make, make_dataset: Make, tmp_path: Path, heuristic: str
) -> None:
    """And never leaves [0, limit]; no faster than `ramp`, here 0.025 every fourth update."""
    held_out = heuristic == "held_out"
    options = "target=0.25, ramp=1.28, limit=0.35, reserve=0.2"
    steering = f"{{kind='adaptive', heuristic='{heuristic}', {options}}}"
    recipe = tiny(
        "gan",
        f"augment={{probability={steering}, brightness=0.05}}",
        f"method.loss={'relativistic' if held_out else 'non_saturating'}",
        "discriminator.hidden=[64]",
        "stages.*.*.lr=3e-3",
    )
    data = make_dataset(tmp_path / "few", n=12 if held_out else 9)
    assert len(Dataset.open(data).indices("train")) == (10 if held_out else 8)
    trainer = trainer_of(recipe, data=data)
    used = [trainer.step()["augment/probability"] for _ in range(96)]
    assert used[0] == 0
    assert used[-1] > 0.3
    assert 0 <= min(used) <= max(used) <= 0.35
    assert max(b - a for a, b in pairwise(used)) == pytest.approx(0.025)
    assert all(used[i] == used[i - 1] for i in range(2, 96) if i % 4 != 1)


def test_the_probability_falls_where_nothing_overfits(tiny: Make, trainer_of: Make) -> None:
    adaptive = "{kind='adaptive', ramp=0.32}"
    never = "stages.*.discriminator={kind='sgd', lr=0.0}"
    trainer = trainer_of(tiny("gan", never, f"augment={{probability={adaptive}, flip=true}}"))
    with torch.no_grad():  # it takes every real image for a generated one
        trainer.state.networks.discriminator.heads.logit.bias.fill_(-100)
    trainer.state.augmenting = 0.25
    used = [trainer.step()["augment/probability"] for _ in range(16)]
    assert used == pytest.approx([0.25, *[0.15] * 4, *[0.05] * 4, *[0.0] * 7])


def test_what_is_held_out_is_never_trained_on(tiny: Make, trainer_of: Make) -> None:
    """32 images to train on, and 8 to ask D about at every fourth update, which teach nothing."""
    adaptive = "{kind='adaptive', heuristic='held_out', reserve=0.2, ramp=1e9}"
    held_out = f"augment={{probability={adaptive}, flip=true}}"
    recipe = tiny("gan", held_out, "method.loss=relativistic")
    trainer = trainer_of(recipe)
    seen = watched(trainer)
    trained: set[bytes] = set()
    asked: set[bytes] = set()
    for step in range(24):
        seen.clear()
        trainer.step()
        # Real, generated, held out where it is time, then G's generated and real ones.
        assert len(seen) == (5 if step % 4 == 0 else 4)
        trained |= {image.numpy().tobytes() for image in (*seen[0], *seen[-1])}
        if step % 4 == 0:
            asked |= {image.numpy().tobytes() for image in seen[2]}
    assert len(trained) == 32
    assert 4 <= len(asked) <= 8
    assert not trained & asked
    # The same weights as with other pictures in their place: D only looks.
    again = trainer_of(recipe)
    held = again.batch_source.held_out
    again.batch_source.held_out = lambda position, size: (held(position, size)[0] * 0 + 0.5, None)
    for _ in range(24):
        again.step()
    one, other = trainer.state.tensors(), again.state.tensors()
    assert all(torch.equal(one[key], other[key]) for key in one)
