"""Precision, recall, density and coverage against the package `prdc` and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facegan.errors import FaceganError
from facegan.evaluation.intervals import halved, linearised
from facegan.evaluation.manifold import Manifold, ManifoldReference, squared_radii


def draw(n: int, dimension: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dimension)) * scale


def place(real: np.ndarray, fake: np.ndarray, k: int = 5) -> Manifold:
    return ManifoldReference(real, k).measure(fake, np.random.default_rng(0))


def scores(real: np.ndarray, fake: np.ndarray, k: int = 5) -> dict[str, float]:
    placed = place(real, fake, k)
    assert placed.recall is not None
    return {
        "precision": placed.precision.mean(),
        "recall": placed.recall.value,
        "density": placed.density.mean(),
        "coverage": placed.coverage.value,
    }


def published(real: np.ndarray, fake: np.ndarray, k: int = 5) -> dict[str, float]:
    prdc = pytest.importorskip("prdc")
    return prdc.compute_prdc(real, fake, nearest_k=k)


# 1024 rows are taken at a time.
@pytest.mark.parametrize(("real", "fake"), [(200, 150), (150, 200), (1100, 1050)])
@pytest.mark.parametrize("k", [1, 5])
def test_agrees_with_prdc(real: int, fake: int, k: int) -> None:
    x, y = draw(real, 8, 1), draw(fake, 8, 2, scale=0.8) + 0.2
    assert scores(x, y, k) == pytest.approx(published(x, y, k), rel=1e-12)


def test_agrees_with_prdc_on_ties_and_copies() -> None:
    # Points of a grid: many distances are equal, many points too, and all of it is exact.
    random = np.random.default_rng(3)
    real = random.integers(0, 4, (120, 3)).astype(np.float64)
    fake = random.integers(0, 5, (100, 3)).astype(np.float64)
    fake[:30] = real[:30]
    assert scores(real, fake) == pytest.approx(published(real, fake), rel=1e-12)


def test_a_line_by_hand() -> None:
    real = np.array([[0.0], [1.0], [2.0], [10.0]])
    fake = np.array([[0.5], [1.5], [3.0], [30.0]])
    # Radii with k = 1: 1, 1, 1, 8 for the real ones; 1, 1, 1.5, 27 for the generated.
    placed = place(real, fake, k=1)
    # 3 lies on the rim of 2's ball, outside it, and within 10's.
    np.testing.assert_array_equal(placed.density, [2, 2, 1, 0])
    np.testing.assert_array_equal(placed.precision, [1, 1, 1, 0])
    assert placed.coverage.value == 1
    # 0, 1 and 2 lie in balls of 0.5, 1.5 and 3; 10 lies in 30's.
    assert placed.recall is not None
    assert placed.recall.value == 1
    far = place(real, np.array([[0.5], [1.5], [3.0], [4.0]]), k=1)
    assert far.recall is not None
    assert far.recall.value == 0.75


def test_copies_lie_on_no_rim_by_rounding() -> None:
    # With the real pictures themselves, the k-th neighbour of each is exactly on its rim: a
    # ball holds its own picture and k − 1 others.
    real = draw(300, 50, 1)
    far_off = (real + 1000).astype(np.float32)
    for x in (real, far_off):
        placed = place(x, x[::-1].copy())
        assert placed.density.mean() == pytest.approx(1.0, rel=1e-12)


def test_near_and_equal_points_keep_their_distance() -> None:
    point = draw(1, 20, 1) + 50
    step = np.zeros((6, 20))
    step[:, 0] = [0, 0, 1e-7, 3e-7, 7e-7, 1.5e-6]
    points = np.concatenate([point + step, draw(30, 20, 2)])
    near = np.sqrt(squared_radii(points, k=1)[0, :6])
    np.testing.assert_allclose(near, [0, 0, 1e-7, 2e-7, 4e-7, 8e-7], rtol=1e-5)
    assert (near[:2] == 0).all()


def test_radii_in_parts_are_those_of_each_part_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    x = draw(90, 4, 1)
    x[5] = x[50]
    parts = np.random.default_rng(0).random((3, 90)) < 0.5
    parts[2, :] = np.arange(90) < 80  # the neighbours in the small part are far down the list
    for ahead in (1, 8):
        monkeypatch.setattr("facegan.evaluation.manifold._AHEAD", ahead)
        found = squared_radii(x, 3, parts)
        for radii, part in zip(found, parts, strict=True):
            for side in (part, ~part):
                np.testing.assert_allclose(radii[side], squared_radii(x[side], 3)[0], rtol=1e-12)


def test_a_generator_of_one_picture() -> None:
    real = draw(100, 8, 1)
    found = scores(real, np.tile(real[:1], (100, 1)))
    assert found["precision"] == 1
    assert found["recall"] == 0  # balls without extent hold nothing
    assert found["coverage"] < 0.3


def test_recall_need_not_be_computed() -> None:
    reference, fake = ManifoldReference(draw(50, 3, 1)), draw(40, 3, 2)
    part = reference.measure(fake, np.random.default_rng(0), recall=False)
    whole = reference.measure(fake, np.random.default_rng(0))
    assert part.recall is None
    assert whole.recall is not None
    np.testing.assert_array_equal(whole.density, part.density)
    assert whole.coverage.value == part.coverage.value


def test_halves_have_their_own_balls() -> None:
    real, fake = draw(50, 3, 1), draw(40, 3, 2)
    placed = place(real, fake)
    random = np.random.default_rng(0)
    one, two = np.array_split(random.permutation(40), 2)
    assert placed.recall is not None
    assert placed.recall.halves.shape == (16, 2)
    for found, half in zip(placed.recall.halves[0], (one, two), strict=True):
        assert found == scores(real, fake[half])["recall"]


def test_influence_on_coverage_is_what_leaving_a_picture_out_does() -> None:
    real, fake = draw(60, 2, 1), draw(25, 2, 2)

    def without(*pictures: int) -> float:
        return scores(real, np.delete(fake, pictures, axis=0))["coverage"]

    measured = place(real, fake).coverage
    singles = np.array([without(i) for i in range(25)])
    expected = 24 * (singles.mean() - singles)
    np.testing.assert_allclose(measured.influence, expected, atol=1e-12)
    together = [
        25 * measured.value - 24 * (singles[i] + singles[j]) + 23 * without(i, j)
        for i in range(25)
        for j in range(i)
    ]
    assert measured.second == pytest.approx(np.square(together).mean() / 2)


@pytest.mark.parametrize("scale", [0.6, 0.8])
def test_intervals_hold_what_they_promise(scale: float) -> None:
    reference, random = ManifoldReference(draw(200, 6, 1)), np.random.default_rng(0)
    found: dict[str, list[tuple[float, float]]] = {"recall": [], "coverage": []}
    for seed in range(120):
        placed = reference.measure(draw(100, 6, 50 + seed, scale), random)
        assert placed.recall is not None
        for name, estimate in (
            ("recall", halved(placed.recall)),
            ("coverage", linearised(placed.coverage, random, (0.0, 1.0))),
        ):
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
            found[name].append((estimate.value, estimate.high - estimate.low))
    for name, pairs in found.items():
        values, widths = np.array(pairs).T
        assert 0.75 < widths.mean() / (2 * 1.96 * values.std(ddof=1)) < 1.3, name


def test_what_cannot_be_computed_is_refused() -> None:
    random = np.random.default_rng(0)
    with pytest.raises(FaceganError, match="5 pictures have no 5"):
        ManifoldReference(draw(5, 3, 1))
    reference = ManifoldReference(draw(20, 3, 1))
    with pytest.raises(FaceganError, match="11 generated"):
        reference.measure(draw(11, 3, 1), random)
    with pytest.raises(FaceganError, match="2 and 3"):
        reference.measure(draw(20, 2, 1), random)
    with pytest.raises(FaceganError, match="no 0 nearest"):
        squared_radii(draw(20, 2, 1), 0)
