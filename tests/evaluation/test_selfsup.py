"""The self-supervised space: the same anywhere, and a score of its own beside ImageNet's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from facegan.errors import FaceganError
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.extractors.selfsup import DIMENSION, KEY, LAYERS, SelfSupervised, Trunk
from facegan.portraits import draw, sample

WEIGHTS = Path(__file__).parents[2] / "src/facegan/evaluation/weights/selfsup.safetensors"


@pytest.fixture(scope="module")
def extractor() -> SelfSupervised:
    return SelfSupervised()


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return draw(sample(24, seed=3), 64)


def test_features_do_not_depend_on_the_others_beside_them(
    extractor: SelfSupervised, faces: np.ndarray
) -> None:
    together = extractor.features(faces)
    alone = np.concatenate([extractor.features(face[None]) for face in faces])
    assert together.shape == (24, DIMENSION)
    assert together.dtype == np.float32
    assert np.allclose(together, alone, atol=1e-5)
    grey = faces.mean(3, keepdims=True).astype(np.uint8)
    assert np.allclose(extractor.features(grey), extractor.features(grey.repeat(3, 3)), atol=1e-6)


def test_views_of_one_face_are_closer_than_two_faces(
    extractor: SelfSupervised, faces: np.ndarray
) -> None:
    plain, turned = extractor.features(faces), extractor.features(faces[:, :, ::-1].copy())
    last = slice(DIMENSION - LAYERS[-1].channels, None)
    apart = np.linalg.norm(plain[:, None, last] - turned[None, :, last], axis=2)
    assert (apart.argmin(1) == np.arange(24)).mean() > 0.9


def test_damage_moves_features_further_than_rounding(
    extractor: SelfSupervised, faces: np.ndarray
) -> None:
    plain = extractor.features(faces)
    small = faces[:, ::2, ::2].repeat(2, 1).repeat(2, 2)
    dithered = np.clip(faces.astype(int) + np.indices(faces.shape).sum(0) % 2, 0, 255)
    far, near = (
        np.linalg.norm(extractor.features(each.astype(np.uint8)) - plain, axis=1).mean()
        for each in (small, dithered)
    )
    assert far > 5 * near


def test_it_can_be_named_and_has_no_option(extractor: SelfSupervised) -> None:
    assert open_extractor("selfsup").fingerprint == extractor.fingerprint
    with pytest.raises(FaceganError, match="selfsup@32"):
        open_extractor("selfsup@32")


def test_a_file_that_is_not_the_network_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(3)}, tmp_path / "a.safetensors")
    for path in (tmp_path / "a.safetensors", tmp_path / "none.safetensors"):
        with pytest.raises(
            FaceganError, match="does not hold the self-supervised network"
        ) as error:
            SelfSupervised(path=path)
        assert "train_selfsup.py" in error.value.hint


def test_the_file_is_small_and_says_where_it_comes_from() -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
    with safe_open(WEIGHTS, "pt") as file:
        about = json.loads(file.metadata()[KEY])
    assert about["command"].startswith("python scripts/train_selfsup.py")
    assert about["pictures"] == 11_910


def test_folding_batch_norms_changes_nothing() -> None:
    import importlib.util

    script = WEIGHTS.parents[4] / "scripts/train_selfsup.py"
    spec = importlib.util.spec_from_file_location("train_selfsup", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    trunk, x = Trunk(normalised=True), torch.randn(8, 3, 64, 64)
    for _ in range(3):
        trunk(x)
    assert torch.allclose(module.fold(trunk.eval())(x), trunk(x), atol=1e-5)
    views = module.view(x.abs() * 50, np.random.default_rng(0))
    assert views.shape == (8, 3, 48, 48)
    # Two equal views: each finds the other at once.
    pairs = torch.eye(8).repeat(2, 1) * 100
    assert float(module.contrast(pairs)) < float(module.contrast(torch.randn(16, 8)))
