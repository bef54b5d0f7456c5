"""KID against its definition and the published implementations."""

from __future__ import annotations

import numpy as np
import pytest
from published import torch_fidelity, torchmetrics

from facegan.errors import FaceganError
from facegan.evaluation.intervals import linearised
from facegan.evaluation.kernel import KernelReference, kid


def draw(n: int, dimension: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Positive features, as networks give them."""
    raw = np.random.default_rng(seed).standard_normal((n, dimension))
    return np.maximum(raw + shift, 0)


def by_definition(real: np.ndarray, fake: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: np.ndarray) -> float:
        return (kernel(x, x).sum() - np.trace(kernel(x, x))) / (len(x) * (len(x) - 1))

    return within(real) + within(fake) - 2 * kernel(real, fake).mean()


# 1024 rows are taken at a time.
@pytest.mark.parametrize(("real", "fake"), [(50, 20), (1024, 2100), (1100, 1030)])
def test_is_what_the_formula_says(real: int, fake: int) -> None:
    x, y = draw(real, 16, 1), draw(fake, 16, 2, shift=0.1)
    assert kid(x, y) == pytest.approx(by_definition(x, y), rel=1e-9)


def test_one_dimension_by_hand() -> None:
    # k(0, y) = 1 and k(1, 1) = 8: KID = 8 + 1 − 2 · 1.
    assert kid(np.zeros((5, 1)), np.ones((4, 1))) == pytest.approx(7.0, rel=1e-14)


def test_there_is_no_bias() -> None:
    values = [kid(draw(12, 5, 2 * i), draw(7, 5, 2 * i + 1)) for i in range(1500)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


def test_agrees_with_torch_fidelity() -> None:
    import torch

    theirs = torch_fidelity("metric_kid")
    a, b = draw(600, 128, 1), draw(600, 128, 2, shift=0.02)
    found = theirs.kid_features_to_metric(
        torch.from_numpy(a),
        torch.from_numpy(b),
        kid_subsets=1,
        kid_subset_size=600,
        verbose=False,
    )
    assert kid(a, b) == pytest.approx(found["kernel_inception_distance_mean"], rel=1e-6)


def test_agrees_with_torchmetrics() -> None:
    import torch

    theirs = torchmetrics("kid")
    a, b = draw(600, 128, 1), draw(600, 128, 2, shift=0.02)
    metric = theirs.KernelInceptionDistance(feature=torch.nn.Identity(), subsets=1, subset_size=600)
    metric.update(torch.from_numpy(a), real=True)
    metric.update(torch.from_numpy(b), real=False)
    assert kid(a, b) == pytest.approx(float(metric.compute()[0]), rel=1e-6)


def test_influence_is_what_leaving_a_picture_out_does() -> None:
    real, x = draw(40, 6, 1), draw(25, 6, 2, shift=0.2)
    measured = KernelReference(real).measure(x)
    without = np.array([kid(real, np.delete(x, i, axis=0)) for i in range(25)])
    np.testing.assert_allclose(measured.influence, 24 * (without.mean() - without), rtol=1e-9)
    together = [
        25 * measured.value
        - 24 * (without[i] + without[j])
        + 23 * kid(real, np.delete(x, [i, j], axis=0))
        for i in range(25)
        for j in range(i)
    ]
    # Up to terms of 1/n: what leaving out does is not quite what putting in would do.
    assert measured.second == pytest.approx(np.square(together).mean() / 2, rel=0.2)


@pytest.mark.parametrize("shift", [0.0, 0.05])
def test_intervals_hold_what_they_promise(shift: float) -> None:
    reference = KernelReference(draw(1000, 10, 1))
    random = np.random.default_rng(0)
    values, lows, highs = [], [], []
    for seed in range(300):
        estimate = linearised(reference.measure(draw(100, 10, 50 + seed, shift)), random)
        values.append(estimate.value)
        lows.append(estimate.low)
        highs.append(estimate.high)
    mean = np.mean(values)
    width = np.mean(np.subtract(highs, lows)) / (2 * 1.96 * np.std(values, ddof=1))
    assert 0.87 < width < 1.15
    assert np.mean((np.array(lows) <= mean) & (mean <= np.array(highs))) >= 0.9


def test_float32_features_lose_nothing_on_the_way() -> None:
    a, b = draw(300, 64, 1).astype(np.float32), draw(300, 64, 2).astype(np.float32)
    assert kid(a, b) == pytest.approx(by_definition(a.astype(float), b.astype(float)), rel=1e-9)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(FaceganError, match="3 and 4"):
        kid(draw(10, 4, 1), draw(10, 3, 1))
    with pytest.raises(FaceganError, match="1 real"):
        kid(draw(1, 4, 1), draw(10, 4, 1))
    with pytest.raises(FaceganError, match="3 generated"):
        kid(draw(10, 4, 1), draw(3, 4, 1))
