"""Finding directions: closed forms, and a generator and readers that are straight lines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from facegan.editing import finding
from facegan.editing.finding import Effects, conditional, fit
from facegan.editing.readings import LIGHT, POSE, Readers
from facegan.errors import FaceganError

SIZE, PLACES, NOISE = 6, 9, 3


def latents(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, SIZE + NOISE), np.float32)


class Straight:
    """A generator whose pictures are straight lines in z: one bright place for each number."""

    def __init__(self, distribution: str = "normal") -> None:
        latent = SimpleNamespace(size=SIZE, distribution=distribution)
        self.loaded = SimpleNamespace(generator=SimpleNamespace(latent=latent))

    def pictures_at(self, z: Any, labels: Any = None) -> np.ndarray:
        values = np.zeros((len(z), PLACES))
        values[:, :SIZE] = z.numpy()[:, :SIZE]
        return (128 + 20 * values).round().clip(0, 255).astype(np.uint8).reshape(-1, 3, 3, 1)


class StraightReaders:
    """Readings that are straight lines in the pictures; the last one is not read from all."""

    def __init__(self, weights: np.ndarray, kinds: tuple[str, ...]) -> None:
        self.weights = weights
        self.names = tuple("abcdefg"[: len(weights)])
        self.readings = tuple(SimpleNamespace(kind=kind) for kind in kinds)
        places = SimpleNamespace(dimension=PLACES, features=self.features)
        self.attributes = SimpleNamespace(places=places)

    @staticmethod
    def features(images: np.ndarray) -> np.ndarray:
        return ((images.reshape(-1, PLACES).astype(np.float32)) - 128) / 20

    def read(self, images: np.ndarray, features: Any = None, posed: bool = True) -> np.ndarray:
        found = self.features(images).astype(np.float64)[:, :SIZE] @ self.weights.T + 7
        found[:, [r.kind == "pose" for r in self.readings]] *= 1 if posed else np.nan
        return found


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((3, SIZE))


@pytest.fixture
def readers(weights: np.ndarray) -> Any:
    return StraightReaders(weights, ("attribute", "light", "pose"))


def test_the_steepest_direction_is_the_slope_itself() -> None:
    slopes = np.random.default_rng(2).standard_normal((SIZE, 4))
    found = conditional(slopes, np.eye(SIZE), [True] * 4, others=0.0, picture=0.0)
    assert np.allclose(found, (slopes / (slopes**2).sum(0)).T)


def test_a_conditional_direction_leaves_all_others_alone_and_is_the_shortest() -> None:
    slopes = np.random.default_rng(2).standard_normal((SIZE, 4))
    found = conditional(slopes, np.eye(SIZE), [True] * 4, others=1e6, picture=0.0, length=1.0)
    assert np.allclose(found @ slopes, np.eye(4), atol=1e-5)
    assert np.allclose(found, np.linalg.pinv(slopes), atol=1e-5)


@pytest.mark.parametrize("others", [0.0, 0.3, 10.0])
def test_every_direction_raises_its_own_reading_by_one(others: float) -> None:
    slopes = np.random.default_rng(3).standard_normal((SIZE, 4))
    change = np.diag(np.arange(1.0, SIZE + 1))
    found = conditional(slopes, change, [True, False, True, False], others=others)
    assert np.allclose((found * slopes.T).sum(1), 1)


def test_what_changes_the_picture_is_avoided_where_a_reading_concerns_a_part_of_it() -> None:
    slopes = np.zeros((SIZE, 1))
    slopes[0] = slopes[1] = 1.0
    change = np.diag([100.0, *[1.0] * (SIZE - 1)])
    part, whole = (
        conditional(slopes, change, [narrow], picture=1.0, length=1e-6)[0]
        for narrow in (True, False)
    )
    assert abs(part[0]) < 0.02
    assert np.allclose(part[:2].sum(), 1)
    assert np.allclose(whole[:2], 0.5)


def test_lines_are_found_where_there_are_lines(
    readers: Any, weights: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_POSED", 640)
    told: list[int] = []
    lines = fit(Straight(), readers, (latents(2000), None), told.append)  # type: ignore[arg-type]
    length = np.linalg.norm(weights, axis=1)
    assert np.allclose(lines.centre, 7, atol=0.15)
    assert np.allclose(lines.spread, length, rtol=0.05)
    assert (lines.explained > 0.99).all()
    assert np.allclose(lines.slopes * lines.spread, weights.T, atol=0.08)
    # Every number of z changes one place, all by as much.
    assert np.allclose(lines.change, np.eye(SIZE), atol=0.06)
    assert sum(told) == 2000


def test_what_never_changes_is_explained_by_nothing(readers: Any) -> None:
    readers.weights[1] = 0.0
    lines = fit(Straight(), readers, (latents(500), None))  # type: ignore[arg-type]
    assert lines.explained[1] == 0.0
    assert not lines.slopes[:, 1].any()
    assert np.isfinite(lines.spread).all()


class Identity:
    """Places in the picture are who somebody is."""

    name = "places"

    @staticmethod
    def vectors(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float64)

    @staticmethod
    def between(vectors: np.ndarray) -> float:
        return 40.0


def test_effects_are_what_the_lines_say(
    readers: Any, weights: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_POSED_AGAIN", 16)
    model: Any = Straight("uniform")
    z = latents(64).clip(-0.3, 0.3)
    lines = fit(model, readers, (latents(1000), None))
    vectors = np.eye(3, SIZE) * 0.25
    effects = Effects(model, readers, Identity(), lines, 2.0, (z, None))  # type: ignore[arg-type]
    up, down, away = effects(vectors, 64, lambda more: None)
    expected = vectors @ weights.T / lines.spread
    assert np.allclose(up, expected, atol=0.02)
    assert np.allclose(down, expected, atol=0.02)
    # 2 · 0.25 · 20 levels, in shares of 40.
    assert np.allclose(away, 0.25, atol=0.01)
    up, _, away = effects(vectors, 8, lambda more: None, alone=True)
    assert not away.any()
    assert up[0, 2] == 0.0
    assert abs(up[2, 2]) > 0


def test_a_reading_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(FaceganError, match="mean 'Smiling'"):
        Readers(["smilling"])


def test_light_and_pose_follow_what_is_done_to_a_picture() -> None:
    from facegan.generation.generator import open_generator

    names = [each.name for each in (*LIGHT, *POSE)]
    readers = Readers(names)
    pictures = np.concatenate(list(open_generator().pictures(range(8), 0.7)))
    before = dict(zip(names, readers.read(pictures).T, strict=True))
    mirrored = dict(zip(names, readers.read(pictures[:, :, ::-1].copy()).T, strict=True))
    dark = dict(zip(names, readers.read(pictures // 2).T, strict=True))
    assert (dark["Light"] < before["Light"]).all()
    assert (dark["Contrast"] < before["Contrast"]).all()
    assert np.allclose(mirrored["Light_From_Right"], -before["Light_From_Right"], atol=3)
    assert np.allclose(mirrored["Light_Background"], before["Light_Background"], atol=1)
    assert np.corrcoef(mirrored["Turned_Right"], -before["Turned_Right"])[0, 1] > 0.9
    turn = cv2.getRotationMatrix2D((31.5, 31.5), -15, 1)
    turned = np.stack([cv2.warpAffine(each, turn, (64, 64)) for each in pictures])
    tilt = readers.read(turned)[:, names.index("Tilted_Right")] - before["Tilted_Right"]
    assert np.abs(tilt - 15).mean() < 5
    assert np.allclose(mirrored["Turned_Down"], before["Turned_Down"], atol=6)
    blue = pictures.copy()
    blue[..., 0] //= 2
    assert (readers.read(blue)[:, names.index("Warm_Light")] < before["Warm_Light"]).all()


def test_poses_that_were_not_read_are_missing() -> None:
    readers = Readers(["Smiling", "Turned_Down"])
    read = readers.read(np.zeros((2, 64, 64, 3), np.uint8), posed=False)
    assert np.isfinite(read[:, 0]).all()
    assert np.isnan(read[:, 1]).all()
