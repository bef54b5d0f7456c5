"""Intervals hold what they promise, and cost little."""

from __future__ import annotations

import numpy as np
import pytest

from facegan.evaluation.intervals import (
    Halved,
    Measured,
    averaged,
    bootstrap_mean,
    halved,
    linearised,
)
from facegan.seeding import BOOTSTRAP, random


def test_of_a_mean_is_what_theory_says() -> None:
    contributions = np.random.default_rng(0).exponential(size=2000)
    low, high = bootstrap_mean(contributions, np.random.default_rng(1), draws=4000)
    error = 1.96 * contributions.std() / np.sqrt(2000)
    assert low == pytest.approx(contributions.mean() - error, abs=0.15 * error)
    assert high == pytest.approx(contributions.mean() + error, abs=0.15 * error)


def test_confidence_widens_it() -> None:
    contributions = np.random.default_rng(0).standard_normal(300)
    widths = []
    for confidence in (0.5, 0.8, 0.95, 0.99):
        low, high = bootstrap_mean(
            contributions, np.random.default_rng(1), draws=500, confidence=confidence
        )
        widths.append(high - low)
    assert widths == sorted(widths)


def test_coverage() -> None:
    draws, inside = np.random.default_rng(0), 0
    for _ in range(300):
        estimate = averaged((draws.random(100) < 0.3).astype(float), draws)
        inside += estimate.low <= 0.3 <= estimate.high
    assert 0.9 <= inside / 300 <= 0.99


def test_more_than_is_held_at_a_time_is_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    contributions = np.random.default_rng(0).standard_normal(50)
    whole = bootstrap_mean(contributions, np.random.default_rng(1), draws=101)
    monkeypatch.setattr("facegan.evaluation.intervals._AT_ONCE", 500)
    assert bootstrap_mean(contributions, np.random.default_rng(1), draws=101) == whole


def test_the_same_seed_gives_the_same_interval() -> None:
    contributions = np.arange(20.0)
    first = averaged(contributions, random(3, BOOTSTRAP, 1))
    assert averaged(contributions, random(3, BOOTSTRAP, 1)) == first
    assert averaged(contributions, random(4, BOOTSTRAP, 1)) != first


def test_what_pairs_add_is_counted_once() -> None:
    influence = np.random.default_rng(0).standard_normal(400)
    influence -= influence.mean()
    jackknife = influence.var(ddof=1) / 400

    def width(second: float) -> float:
        estimate = linearised(Measured(5.0, influence, second), np.random.default_rng(1))
        assert estimate.low < estimate.value == 5.0 < estimate.high
        return estimate.high - estimate.low

    plain = width(0.0)
    assert plain == pytest.approx(2 * 1.96 * np.sqrt(jackknife), rel=0.1)
    assert width(0.3 * jackknife) == pytest.approx(plain * np.sqrt(0.7))
    # More than half cannot come from pairs: the rest is the error of its estimate.
    assert width(2 * jackknife) == pytest.approx(plain * np.sqrt(0.5))


def test_without_influence_there_is_no_width() -> None:
    estimate = linearised(Measured(1.0, np.zeros(10)), np.random.default_rng(0))
    assert (estimate.low, estimate.value, estimate.high) == (1.0, 1.0, 1.0)


def test_a_share_stays_within_its_range() -> None:
    influence = np.tile([-1.0, 1.0], 50)
    estimate = linearised(Measured(0.95, influence), np.random.default_rng(0), (0.0, 1.0))
    assert estimate.low < 0.95
    assert estimate.high == 1.0
    assert halved(Halved(0.02, np.array([[0.0, 0.2]]))).low == 0.0
    assert halved(Halved(0.98, np.array([[1.0, 0.8]]))).high == 1.0


def test_what_points_add_alone_does_not_become_less_with_more_pictures() -> None:
    estimate = halved(Halved(0.5, np.array([[0.5, 0.52], [0.53, 0.5]]), alone=3e-4))
    reach = 1.96 * np.sqrt((0.02**2 + 0.03**2) / 8 + 3e-4 / 2)
    assert estimate.high - 0.5 == pytest.approx(reach, rel=1e-4)
    assert 0.5 - estimate.low == pytest.approx(reach, rel=1e-4)


def test_of_halves_is_right_for_a_mean() -> None:
    random = np.random.default_rng(0)
    contributions = (random.random(400) < 0.4).astype(float)
    splits = [np.split(random.permutation(contributions), 2) for _ in range(400)]
    halves = np.array([[half.mean() for half in split] for split in splits])
    estimate = halved(Halved(contributions.mean(), halves))
    low, high = bootstrap_mean(contributions, random, draws=4000)
    assert estimate.low == pytest.approx(low, abs=0.005)
    assert estimate.high == pytest.approx(high, abs=0.005)
