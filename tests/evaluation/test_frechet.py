"""FD against closed forms, published implementations, and its own definition."""

from __future__ import annotations

import numpy as np
import pytest
from published import torch_fidelity, torchmetrics

from facegan.errors import FaceganError
from facegan.evaluation.frechet import FrechetReference, fd_infinity
from facegan.evaluation.intervals import linearised
from facegan.evaluation.moments import Moments


def draw(n: int, dimension: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Gaussian features whose variances fall like 1/i, as those of networks do, turned."""
    turn = np.linalg.qr(np.random.default_rng(99).standard_normal((dimension, dimension)))[0]
    deviation = scale / np.sqrt(np.arange(1, dimension + 1))
    return (np.random.default_rng(seed).standard_normal((n, dimension)) * deviation + shift) @ turn


def exactly(mean: np.ndarray, covariance: np.ndarray, seed: int = 0) -> Moments:
    """Features with exactly this mean and covariance."""
    dimension = len(mean)
    random = np.random.default_rng(seed)
    raw = random.standard_normal((4 * dimension + 4, dimension))
    raw -= raw.mean(axis=0)
    white = np.linalg.solve(
        np.linalg.cholesky(np.cov(raw, rowvar=False).reshape(dimension, -1)), raw.T
    )
    return Moments.of(white.T @ np.linalg.cholesky(covariance).T + mean)


def fd(a: np.ndarray, b: np.ndarray) -> float:
    return FrechetReference(Moments.of(a)).distance(Moments.of(b))


def test_one_dimension() -> None:
    a, b = exactly(np.array([1.0]), np.array([[4.0]])), exactly(np.array([3.5]), np.array([[0.25]]))
    assert FrechetReference(a).distance(b) == pytest.approx(2.5**2 + (2 - 0.5) ** 2, rel=1e-12)


def test_covariances_that_commute() -> None:
    # Σ = U diag(s²) Uᵀ with one U: FD = |μ − μ'|² + Σ (s − s')².
    random = np.random.default_rng(5)
    turn = np.linalg.qr(random.standard_normal((7, 7)))[0]
    s, t, mean = random.random(7) + 0.1, random.random(7) + 0.1, random.random(7)
    a = exactly(np.zeros(7), turn @ np.diag(s**2) @ turn.T)
    b = exactly(mean, turn @ np.diag(t**2) @ turn.T, seed=1)
    expected = mean @ mean + ((s - t) ** 2).sum()
    assert FrechetReference(a).distance(b) == pytest.approx(expected, rel=1e-11)


def test_diagonal_covariances_over_twelve_orders_of_magnitude() -> None:
    s = 10.0 ** -np.arange(0, 6.5, 0.25)
    a, b = exactly(np.zeros(26), np.diag(s**2)), exactly(np.zeros(26), np.diag((1.3 * s) ** 2), 1)
    assert FrechetReference(a).distance(b) == pytest.approx((0.3 * s) @ (0.3 * s), rel=1e-9)


@pytest.mark.parametrize("n", [15, 200])
def test_equal_sets_have_none(n: int) -> None:
    a = draw(n, 40, seed=1)
    assert 0 <= fd(a, a) < 1e-12


def test_symmetry_rotation_and_translation() -> None:
    a, b = draw(100, 12, 1), draw(30, 12, 2, scale=1.4, shift=0.1)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((12, 12)))[0]
    value = fd(a, b)
    assert fd(b, a) == pytest.approx(value, rel=1e-11)
    assert fd(a @ turn, b @ turn) == pytest.approx(value, rel=1e-11)
    assert fd(a + 7, b + 7) == pytest.approx(value, rel=1e-10)
    assert fd(3 * a, 3 * b) == pytest.approx(9 * value, rel=1e-11)


def nuclear(a: np.ndarray, b: np.ndarray) -> float:
    """FD with tr (Σa Σb)^½ as the sum of singular values of a product of the data."""
    x, y = ((m - m.mean(axis=0)) / np.sqrt(len(m) - 1) for m in (a, b))
    gap = a.mean(axis=0) - b.mean(axis=0)
    both = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return float(gap @ gap + (x**2).sum() + (y**2).sum() - 2 * both)


@pytest.mark.parametrize(("n", "real"), [(10, 20), (20, 500), (500, 20), (60, 60)])
def test_fewer_pictures_than_dimensions(n: int, real: int) -> None:
    a, b = draw(real, 60, 1), draw(n, 60, 2, scale=1.2)
    assert fd(a, b) == pytest.approx(nuclear(a, b), rel=1e-10)


def test_repeated_pictures_dead_units_and_collapse() -> None:
    real = draw(100, 30, 1)
    real[:, :10] = 0.0
    repeated = np.tile(draw(4, 30, 2), (50, 1))
    assert fd(real, repeated) == pytest.approx(nuclear(real, repeated), rel=1e-6)
    # A Gaussian without extent: FD is |μ − μ'|² + tr Σ.
    collapsed = np.tile(draw(1, 30, 3), (50, 1))
    gap = real.mean(axis=0) - collapsed[0]
    assert fd(real, collapsed) == pytest.approx(gap @ gap + real.var(axis=0, ddof=1).sum())
    assert fd(collapsed, real) == pytest.approx(fd(real, collapsed))
    for x, few in ((real, repeated), (real, collapsed), (collapsed, real)):
        random = np.random.default_rng(0)
        measured = FrechetReference(Moments.of(x)).measure(few, random)
        assert measured.value == pytest.approx(fd(x, few))
        assert np.isfinite(measured.influence).all()
        estimate = linearised(measured, random)
        assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("dimension", [20, 128])
def test_agrees_with_torch_fidelity(dimension: int) -> None:
    import torch

    theirs = torch_fidelity("metric_fid")
    a, b = draw(700, dimension, 1), draw(500, dimension, 2, scale=1.1, shift=0.02)
    statistics = [theirs.fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b)]
    found = theirs.fid_statistics_to_metric(*statistics, verbose=False)
    assert fd(a, b) == pytest.approx(found["frechet_inception_distance"], rel=1e-6)


def test_agrees_with_torchmetrics() -> None:
    import torch

    theirs = torchmetrics("fid")

    class Same(torch.nn.Module):
        num_features = 128

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return features

    a, b = draw(700, 128, 1), draw(500, 128, 2, scale=1.1, shift=0.02)
    metric = theirs.FrechetInceptionDistance(feature=Same())
    metric.update(torch.from_numpy(a), real=True)
    metric.update(torch.from_numpy(b), real=False)
    assert fd(a, b) == pytest.approx(float(metric.compute()), rel=1e-6)


def test_agrees_with_the_general_matrix_root() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    a, b = draw(300, 30, 1), draw(200, 30, 2, scale=1.3)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(first @ second)  # no second argument: SciPy 1.18 took it away
    gap = a.mean(axis=0) - b.mean(axis=0)
    expected = gap @ gap + np.trace(first + second - 2 * np.real(root))
    assert fd(a, b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "real"), [(60, 300), (12, 300), (60, 15), (40, 40)])
def test_influence_is_what_leaving_a_picture_out_does(n: int, real: int) -> None:
    reference = FrechetReference(Moments.of(draw(real, 25, 1)))
    x = draw(n, 25, 2, scale=1.2, shift=0.1)
    measured = reference.measure(x, np.random.default_rng(7), pairs=30)

    def without(*pictures: int) -> float:
        return reference.distance(Moments.of(np.delete(x, pictures, axis=0)))

    assert measured.value == pytest.approx(reference.distance(Moments.of(x)), rel=1e-12)
    singles = np.array([without(i) for i in range(n)])
    expected = (n - 1) * (singles.mean() - singles)
    np.testing.assert_allclose(measured.influence, expected, atol=1e-5 * expected.std())
    random = np.random.default_rng(7)
    one = random.integers(n, size=30)
    two = (one + random.integers(1, n, size=30)) % n
    together = [
        n * measured.value - (n - 1) * (singles[i] + singles[j]) + (n - 2) * without(i, j)
        for i, j in zip(one, two, strict=True)
    ]
    expected_second = np.square(together).mean() / 2
    assert measured.second == pytest.approx(expected_second, rel=1e-5)


def test_for_many_pictures_it_is_the_influence_function() -> None:
    real, x = draw(3000, 4, 1), draw(3000, 4, 2, scale=1.5, shift=0.3)
    measured = FrechetReference(Moments.of(real)).measure(x, np.random.default_rng(0), pairs=0)
    root = np.linalg.cholesky(np.cov(x, rowvar=False))
    values, vectors = np.linalg.eigh(root.T @ np.cov(real, rowvar=False) @ root)
    inverse = np.linalg.inv(root)
    transport = inverse.T @ (vectors * np.sqrt(values)) @ vectors.T @ inverse
    centred = x - x.mean(axis=0)
    expected = 2 * centred @ (x.mean(axis=0) - real.mean(axis=0))
    expected += np.einsum("ij,jk,ik->i", centred, np.eye(4) - transport, centred)
    expected -= expected.mean()
    assert np.corrcoef(expected, measured.influence)[0, 1] > 0.9999
    assert measured.influence.std() == pytest.approx(expected.std(), rel=0.01)


# Fewer pictures than dimensions, and more; the case without influence of single pictures
# (generated as real), and the usual one.
@pytest.mark.parametrize(("n", "dimension"), [(40, 60), (120, 30)])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.15, 0.15)])
def test_intervals_hold_what_they_promise(
    n: int, dimension: int, scale: float, shift: float
) -> None:
    reference = FrechetReference(Moments.of(draw(8 * n, dimension, 1)))
    random = np.random.default_rng(0)
    values, lows, highs = [], [], []
    for seed in range(150):
        x = draw(n, dimension, 1000 + seed, scale, shift)
        estimate = linearised(reference.measure(x, random, pairs=500), random)
        values.append(estimate.value)
        lows.append(estimate.low)
        highs.append(estimate.high)
    mean = np.mean(values)
    width = np.mean(np.subtract(highs, lows)) / (2 * 1.96 * np.std(values, ddof=1))
    assert 0.85 < width < 1.2
    assert np.mean((np.array(lows) <= mean) & (mean <= np.array(highs))) >= 0.88


def test_infinity_is_closer_to_the_truth_than_any_number_of_pictures() -> None:
    real = Moments.of(draw(2000, 30, 1))
    reference = FrechetReference(real)
    truth = reference.distance(Moments.of(draw(200_000, 30, 2, 1.1, 0.1)))
    random = np.random.default_rng(0)
    found = []
    for seed in range(20):
        x = draw(150, 30, 100 + seed, 1.1, 0.1)
        whole = reference.measure(x, random)
        limit = fd_infinity(reference, x, random, whole)
        interval = linearised(limit, random)
        assert interval.low < interval.value < interval.high
        found.append((whole.value, limit.value))
    biased, corrected = np.mean(found, axis=0)
    assert abs(corrected - truth) < 0.1 * (biased - truth)


def test_infinity_of_halves() -> None:
    reference = FrechetReference(Moments.of(draw(100, 6, 1)))
    x = draw(30, 6, 2)
    limit = fd_infinity(reference, x, np.random.default_rng(4), splits=1)
    random = np.random.default_rng(4)
    whole = reference.measure(x, random)
    halves = np.array_split(random.permutation(30), 2)
    parts = [reference.distance(Moments.of(x[half])) for half in halves]
    assert limit.value == pytest.approx(2 * whole.value - np.mean(parts), rel=1e-12)


def test_what_cannot_be_compared_is_refused() -> None:
    reference = FrechetReference(Moments.of(draw(10, 4, 1)))
    random = np.random.default_rng(0)
    with pytest.raises(FaceganError, match="3 and 4"):
        reference.distance(Moments.of(draw(10, 3, 1)))
    with pytest.raises(FaceganError, match="3 and 4"):
        reference.measure(draw(10, 3, 1), random)
    with pytest.raises(FaceganError, match="two pictures"):
        reference.distance(Moments(4))
    with pytest.raises(FaceganError, match="3 generated"):
        reference.measure(draw(3, 4, 1), random)
    with pytest.raises(FaceganError, match="7 generated"):
        fd_infinity(reference, draw(7, 4, 1), random)
