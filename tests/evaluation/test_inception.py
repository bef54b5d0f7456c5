"""The InceptionV3 of FID: torch-fidelity's, here with random weights."""

from __future__ import annotations

import importlib
import importlib.util
import io
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan.cache import cache_folder
from facegan.errors import FaceganError
from facegan.evaluation.extractors import inception, open_extractor


@pytest.fixture
def reference() -> Iterator[Any]:
    """`reference(module)`: a module of torch-fidelity.

    Importing the package as a whole needs torchvision, for other networks than this one. Where
    the tests run, an empty package in its place lets its modules be imported one by one.
    """
    spec = importlib.util.find_spec("torch_fidelity")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("torch-fidelity is not installed")
    package = types.ModuleType("torch_fidelity")
    package.__path__ = list(spec.submodule_search_locations)
    before = {name: module for name, module in sys.modules.items() if _is_fidelity(name)}
    for name in before:
        del sys.modules[name]
    sys.modules["torch_fidelity"] = package
    yield lambda name: importlib.import_module(f"torch_fidelity.{name}")
    for name in [name for name in sys.modules if _is_fidelity(name)]:
        del sys.modules[name]
    sys.modules.update(before)


def _is_fidelity(name: str) -> bool:
    return name.partition(".")[0] == "torch_fidelity"


def random_weights(reference: Any, folder: Path) -> Any:
    """torch-fidelity's network with random weights: activations neither die nor explode."""
    module = reference("feature_extractor_inceptionv3")
    network_class = module.FeatureExtractorInceptionV3
    file = folder / "random.pth"
    # It loads weights as it is built, so what they look like must be known before.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_class, "load_state_dict", lambda self, state: None)
        torch.save({}, file)
        network = network_class("random", ["2048"], feature_extractor_weights_path=str(file))
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        values = torch.randn(tensor.shape, generator=generator)
        if name.endswith("conv.weight"):
            tensor.copy_(values * (2 / tensor[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "bn.weight")):
            tensor.copy_(1 + 0.3 * values.tanh())
        elif name.endswith(("running_mean", "bn.bias")):
            tensor.copy_(0.1 * values)
    return network


def test_the_features_of_torch_fidelity(
    reference: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = random_weights(reference, tmp_path)
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    monkeypatch.setattr(inception, "_weights", content.getvalue)
    extractor = open_extractor("inception")
    images = np.random.default_rng(0).integers(0, 256, (2, 70, 60, 3), dtype=np.uint8)
    images[1] //= 4
    with torch.inference_mode():
        (expected,) = network(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    found = extractor.features(images)
    assert found.shape == (2, extractor.dimension) == (2, 2048)
    difference = np.linalg.norm(found - expected.numpy())
    assert difference < 1e-5 * np.linalg.norm(expected[0] - expected[1])
    grey = extractor.features(images[..., :1])
    np.testing.assert_array_equal(grey, extractor.features(images[..., :1].repeat(3, 3)))


def test_the_resizer_lies_half_a_pixel_off(reference: Any) -> None:
    """As TensorFlow 1's did: with another one, a Fréchet distance is not FID."""
    module = reference("feature_extractor_inceptionv3")
    ramp = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    found = module.interpolate_bilinear_2d_like_tensorflow1x(ramp, size=(8, 8), align_corners=False)
    assert found[0, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]


def test_without_torch_fidelity_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception, "_weights", lambda: b"")
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(FaceganError, match="torch-fidelity") as caught:
        open_extractor("inception")
    assert "facegan[fid]" in caught.value.hint


def test_without_the_weights_it_says_where_they_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FaceganError, match="not on this machine") as caught:
        open_extractor("inception")
    assert str(cache_folder() / "weights" / inception.FILE) in caught.value.hint
    assert "efflite0" in caught.value.hint


@pytest.mark.parametrize("in_cache", [True, False])
def test_another_file_of_that_name_is_refused(
    in_cache: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    folder = tmp_path / ("cache/weights" if in_cache else "hub/checkpoints")
    folder.mkdir(parents=True)
    (folder / inception.FILE).write_bytes(b"0")
    with pytest.raises(FaceganError, match="not the expected file") as caught:
        open_extractor("inception")
    assert str(folder) in caught.value.message
