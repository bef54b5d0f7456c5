"""Mean and covariance, gathered in any way, are those of one pass over everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.errors import FaceganError
from facegan.evaluation.moments import Moments


def features(n: int, dimension: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.standard_normal((n, dimension)) * random.random(dimension) * 5 + 3


def same(a: Moments, mean: np.ndarray, covariance: np.ndarray) -> None:
    scale = np.abs(covariance).max()
    np.testing.assert_allclose(a.mean, mean, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(a.covariance, covariance, rtol=0, atol=2e-12 * scale)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    dimension=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_batches_give_what_everything_at_once_gives(
    sizes: list[int], dimension: int, seed: int
) -> None:
    whole = features(sum(sizes), dimension, seed)
    streamed = Moments(dimension)
    for batch in np.split(whole, np.cumsum(sizes)[:-1]):
        streamed.add(batch)
    mean, covariance = whole.mean(axis=0), np.cov(whole, rowvar=False).reshape(dimension, -1)
    assert streamed.count == len(whole)
    same(streamed, mean, covariance)


def test_more_rows_than_are_taken_at_a_time() -> None:
    whole = features(2500, 4).astype(np.float32)
    exact = whole.astype(np.float64)
    same(Moments.of(whole), exact.mean(axis=0), np.cov(exact, rowvar=False))


def test_a_large_offset_costs_no_digits() -> None:
    small = features(300, 3)
    moments = Moments(3)
    for batch in np.array_split(small + 1e8, 7):
        moments.add(batch)
    # The sum itself keeps 8 digits of `small`; raw sums of squares would keep none.
    np.testing.assert_allclose(moments.covariance, np.cov(small, rowvar=False), rtol=1e-6)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros(5), "float64 [5]"),
        (np.zeros((5, 0)), "[5, 0]"),
        (np.zeros((5, 2), int), "int64 [5, 2]"),
        (np.array([[1.0, 2.0]]), "There are 1"),
        (np.array([[1.0, np.nan], [0.0, 0.0]]), "not finite"),
        (np.array([[1.0, -np.inf], [0.0, 0.0]]), "not finite"),
        (np.array([[1.0, 1e13], [0.0, 0.0]]), "beyond ±1e+12"),
    ],
)
def test_features_that_cannot_be_used_are_refused(bad: np.ndarray, said: str) -> None:
    with pytest.raises(FaceganError) as caught:
        Moments.of(bad)
    assert said in str(caught.value)
    assert caught.value.hint


def test_dimensions_must_agree() -> None:
    moments = Moments(3)
    with pytest.raises(FaceganError, match="2 and 3"):
        moments.add(features(4, 2))


def test_one_picture_has_no_covariance() -> None:
    moments = Moments(2)
    moments.add(features(1, 2))
    with pytest.raises(FaceganError, match="there are 1"):
        _ = moments.covariance
