"""What one step computes, seen from outside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facegan.data.dataset import Dataset
from facegan.data.pixels import Pixels
from facegan.data.sampler import Sampler
from facegan.seeding import step_random
from facegan.training import ema
from facegan.training.state import PLAYERS

# Small enough that a moved image can be told from all others.
NEAR = "estimate={kind='finite_difference', sigma=1e-4}"
PENALTIES = {
    f"{kind}-{estimate}": f"{{kind='{kind}', {setting}}}"
    for kind in ("r1", "r2", "r1r2", "gradient_penalty")
    for estimate, setting in (("exact", "every=1"), ("difference", NEAR))
}
# Labels, their prediction, and augmentation of every kind.
SUPERVISED = (
    "data.labels=all",
    "discriminator.heads={auxiliary=true}",
    "method.auxiliary={}",
    "augment={flip=true, shift=0.1, rotation=10, brightness=0.2, cutout=0.2, noise=0.05}",
)
Make = Callable[..., Any]


@contextmanager
def watching(module: nn.Module) -> Any:
    """Collects (input, output) of each forward pass, as copies."""
    seen: list[tuple[Tensor, Tensor]] = []
    hook = module.register_forward_hook(
        lambda m, i, o: seen.append((i[0].detach().clone(), o.detach().clone()))
    )
    yield seen
    hook.remove()


def copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_order_of_images_and_latents(tiny: Make, trainer_of: Make, dataset_path: Path) -> None:
    """By position alone: the sampler's images, the step's latents, the recipe's range."""
    trainer = trainer_of(tiny("gan", "training.seed=4"))
    state = trainer.state
    dataset = Dataset.open(dataset_path)
    train = dataset.indices("train")
    for _ in range(7):  # across the end of the epoch of 40
        position = state.images_seen
        with watching(state.networks.discriminator) as d, watching(state.networks.generator) as g:
            trainer.step()
        chosen = Sampler(train, 4).batch(position, 8)
        expected = Pixels.of("unit").to_model(torch.from_numpy(dataset.images[chosen]))
        assert torch.equal(d[0][0], expected)
        assert torch.equal(g[0][0], step_random(4, position).normal(8, 6))
        assert len(g) == 1  # both players see the same generated images
        assert torch.equal(d[1][0], g[0][1])
        assert torch.equal(d[2][0], g[0][1])


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic", "relativistic_average"])
@pytest.mark.parametrize("penalty", [None, *PENALTIES])
def test_the_discriminator_never_sees_real_and_generated_together(
    tiny: Make, trainer_of: Make, loss: str, penalty: str | None
) -> None:
    """With batch statistics it would tell them apart by the company they keep."""
    settings = [f"method.loss={loss}"]
    if penalty is not None:
        settings.append(f"method.penalty={PENALTIES[penalty]}")
    trainer = trainer_of(tiny("dcgan", *settings))
    with watching(trainer.state.networks.discriminator) as passes:
        trainer.step()
    real, fake = passes[0][0], passes[1][0]
    assert all(len(images) == 8 for images, _ in passes)

    def of(images: Tensor, known: Tensor) -> Tensor:
        near = [(image - known).abs().flatten(1).amax(1) < 1e-3 for image in images]
        return torch.stack([found.any() for found in near])

    for images, _ in passes:
        is_real, is_fake = of(images, real), of(images, fake)
        assert is_real.all() or is_fake.all() or not (is_real.any() or is_fake.any())
    between = [i for i, _ in passes if not of(i, real).any() and not of(i, fake).any()]
    at_points = {"gradient_penalty-exact": 1, "gradient_penalty-difference": 2}
    assert len(between) == at_points.get(penalty, 0)


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_a_step_is_the_formulas(tiny: Make, trainer_of: Make, name: str) -> None:
    """Plain SGD by hand: w ← w − lr · gradient, the discriminator first."""
    settings = ("stages.*.*={kind='sgd', lr=0.1}", "method.penalty={kind='r1', gamma=2.0}")
    trainer, by_hand = (trainer_of(tiny(name, *settings)) for _ in range(2))
    values = trainer.step()
    networks = by_hand.state.networks
    real, _ = by_hand.batch_source.batch(0, 8)
    real = real.contiguous()
    z = networks.generator.latent.draw(step_random(0, 0), 8)

    fake = networks.generator(z)
    x = real.clone().requires_grad_()
    on_real, on_fake = networks.discriminator(real), networks.discriminator(fake.detach())
    loss = -(on_real.sigmoid().log() + (1 - on_fake.sigmoid()).log()).mean()
    (slope,) = torch.autograd.grad(networks.discriminator(x).sum(), x, create_graph=True)
    penalty = slope.square().sum((1, 2, 3)).mean()
    descend(networks.discriminator, loss + penalty)
    g_loss = -networks.discriminator(fake).sigmoid().log().mean()
    norm = descend(networks.generator, g_loss)

    assert values["discriminator/adversarial"] == pytest.approx(loss.item(), rel=1e-5)
    assert values["discriminator/penalty"] == pytest.approx(penalty.item(), rel=1e-4)
    assert values["generator/adversarial"] == pytest.approx(g_loss.item(), rel=1e-5)
    assert values["generator/gradient_norm"] == pytest.approx(norm, rel=1e-4)
    assert values["logits_real"] == pytest.approx(on_real.mean().item(), rel=1e-4, abs=1e-6)
    for player in PLAYERS:
        found, expected = trainer.state.network(player), by_hand.state.network(player)
        for (key, a), b in zip(
            found.state_dict().items(), expected.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6, msg=f"{player}.{key}")


def descend(network: nn.Module, loss: Tensor) -> float:
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(0.1 * gradient)
    return sum(g.square().sum().item() for g in gradients) ** 0.5


@pytest.mark.parametrize("n_critic", [1, 3])
def test_progress_counts_the_images_of_every_critic_update(
    tiny: Make, trainer_of: Make, n_critic: int
) -> None:
    trainer = trainer_of(tiny("gan", f"method.n_critic={n_critic}"))
    networks = trainer.state.networks
    with watching(networks.discriminator) as d, watching(networks.generator) as g:
        trainer.step()
    assert trainer.step_images == trainer.state.images_seen == 8 * n_critic
    assert len(g) == n_critic
    assert len(d) == 2 * n_critic + 1
    real = torch.cat([images for images, _ in d[0:-1:2]])
    assert torch.equal(real, trainer.batch_source.batch(0, 8 * n_critic)[0])
    for i, (z, _) in enumerate(g):
        assert torch.equal(z, step_random(0, 8 * i).normal(8, 6))


@pytest.mark.parametrize("name", ["gan", "dcgan"])
@pytest.mark.parametrize("player", PLAYERS)
def test_one_player_leaves_the_other_as_it_is(
    tiny: Make, trainer_of: Make, name: str, player: str
) -> None:
    trainer = trainer_of(tiny(name, f"stages.*.train=['{player}']"))
    (other,) = set(PLAYERS) - {player}
    before = {p: copied(trainer.state.network(p)) for p in PLAYERS}
    average = copied(trainer.state.average)
    for _ in range(3):
        values = trainer.step()
    assert not equal(copied(trainer.state.network(player)), before[player])
    frozen = dict(trainer.state.network(other).named_parameters())
    assert all(torch.equal(p, before[other][name]) for name, p in frozen.items())
    assert f"{player}/lr" in values
    assert not any(name.startswith(other) for name in values)
    assert equal(copied(trainer.state.average), average) == (player == "discriminator")
    assert trainer.state.images_seen == 24


@pytest.mark.parametrize("player", PLAYERS)
def test_the_statistics_of_a_frozen_network_stay_too(
    tiny: Make, trainer_of: Make, player: str
) -> None:
    """`Stage.train`: "which networks learn; the others stay as they are"."""
    trainer = trainer_of(tiny("dcgan", f"stages.*.train=['{player}']"))
    (other,) = set(PLAYERS) - {player}
    before = copied(trainer.state.network(other))
    trainer.step()
    assert equal(copied(trainer.state.network(other)), before)


def test_generator_update_leaves_no_gradient_in_the_discriminator(
    tiny: Make, trainer_of: Make
) -> None:
    trainer = trainer_of(tiny("dcgan"))
    parameters = list(trainer.state.networks.discriminator.parameters())
    calls = []
    for parameter in parameters:
        parameter.register_hook(lambda gradient: calls.append(gradient))
    trainer.step()
    assert len(calls) == len(parameters)  # once each: in the discriminator's own update
    assert all(p.requires_grad for p in parameters)


def test_average_follows_its_formula(tiny: Make, trainer_of: Make) -> None:
    trainer = trainer_of(
        tiny("dcgan", "training.ema_half_life=0.05", "training.ema_rampup=0.5", "training.batch=10")
    )
    expected = {k: v.double() for k, v in trainer.state.average.state_dict().items()}
    for step in range(15):
        trainer.step()
        half_life = min(50.0, 0.5 * 10 * step)
        old = 0.5 ** (10 / half_life) if step else 0.0
        now = trainer.state.networks.generator.state_dict()
        for key, value in expected.items():
            counter = key.endswith("num_batches_tracked")
            value.copy_(now[key] if counter else old * value + (1 - old) * now[key].double())
        for key, value in trainer.state.average.state_dict().items():
            torch.testing.assert_close(value.double(), expected[key], rtol=1e-5, atol=1e-7)
        if step == 0:
            assert equal(trainer.state.average.state_dict(), now)
    assert not trainer.state.average.training
    assert not any(p.requires_grad for p in trainer.state.average.parameters())


def test_decay_halves_after_the_half_life() -> None:
    assert ema.decay(64, 10**6, half_life=0.64, rampup=1.0) ** 10 == pytest.approx(0.5)
    assert ema.decay(64, 0, half_life=5.0, rampup=0.05) == 0.0
    assert ema.decay(64, 1280, half_life=5.0, rampup=0.05) == pytest.approx(0.5)  # 5 % of 1280


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(
    "loss", ["non_saturating", "hinge", "relativistic", "relativistic_average", "wasserstein"]
)
@pytest.mark.parametrize("name", ["gan", "dcgan", "gan-supervised"])
def test_every_combination_trains_in_bf16_and_channels_last(
    tiny: Make, trainer_of: Make, labelled_dataset_path: Path, name: str, loss: str, penalty: str
) -> None:
    name, _, supervised = name.partition("-")
    setting = PENALTIES[penalty].replace("1e-4", "0.03")
    recipe = tiny(name, f"method.loss={loss}", f"method.penalty={setting}", "method.n_critic=2")
    if supervised:
        recipe = recipe.override(*SUPERVISED)
    plain = trainer_of(recipe, data=labelled_dataset_path)
    fast = trainer_of(
        recipe,
        plain.execution.with_("bf16", channels_last=name == "dcgan"),
        data=labelled_dataset_path,
    )
    for _ in range(2):
        exact, rounded = plain.step(), fast.step()
    assert exact.keys() == rounded.keys()
    key = "discriminator/adversarial"
    assert rounded[key] == pytest.approx(exact[key], rel=0.1, abs=0.1)
    weights = [*fast.state.networks.generator.parameters()]
    weights += fast.state.networks.discriminator.parameters()
    assert all(p.dtype == torch.float32 and torch.isfinite(p).all() for p in weights)
