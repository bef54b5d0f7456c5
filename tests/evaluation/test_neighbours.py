"""Nearest neighbours against distances between all pairs, and near zero."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from facegan.errors import FaceganError
from facegan.evaluation import neighbours as module
from facegan.evaluation.neighbours import neighbours, neighbours_within, squared_distances


def cloud(n: int, dimension: int, seed: int, offset: float = 0.0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((n, dimension)) + offset
    return values.astype(np.float32)


def by_hand(x: np.ndarray, y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    difference = x[:, None].astype(np.float64) - y[None].astype(np.float64)
    distances = np.sqrt((difference**2).sum(axis=2))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, 1), order


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize(
    ("n", "m", "dimension", "k"), [(70, 150, 33, 1), (5, 40, 7, 4), (3, 4, 2, 4)]
)
def test_like_all_pairs_by_hand(
    n: int, m: int, dimension: int, k: int, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS", 32)  # several blocks, none of which divides the sets
    monkeypatch.setattr(module, "_COLUMNS", 48)
    x, y = cloud(n, dimension, 0, offset), cloud(m, dimension, 1, offset)
    found = neighbours(x, y, k)
    distances, order = by_hand(x, y, k)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    assert found.distances.dtype == np.float64
    assert found.indices.dtype == np.int64


def test_copies_are_at_zero_and_nearly_copies_are_not() -> None:
    # The squares are near 10⁷, so that float32 products cannot tell distances below 1.
    y = cloud(400, 900, 0, offset=100.0)
    x = y[:3].copy()
    x[1, 5] += np.float32(2**-10)
    x[2] += np.float32(2**-10)
    found = neighbours(x, y)
    assert found.indices[:, 0].tolist() == [0, 1, 2]
    expected = [0.0, 2**-10, np.sqrt(900) * 2**-10]
    np.testing.assert_allclose(found.distances[:, 0], expected, rtol=1e-12)


def test_the_nearest_of_many_that_float32_cannot_order() -> None:
    # Far from the mean, 300 points lie at one place but for differences below the rounding of
    # the product. The candidates of float32 are arbitrary: those of float64 are not.
    step = np.float32(2**-12)
    y = np.zeros((600, 3), np.float32)
    y[:300, 0] = 1000 + step * np.arange(300, dtype=np.float32)
    y[300:, 0] = -1000
    y[:300] = y[np.random.default_rng(0).permutation(300)]
    x = np.array([[1000 - step, 0, 0], [1000 + 150.25 * step, 0, 0]], np.float32)
    found = neighbours(x, y, 3)
    distances, _ = by_hand(x, y, 3)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)


def test_equally_near_ones_come_in_order() -> None:
    y = np.zeros((30, 4), np.float32)
    y[10:] = 1
    found = neighbours(np.zeros((1, 4), np.float32), y, 5)
    assert found.distances.tolist() == [[0.0] * 5]
    assert found.indices.max() < 10
    assert found.indices[0].tolist() == sorted(found.indices[0])


def test_no_neighbour_of_the_same_group() -> None:
    x, y = cloud(20, 6, 0), cloud(60, 6, 1)
    x_group, y_group = np.arange(20) % 3, np.arange(60) % 3
    found = neighbours(x, y, 4, x_group, y_group)
    for row in range(20):
        others = np.flatnonzero(y_group != x_group[row])
        distances, order = by_hand(x[row : row + 1], y[others], 4)
        np.testing.assert_array_equal(found.indices[row], others[order[0]])
        np.testing.assert_allclose(found.distances[row], distances[0], rtol=1e-12)


def test_where_there_are_too_few() -> None:
    found = neighbours(cloud(2, 3, 0), cloud(3, 3, 1), 4)
    assert np.isfinite(found.distances[:, :3]).all()
    assert np.isinf(found.distances[:, 3]).all()
    assert (found.indices[:, 3] == -1).all()
    alone = neighbours(cloud(1, 3, 0), cloud(30, 3, 1), 1, [5], np.full(30, 5))
    assert np.isinf(alone.distances).all()
    assert (alone.indices == -1).all()


def test_a_row_is_not_its_own_neighbour_but_an_equal_one_is() -> None:
    y = cloud(50, 5, 0)
    y[7] = y[31]
    found = neighbours_within(y, np.array([31, 4, 7]))
    assert found.indices[[0, 2], 0].tolist() == [7, 31]
    assert found.distances[[0, 2], 0].tolist() == [0.0, 0.0]
    _, order = by_hand(y[4:5], y, 2)
    assert found.indices[1, 0] == order[0, 1]


def test_memory_stays_below_200_megabytes() -> None:
    x, y = cloud(1500, 600, 0), cloud(12_000, 600, 1)
    tracemalloc.start()
    try:
        neighbours(x, y, 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200e6


def test_sets_that_do_not_fit() -> None:
    with pytest.raises(FaceganError, match=r"\[2, 3\] among \[2, 4\]"):
        neighbours(cloud(2, 3, 0), cloud(2, 4, 0))
    with pytest.raises(FaceganError, match="among 0"):
        neighbours(cloud(2, 3, 0), cloud(0, 3, 0))
    with pytest.raises(FaceganError, match="0 neighbours"):
        neighbours(cloud(2, 3, 0), cloud(2, 3, 0), 0)
    with pytest.raises(FaceganError, match="not finite"):
        neighbours(cloud(2, 3, 0), np.full((2, 3), np.nan, np.float32))
    with pytest.raises(FaceganError, match="Groups"):
        neighbours(cloud(2, 3, 0), cloud(2, 3, 1), 1, [0], [0, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_near_copies_by_search_and_of_all_pairs(dtype: type) -> None:
    """Each of 60 points has copies at distances from none to many; brute force in float64."""
    random = np.random.default_rng(0)
    y = (random.standard_normal((60, 200)) * 3 + 20).astype(dtype)
    x = np.repeat(y, 5, axis=0)
    shift = np.array([0, 1e-5, 1e-3, 0.1, 1.0])
    x += np.tile(shift, 60)[:, None].astype(dtype) * random.standard_normal(x.shape).astype(dtype)
    distances, order = by_hand(x, y, 3)
    found = neighbours(x, y, 3)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    squares = squared_distances(x, y, y.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(np.sort(squares, axis=1)[:, :3], distances**2, rtol=1e-8)
    assert (squares[::5].min(axis=1) == 0).all()


def test_equal_rows_need_no_subtraction() -> None:
    point = cloud(1, 20, 1, offset=50)
    x, y = np.tile(point, (7, 1)), np.concatenate([np.tile(point, (3, 1)), cloud(4, 20, 2)])
    squares = squared_distances(x, y, np.zeros(20))
    assert (squares[:, :3] == 0).all()
    np.testing.assert_allclose(squares[:, 3:], ((x[:, None] - y[3:]) ** 2).sum(2), rtol=1e-6)
