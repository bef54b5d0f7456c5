"""Reconstruction, stages with one player, and freezing by depth (IGNM 4.3, FreezeD)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facegan.apps.train import train
from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.methods.reconstruction import normalised
from facegan.networks.blocks import blocks
from facegan.networks.interfaces import parameter_count
from facegan.training.state import PLAYERS

Make = Callable[..., Any]

CODE = "discriminator.heads.code=6"
# SAGAN's two steps after a first one: the generator alone, then its opponent, then both.
TWO_STEPS = (
    CODE,
    "stages=[{objective='reconstruction'}, {train=['discriminator']}, {train=['generator']}, {}]",
)


def weights(trainer: Any, player: str) -> dict[str, Tensor]:
    named = trainer.state.network(player).named_parameters()
    return {name: p.detach().clone() for name, p in named}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_reconstruction_brings_pictures_nearer(tiny: Make, trainer_of: Make, name: str) -> None:
    """And trains both networks; what is no part of it stays as it is."""
    recipe = tiny(
        name, CODE, "training.budget=2kimg", "stages=[{objective='reconstruction'}]"
    ).override("stages.*.*={kind='adam', lr=5e-3}")
    trainer = trainer_of(recipe)
    before = {player: weights(trainer, player) for player in PLAYERS}
    steps = [trainer.step() for _ in range(60)]
    assert not any("adversarial" in key or "logits" in key for key in steps[0])
    for player in PLAYERS:
        distance = [values[f"{player}/reconstruction"] for values in steps]
        assert np.mean(distance[-5:]) < 0.75 * np.mean(distance[:5])
        moved = changed(before[player], weights(trainer, player))
        still = {"heads.logit.weight", "heads.logit.bias"} & before[player].keys()
        assert moved == before[player].keys() - still
        assert all(p.requires_grad for p in trainer.state.network(player).parameters())


def test_reconstruction_is_its_formula(tiny: Make, trainer_of: Make) -> None:
    recipe = tiny("gan", CODE, "stages=[{objective='reconstruction'}]")
    trainer, by_hand = trainer_of(recipe), trainer_of(recipe)
    for each in (trainer, by_hand):
        with torch.no_grad():  # its first pictures would be all but grey
            for parameter in each.state.networks.generator.parameters():
                parameter.mul_(4)
    values = trainer.step()
    networks = by_hand.state.networks
    real, _ = by_hand.batch_source.batch(0, 8)
    with torch.no_grad():
        code = networks.discriminator.encode(real)
        code = (code - code.mean(0)) / code.std(0, correction=0)
        expected = (networks.generator(code) - real).abs().mean().item()
    assert values["discriminator/reconstruction"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("variance", [1.0, 1 / 3])
def test_codes_are_spread_as_latents_are(variance: float) -> None:
    code = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)) * 7 + 4
    found = normalised(code, variance)
    torch.testing.assert_close(found.mean(0), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.var(0, correction=0), torch.full((3,), variance))
    assert torch.equal(normalised(torch.ones(4, 3), variance), torch.zeros(4, 3))


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_only_those_named_learn_in_each_stage(tiny: Make, trainer_of: Make, name: str) -> None:
    trainer = trainer_of(tiny(name, *TWO_STEPS))
    learnt: list[set[str]] = []
    for _ in range(24):
        before = {player: weights(trainer, player) for player in PLAYERS}
        values = trainer.step()
        moved = {p for p in PLAYERS if changed(before[p], weights(trainer, p))}
        assert moved == {p for p in PLAYERS if f"{p}/gradient_norm" in values}
        learnt.append(moved)
        objective = "reconstruction" if trainer.state.stage_index == 0 else "adversarial"
        assert all(f"{player}/{objective}" in values for player in moved)
    both = set(PLAYERS)
    assert learnt == [both] * 6 + [{"discriminator"}] * 6 + [{"generator"}] * 6 + [both] * 6


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        ("gan", 3, 2),
        ("dcgan", 4, 3),
        ("wgan-gp", 5, 4),
        ("sngan", 5, 4),
        ("sagan", 6, 5),
        ("r3gan", 1 + 4 + 1, 1 + 4),
    ],
)
def test_blocks_are_in_the_order_of_the_data(
    tiny: Make, name: str, generator: int, discriminator: int
) -> None:
    """Each with its norm; together all parameters but the heads', each once."""
    recipe = tiny(name)
    spec = ImageSpec(32)
    for player, count in (("generator", generator), ("discriminator", discriminator)):
        network = getattr(recipe, player).build(spec, "symmetric")
        found = blocks(network)
        assert len(found) == count
        owners = {id(p): key for key, p in network.named_parameters()}
        keys = [owners[id(p)] for block in found for p in block]
        assert len(keys) == len(set(keys))
        left = {key.split(".")[0] for key in owners.values()} - {k.split(".")[0] for k in keys}
        assert left <= {"heads", "labels", "basis"}
        assert sum(p.numel() for block in found for p in block) <= parameter_count(network)
        assert "layers" not in left
        for block in found:
            assert any(p.dim() > 1 for p in block), "a norm is no block"


@pytest.mark.parametrize("name", ["gan", "dcgan", "sngan", "r3gan"])
def test_the_first_blocks_stay_bit_for_bit(tiny: Make, trainer_of: Make, name: str) -> None:
    """While everything else learns."""
    stage = "stages=[{freeze_discriminator=1, freeze_generator=1}]"
    trainer = trainer_of(tiny(name, stage))
    frozen: set[str] = set()
    for player in PLAYERS:
        network = trainer.state.network(player)
        owners = {id(p): key for key, p in network.named_parameters()}
        frozen |= {f"{player}.{owners[id(p)]}" for p in blocks(network)[0]}
    buffers = {
        f"{player}.{key}"
        for player in PLAYERS
        for key, value in trainer.state.network(player).named_buffers()
        if f"{player}.{key.replace('.0.u', '.original')}" in frozen
    }
    assert bool(buffers) == (name == "sngan")  # a spectral norm's vector stays with its weight
    before = {key: value.clone() for key, value in trainer.state.tensors().items()}
    for _ in range(4):
        trainer.step()
    after = trainer.state.tensors()
    one_output = "logit.parametrizations.weight.0.u"  # a unit vector of one number
    statistics = ("running_mean", "running_var", "num_batches_tracked", one_output)
    names = [k for k in before if k.split(".")[0] in PLAYERS and not k.endswith(statistics)]
    still = {key for key in names if torch.equal(before[key], after[key])}
    assert still == frozen | buffers
    moments = {key for key in after if key.startswith("optimizer.")}
    assert moments
    assert not [key for key in moments if any(f".{name}." in key for name in frozen)]


def test_a_stage_can_thaw_what_an_earlier_one_froze(tiny: Make, trainer_of: Make) -> None:
    stages = "stages=[{freeze_discriminator=1}, {}, {freeze_generator=2}]"
    trainer = trainer_of(tiny("gan", stages).override("stages.*.*={kind='adam', lr=1e-3}"))
    still: list[set[str]] = []
    for _ in range(3):
        before = {player: weights(trainer, player) for player in PLAYERS}
        for _ in range(8):
            trainer.step()
        after = {player: weights(trainer, player) for player in PLAYERS}
        keys = [(p, set(before[p]) - changed(before[p], after[p])) for p in PLAYERS]
        still.append({f"{player}.{key}" for player, names in keys for key in names})
    assert still == [
        {"discriminator.layers.0.weight", "discriminator.layers.0.bias"},
        set(),
        {f"generator.layers.{i}.{kind}" for i in (0, 2) for kind in ("weight", "bias")},
    ]


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_frozen_runs_can_be_interrupted(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path, name: str
) -> None:
    """In each stage: frozen parameters have no moments, and get some when they thaw."""
    stages = (
        "stages=[{freeze_discriminator=1, freeze_generator=1}, {},"
        " {freeze_discriminator=1, train=['discriminator']}]"
    )
    recipe = tiny(name, stages, "training.snapshots=1")
    train(recipe, dataset_path, tmp_path / "whole", reporter=watcher())
    for stop_at in (40, 72, 144):
        train(recipe, dataset_path, tmp_path / "parts", reporter=watcher(stop_at))
    assert train(recipe, dataset_path, tmp_path / "parts", reporter=watcher()).finished
    assert bytes_of(tmp_path / "parts") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize(
    ("stages", "settings", "said", "most"),
    [
        ("{freeze_discriminator=2}", (), "this discriminator has 2 blocks", "0 to 1"),
        ("{freeze_generator=3}", (), "this generator has 3 blocks", "0 to 2"),
        ("{}, {freeze_generator=9}", (), "freeze_generator = 9", "0 to 2"),
        ("{freeze_discriminator=1}", ("discriminator.hidden=[]",), "has 0 blocks", "0 to 0"),
    ],
)
def test_too_many_blocks_are_refused_before_the_run_begins(
    tiny: Make,
    watcher: Any,
    dataset_path: Path,
    tmp_path: Path,
    stages: str,
    settings: tuple[str, ...],
    said: str,
    most: str,
) -> None:
    """Also those of a later stage: not after hours of training."""
    recipe = tiny("gan", *settings, f"stages=[{stages}]")
    with pytest.raises(RecipeError) as caught:
        train(recipe, dataset_path, tmp_path / "run", reporter=watcher())
    assert said in caught.value.message
    assert most in caught.value.hint
    assert not (tmp_path / "run").exists()
