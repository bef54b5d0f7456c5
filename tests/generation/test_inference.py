"""Generators as they make pictures in bfloat16: the same function, and only for that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facegan.data.spec import ImageSpec, Label
from facegan.generation.inference import for_inference
from facegan.generation.samples import GROUP, labelled_pictures, pictures
from facegan.networks.interfaces import Generator
from facegan.networks.kernels.strided import StridedConvTranspose2d
from facegan.networks.layers.norm import BatchNorm2d
from facegan.training.batch_source import value_range_of

Make = Callable[..., Any]
LABELS = (Label("Smiling", binary=True), Label("age", binary=False, mean=40.0, std=10.0))
KINDS = ["gan", "dcgan", "ignm", "sngan", "sagan", "r3gan-cpu"]


def made(tiny: Make, name: str, labels: tuple[Label, ...] = ()) -> tuple[Generator, Any]:
    """A generator with statistics and scales that are not the first ones, and its pixels."""
    recipe = tiny(name, "data.labels=all") if labels else tiny(name)
    torch.manual_seed(0)
    generator = recipe.generator.build(ImageSpec(32, 3, labels), recipe.data.range)
    for layer in generator.modules():
        if isinstance(layer, BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.3)
            nn.init.normal_(layer.bias, 0.0, 0.3)
    with torch.no_grad():
        if name in ("dcgan", "ignm"):  # their first weights make grey pictures
            convolutions = (nn.Conv2d, nn.ConvTranspose2d)
            last = [m for m in generator.modules() if isinstance(m, convolutions)][-1]
            last.weight.mul_(20)
        for _ in range(20):
            generator(torch.randn(8, generator.latent.size))
    if labels:
        generator.label_rows.normal_()
    pixels = value_range_of(recipe, {"mean": [0.5] * 3, "std": [0.25] * 3})
    return generator.eval().to(memory_format=torch.channels_last), pixels


def all_of(generator: Generator, pixels: Any, *about: Any) -> np.ndarray:
    return np.concatenate(list(pictures(generator, pixels, range(GROUP + 4), *about))).astype(int)


@pytest.mark.parametrize("labels", [(), LABELS], ids=["plain", "labels"])
@pytest.mark.parametrize("name", KINDS)
def test_the_pictures_are_nearly_those_of_float32(
    tiny: Make, name: str, labels: tuple[Label, ...]
) -> None:
    generator, pixels = made(tiny, name, labels)
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    expected = all_of(generator, pixels)
    found = all_of(for_inference(generator), pixels, 1.0, None, "bf16")
    assert expected.std() > 4, "all pictures are grey: nothing is compared"
    assert np.abs(found - expected).mean() < 0.75
    assert np.abs(found - expected).max() <= 12
    assert np.array_equal(all_of(generator, pixels), expected), "the generator was changed"
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())


@pytest.mark.parametrize("name", KINDS)
def test_no_further_from_float32_than_bfloat16_is_anyway(tiny: Make, name: str) -> None:
    generator, pixels = made(tiny, name)
    expected = all_of(generator, pixels)
    plain = np.abs(all_of(generator, pixels, 1.0, None, "bf16") - expected).mean()
    ours = np.abs(all_of(for_inference(generator), pixels, 1.0, None, "bf16") - expected).mean()
    assert ours < 1.3 * plain + 0.02


def test_norms_disappear_into_convolutions(tiny: Make) -> None:
    for name, kept in (("dcgan", 0), ("ignm", 0), ("sngan", 4)):
        generator, _ = made(tiny, name)
        norms = [m for m in for_inference(generator).modules() if isinstance(m, BatchNorm2d)]
        assert len(norms) == kept, name


def test_wide_transposed_convolutions_take_winograds_form_for_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    torch.manual_seed(0)
    layers = [StridedConvTranspose2d(192, 96), StridedConvTranspose2d(96, 64, bias=False)]
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last).eval()
    rebuilt = for_inference(network)
    assert [type(layer).__name__ for layer in rebuilt] == ["_ByWinograd", "ConvTranspose2d"]
    for n in (1, 32):
        y = torch.randn(n, 192, 4, 4)
        with torch.no_grad():
            expected = network[0](y)
            found = rebuilt[0](y.bfloat16())
        assert found.dtype == torch.bfloat16
        assert (found.float() - expected).norm() < 0.02 * expected.norm()


def test_spectral_norms_are_divided_by_once(tiny: Make) -> None:
    generator, _ = made(tiny, "sagan")
    assert any(".original" in name for name, _ in generator.named_parameters())
    network = for_inference(generator)
    assert not any(".original" in name for name, _ in network.named_parameters())


def test_it_learns_nothing(tiny: Make) -> None:
    network = for_inference(made(tiny, "dcgan")[0])
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_seed_has_its_picture_and_labels_whatever_the_group(tiny: Make, precision: Any) -> None:
    generator, pixels = made(tiny, "dcgan", LABELS)
    if precision == "bf16":
        generator = for_inference(generator)

    def of(seeds: Any) -> tuple[np.ndarray, np.ndarray]:
        groups = list(labelled_pictures(generator, pixels, seeds, 1.0, {0: 1.0}, precision))
        assert all(len(images) == len(rows) for images, rows in groups if rows is not None)
        rows = [rows.numpy() for _, rows in groups if rows is not None]
        return np.concatenate([images for images, _ in groups]), np.concatenate(rows)

    images, rows = of(range(70))
    assert len(images) == len(rows) == 70
    assert (rows[:, 0] == 1).all()
    for seeds in ([69], [3, 68, 41]):
        some, their_rows = of(seeds)
        assert np.array_equal(some, images[seeds])
        assert np.array_equal(their_rows, rows[seeds])


@pytest.mark.parametrize("name", ["dcgan", "ignm-cpu", "r3gan-cpu", "sagan"])
def test_outlines_import_no_compiler(name: str) -> None:
    """PyTorch's would take seconds and a hundred megabytes whenever a model is loaded."""
    code = (
        "import sys; from facegan.networks.meta_device import on_meta_device; "
        "from facegan.recipe import Recipe; from facegan.data.spec import ImageSpec; "
        f"recipe = Recipe.load({name!r})\n"
        "with on_meta_device(): recipe.generator.build(ImageSpec(64, 3), recipe.data.range)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
