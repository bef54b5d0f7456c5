"""Generators as ONNX graphs: the same pictures, for every recipe's generator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facegan.data.spec import ImageSpec, Label
from facegan.errors import FaceganError
from facegan.models.file import GeneratorFile
from facegan.networks.layers.modulation import SelfModulation
from facegan.networks.layers.norm import BatchNorm2d
from facegan.recipe.recipe import recipe_names
from facegan.training.batch_source import value_range_of

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from facegan.models.onnx import KEY, largest_difference, onnx_bytes, plain, run  # noqa: E402

LABELS = (Label("smiling", True), Label("age", False, 40.0, 12.0))
Make = Callable[..., Any]


def made(tiny: Make, name: str, channels: int = 3, labels: tuple[Label, ...] = ()) -> GeneratorFile:
    """A recipe's generator, small, whose statistics, scales and gains are not the first ones."""
    recipe = tiny(name, *(["data.labels=all"] if labels else []))
    torch.manual_seed(0)
    generator = recipe.generator.build(ImageSpec(32, channels, labels), recipe.data.range)
    with torch.no_grad():
        for layer in generator.modules():
            if isinstance(layer, BatchNorm2d):
                nn.init.normal_(layer.weight, 1.0, 0.3)
                nn.init.normal_(layer.bias, 0.0, 0.3)
        for _ in range(5):
            generator(torch.randn(8, generator.latent.size))
        for key, value in generator.named_parameters():
            if key.rpartition(".")[2] in ("gamma", "gain"):
                nn.init.normal_(value, 1.0, 0.3)
    if labels:
        generator.label_rows.normal_()
    statistics = {"mean": [0.5] * channels, "std": [0.25] * channels}
    pixels = value_range_of(recipe, statistics)
    return GeneratorFile(generator.eval(), recipe, pixels, 1000, {"name": "blobs"})


def differences(loaded: GeneratorFile, data: bytes) -> list[float]:
    """The largest difference from PyTorch for 1, 2 and 5 pictures, labels partly unknown."""
    found = []
    for n in (1, 2, 5):
        z = torch.randn(n, loaded.generator.latent.size + loaded.generator.noise)
        labels = torch.randn(n, len(LABELS)) if loaded.generator.spec.labels else None
        if labels is not None:
            labels[0, 1] = torch.nan
        with torch.no_grad():
            expected = loaded.generator(z, labels).numpy()
        images = run(data, z.numpy(), None if labels is None else labels.numpy())
        assert images.shape == expected.shape
        found.append(float(np.abs(images - expected).max()))
    return found


# Recipes that differ in how they train have one generator, with the same layers and pictures.
SEEN: dict[str, float] = {}


@pytest.mark.slow
@pytest.mark.parametrize("labels", [(), LABELS], ids=["plain", "labels"])
@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe(tiny: Make, name: str, labels: tuple[Label, ...]) -> None:
    loaded = made(tiny, name, labels=labels)
    network = loaded.generator
    z = torch.linspace(-2, 2, 3 * (network.latent.size + network.noise)).reshape(3, -1)
    with torch.no_grad():
        images = network(z, torch.zeros(3, len(labels)) if labels else None)
    same = f"{network!r} {labels} {images.flatten().tolist()}"
    if same not in SEEN:
        SEEN[same] = max(differences(loaded, onnx_bytes(loaded)))
    assert SEEN[same] <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("generator.modulate=all", "generator.mapping=2"),
        ("generator.noise=true",),
        ("generator.skips=true", "generator.attention=16", "generator.refine=0"),
    ],
    ids=["mapping", "noise", "skips and attention"],
)
def test_switches_of_a_generator(tiny: Make, settings: tuple[str, ...]) -> None:
    loaded = made(lambda name, *more: tiny(name, *settings, *more), "ignm")
    assert max(differences(loaded, onnx_bytes(loaded))) <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("labels", [(), LABELS], ids=["plain", "labels"])
def test_faces_are_mixed_by_resolution(tiny: Make, labels: tuple[Label, ...]) -> None:
    settings = ("generator.modulate=all", "generator.mapping=1", "generator.noise=true")
    loaded = made(lambda name, *more: tiny(name, *settings, *more), "ignm", labels=labels)
    for module in loaded.generator.modules():
        if isinstance(module, SelfModulation):
            nn.init.normal_(module.linear.weight, std=0.3)
    data = onnx_bytes(loaded, mixing=True)
    # Nothing is mixed in where nobody says so.
    assert max(differences(loaded, data)) <= 1e-5
    numbers = loaded.generator.latent.size + loaded.generator.noise
    z, fine = torch.randn(3, numbers), torch.randn(3, numbers)
    rows, fine_rows = (torch.randn(3, len(labels)) if labels else None for _ in range(2))
    share = torch.rand(3, len(loaded.generator.modulated)).round(decimals=1)
    with torch.no_grad():
        expected = loaded.generator.mixed(z, rows, fine, fine_rows, share).numpy()
        plain_pictures = loaded.generator(z, rows).numpy()
    more = {} if fine_rows is None else {"fine_labels": fine_rows.numpy()}
    own = None if rows is None else rows.numpy()
    images = run(data, z.numpy(), own, fine=fine.numpy(), share=share.numpy(), **more)
    assert np.abs(images - expected).max() <= 1e-5
    assert np.abs(images - plain_pictures).max() > 1e-2


def test_a_generator_that_cannot_mix_has_a_plain_graph(tiny: Make) -> None:
    loaded = made(tiny, "gan")
    # Equal bytes, each time it is written.
    assert onnx_bytes(loaded, half=True, mixing=True) == onnx_bytes(loaded, half=True)


def test_grey_pictures_in_half_precision_with_labels(tiny: Make) -> None:
    loaded = made(tiny, "ignm", 1, LABELS)
    whole, half = onnx_bytes(loaded), onnx_bytes(loaded, half=True)
    assert max(differences(loaded, whole)) <= 1e-5
    # What is rounded is just what a model's file rounds, and nothing is computed in half.
    assert max(differences(loaded.halved(), half)) <= 1e-5
    assert len(half) < len(whole)
    about = json.loads({p.key: p.value for p in onnx.load_from_string(half).metadata_props}[KEY])
    assert about["resolution"] == 32
    assert [label["name"] for label in about["labels"]] == ["smiling", "age"]
    assert about["latent"] == {"size": 6, "noise": 0, "distribution": "normal"}
    # The exporter notes its source files at each node.
    for word in (b".py", b"site-packages", str(Path.home()).encode()):
        assert word not in half


@pytest.mark.parametrize("name", ["dcgan", "sagan"])
def test_the_network_in_memory_stays_as_it_is(tiny: Make, name: str) -> None:
    loaded = made(tiny, name)
    network = loaded.generator.to(memory_format=torch.channels_last)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    copy = plain(network)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(
        type(layer).__module__.startswith("torch.nn") or "facegan" in type(layer).__module__
        for layer in copy.modules()
    )
    z = torch.randn(3, network.latent.size)
    with torch.no_grad():
        assert torch.allclose(copy(z), network(z), atol=1e-5)


def test_what_is_no_graph_is_refused_in_words(tiny: Make, monkeypatch: Any) -> None:
    loaded = made(tiny, "gan")
    assert largest_difference(onnx_bytes(loaded), loaded) <= 1e-5

    def refuses(*arguments: Any, **more: Any) -> None:
        raise RuntimeError("no translation\nof this")

    monkeypatch.setattr(torch.onnx, "export", refuses)
    with pytest.raises(FaceganError, match="cannot be written as ONNX: no translation of this"):
        onnx_bytes(loaded)
