"""The rank-sum statistic and its null: by hand, against SciPy, and over many simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from facegan.evaluation import calibration
from facegan.evaluation.calibration import (
    as_close,
    closer,
    first_expected,
    is_near,
    near_expected,
    null,
    share,
    share_by_person,
)


def people_and_distances(
    sizes: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of one person share part of their distance: a correlation of 0.4."""
    people = np.repeat(np.arange(len(sizes)), sizes)
    person = random.standard_normal(len(sizes))[people]
    return people, np.exp(
        np.sqrt(0.4) * person + np.sqrt(0.6) * random.standard_normal(len(people))
    )


def strangers(n: int, random: np.random.Generator) -> np.ndarray:
    return np.exp(random.standard_normal(n))


def test_closer_counts_pairs_and_ties_half() -> None:
    generated, held_out = np.array([1.0, 2.0, 5.0]), np.array([2.0, 3.0])
    # 1 beats both, 2 ties with 2 and beats 3, 5 beats none.
    assert closer(generated, held_out) == pytest.approx((2 + 1.5 + 0) / 6)
    assert closer(np.zeros(3), np.zeros(4)) == 0.5
    assert closer(np.zeros(3), np.ones(4)) == 1.0
    assert closer(np.ones(3), np.zeros(4)) == 0.0


def test_closer_is_the_statistic_of_mann_and_whitney() -> None:
    random = np.random.default_rng(0)
    generated, held_out = random.integers(0, 9, 40).astype(float), random.integers(0, 9, 25) * 1.0
    expected = 1 - stats.mannwhitneyu(generated, held_out).statistic / (40 * 25)
    assert closer(generated, held_out) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n_held_out", [7, 99, 100, 2900])
def test_near_means_closer_than_99_of_100(n_held_out: int) -> None:
    held_out = np.arange(1.0, n_held_out + 1)
    inside = n_held_out // 100
    assert is_near(np.array([inside + 0.5]), held_out).all()
    assert not is_near(np.array([inside + 1.0]), held_out).any()  # a tie is not closer
    assert as_close(np.array([0.5, 1.0, 3.5]), held_out).tolist() == [0, 1, 3]


def test_how_many_are_near_by_chance() -> None:
    random = np.random.default_rng(1)
    for size in (40, 250):
        near, first = np.mean(
            [
                (is_near(generated, held_out).sum(), (as_close(generated, held_out) == 0).sum())
                for generated, held_out in (
                    (strangers(50, random), strangers(size, random)) for _ in range(4000)
                )
            ],
            axis=0,
        )
        assert near == pytest.approx(near_expected(50, size), rel=0.1)
        assert first == pytest.approx(first_expected(50, size), rel=0.15)


def test_the_null_without_ties_is_the_classical_one() -> None:
    held_out = np.random.default_rng(0).random(300)
    found = null(held_out, np.arange(300), 150, seed=0)
    assert found.closer.mean() == pytest.approx(0.5, abs=0.003)
    assert found.closer.std() == pytest.approx(found.untied, rel=0.06)
    assert found.untied == pytest.approx(np.sqrt(451 / (12 * 150 * 300)))
    assert found.near.mean() == pytest.approx(near_expected(150, 300), rel=0.1)
    assert found.first.mean() == pytest.approx(first_expected(150, 300), rel=0.2)


def test_the_null_knows_that_pictures_of_one_person_are_alike() -> None:
    random = np.random.default_rng(3)
    people, held_out = people_and_distances(np.array([60, 30, *[1] * 60]), random)
    alike = null(held_out, people, 100, seed=0).closer.std()
    unlike = null(held_out, np.arange(len(people)), 100, seed=0).closer.std()
    assert alike > 1.2 * unlike


@pytest.mark.parametrize(
    "sizes", [[1] * 150, [25, 12, 9, *[4] * 8, *[2] * 20, *[1] * 60]], ids=["one each", "like LFW"]
)
def test_false_alarms_are_as_rare_as_stated(
    sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "DRAWS", 200)
    random = np.random.default_rng(7)
    rounds, outside, far, many = 160, 0, 0, 0
    for i in range(rounds):
        people, held_out = people_and_distances(np.array(sizes), random)
        generated = strangers(200, random)
        found = null(held_out, people, len(generated), seed=i)
        low, high = np.quantile(found.closer, (0.025, 0.975))
        value = closer(generated, held_out)
        outside += not low <= value <= high
        far += abs(found.z(value)) > 3
        many += is_near(generated, held_out).sum() > found.near.max()
    # 5 % of 160 are 8 ± 2.8; of few people, as in LFW, there are a few more.
    assert 1 <= outside <= 22
    assert far <= 4
    assert many <= 4


def test_ties_everywhere_are_no_evidence() -> None:
    found = null(np.ones(40), np.arange(40), 30, seed=0)
    assert set(found.closer) == {0.5}
    assert found.z(0.5) == 0
    assert found.z(1.0) == pytest.approx(0.5 / np.sqrt(71 / (12 * 30 * 40)))


def test_seeds_decide_the_draws() -> None:
    held_out, people = np.random.default_rng(0).random(50), np.arange(50)
    one, same, other = (null(held_out, people, 20, seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.closer, same.closer)
    assert (one.closer != other.closer).any()


def test_shares_and_their_intervals() -> None:
    flags = np.arange(400) < 100
    alone = share(flags, 0)
    assert alone.value == 0.25
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 * 0.75 / 400), rel=0.12)
    same = share_by_person(flags, np.arange(400), 0)
    assert same.high - same.low == pytest.approx(alone.high - alone.low, rel=0.12)
    # 40 people with ten pictures each, all of them alike: as uncertain as 40 pictures.
    alike = share_by_person(flags, np.arange(400) // 10, 0)
    assert alike.high - alike.low == pytest.approx(np.sqrt(10) * (same.high - same.low), rel=0.15)
