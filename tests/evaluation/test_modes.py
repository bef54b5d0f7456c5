"""Modes of the drawn portraits: known answers, and that nothing can pretend to cover them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.errors import DataError
from facegan.evaluation import modes as module
from facegan.evaluation.modes import applies_to, modes
from facegan.evaluation.portrait_reader import ATTRIBUTES, SIZES, Readings
from facegan.evaluation.results import Modes
from facegan.portraits import MODE_COUNT, MODES, mode_index, mode_probabilities

N = 300


@pytest.fixture(scope="module")
def people() -> portraits.Parameters:
    """Three times as many as are measured, so that some can be chosen."""
    return portraits.sample(3 * N, seed=555)


@pytest.fixture(scope="module")
def pictures(people: portraits.Parameters) -> np.ndarray:
    return portraits.draw(people, 64)


@pytest.fixture(scope="module")
def real(pictures: np.ndarray) -> np.ndarray:
    return pictures[:N]


@pytest.fixture(scope="module")
def perfect(pictures: np.ndarray, real: np.ndarray) -> Modes:
    return modes(pictures[N : 2 * N], real)


def test_other_portraits_measure_as_the_real_ones(
    perfect: Modes, people: portraits.Parameters
) -> None:
    assert (perfect.n, perfect.modes) == (N, MODE_COUNT)
    for found, some in ((perfect.covered, slice(N, 2 * N)), (perfect.covered_real, slice(N))):
        there = len(np.unique(mode_index(people[some])))
        assert 0.85 * there < found <= there + 5
    floor = perfect.total_variation_real
    assert perfect.total_variation.low < floor.value < perfect.total_variation.high
    # What chance alone makes of N pictures; the reader's mistakes hardly show.
    random = np.random.default_rng(0)
    counts = random.multinomial(N, mode_probabilities(), 500)
    by_chance = np.abs(counts / N - mode_probabilities()).sum(1).mean() / 2
    assert floor.value == pytest.approx(by_chance, abs=0.05)


def test_attributes_are_shares_beside_the_truth(perfect: Modes) -> None:
    rows = {(row.name, row.value): row for row in perfect.attributes}
    truth = mode_probabilities().reshape([len(values) for values in MODES.values()])
    for axis, (name, values) in enumerate(MODES.items()):
        others = tuple(other for other in range(truth.ndim) if other != axis)
        for value, share in zip(values, truth.sum(others), strict=True):
            if (name, value) in rows:
                assert rows[name, value].truth == pytest.approx(share, abs=0.004)
    for row in perfect.attributes:
        assert abs(row.generated - row.truth) < 0.12, row
        assert abs(row.real - row.truth) < 0.12, row
    for name, size in zip(ATTRIBUTES, SIZES, strict=True):
        assert sum(row.name == name for row in perfect.attributes) == (1 if size == 2 else size)
    readable = rows["portrait", "readable"]
    hair = sum(row.generated for row in perfect.attributes if row.name == "hair_style")
    assert hair == pytest.approx(readable.generated)
    assert readable.truth == 1


@pytest.mark.parametrize("kind", ["noise", "grey", "average"])
def test_what_is_no_portrait_covers_nothing(kind: str, real: np.ndarray) -> None:
    made = {
        "noise": np.random.default_rng(0).integers(0, 256, real.shape, np.uint8),
        "grey": np.full_like(real, 128),
        "average": np.broadcast_to(real.mean(0).astype(np.uint8), real.shape),
    }[kind]
    found = modes(made, real)
    assert found.covered == 0
    assert found.total_variation.value == pytest.approx(1)
    assert found.total_variation.low == pytest.approx(found.total_variation.high)
    assert all(row.generated == 0 for row in found.attributes)


def test_one_portrait_again_and_again(
    pictures: np.ndarray, real: np.ndarray, people: portraits.Parameters
) -> None:
    # A bald, shaven, laughing one without glasses: none is read more surely.
    wanted = np.ravel_multi_index((0, 0, 0, 2, 0), [len(v) for v in MODES.values()])
    one = pictures[np.flatnonzero(mode_index(people) == wanted)[:1]]
    found = modes(one.repeat(N, axis=0), real)
    assert found.covered == 1
    truth = 1 - mode_probabilities()[wanted]
    assert found.total_variation.value == pytest.approx(truth)
    assert found.total_variation.low <= found.total_variation.value <= found.total_variation.high


def test_dropped_modes_are_seen(
    pictures: np.ndarray, real: np.ndarray, people: portraits.Parameters
) -> None:
    kept = np.random.default_rng(7).permutation(MODE_COUNT)[: MODE_COUNT // 2]
    mass = 1 - mode_probabilities()[kept].sum()
    left = np.flatnonzero(np.isin(mode_index(people), kept))[:N]
    assert len(left) == N
    found = modes(pictures[left], real)
    assert found.covered <= MODE_COUNT // 2 + 3
    # Chance among the modes that are left adds a little.
    assert mass - 0.05 < found.total_variation.value < mass + 0.15
    assert found.total_variation.low > found.total_variation_real.high


def test_a_missing_attribute_is_named(
    pictures: np.ndarray, real: np.ndarray, people: portraits.Parameters
) -> None:
    left = np.flatnonzero(people.glasses == 0)[:N]
    found = modes(pictures[left], real)
    row = next(row for row in found.attributes if row.name == "glasses")
    assert row.generated < 0.03
    assert row.real > 0.2
    assert row.truth == pytest.approx(0.3, abs=0.004)


def readings(which: np.ndarray) -> Readings:
    """As if these modes had been read."""
    factors = np.unravel_index(which, SIZES[: len(MODES)])
    values = np.stack([*factors, *np.zeros((len(SIZES) - len(MODES), len(which)))], 1)
    return Readings(values.astype(np.int64), np.ones(len(which)), np.ones(len(which), bool))


def test_the_interval_holds_what_others_would_measure() -> None:
    """Of 95 % intervals, most hold the mean total variation of as many pictures."""
    random = np.random.default_rng(5)
    shares = mode_probabilities() * np.exp(0.5 * random.standard_normal(MODE_COUNT))
    for made in (mode_probabilities(), shares / shares.sum()):
        counts = random.multinomial(N, made, 2_000)
        mean = np.abs(counts / N - mode_probabilities()).sum(1).mean() / 2
        held = 0
        for _ in range(40):
            read = readings(random.choice(MODE_COUNT, N, p=made))
            found = module._total_variation(read, random)
            assert found.low <= found.value <= found.high
            held += found.low <= mean <= found.high
        assert held >= 34


def test_unsure_and_unreadable_pictures_prove_nothing() -> None:
    read = readings(np.arange(10))
    assert module._covered(read) == 10
    unsure = Readings(read.values, np.linspace(0, 1, 10), read.readable)
    assert module._covered(unsure) == 1
    unreadable = Readings(read.values, read.confidence, np.arange(10) < 4)
    assert module._covered(unreadable) == 4
    truth = mode_probabilities()
    wanted = (np.abs(np.where(np.arange(MODE_COUNT) < 4, 0.1, 0) - truth).sum() + 0.6) / 2
    found = module._total_variation(unreadable, np.random.default_rng(0))
    assert found.value == pytest.approx(wanted)


def test_the_same_seed_gives_the_same_result(real: np.ndarray) -> None:
    seen: list[tuple[int, int]] = []
    some = real[:60]
    first = modes(some, some, 3, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (120, 120)
    assert first == modes(some, some, 3)
    assert first.total_variation.value == first.total_variation_real.value
    assert first.total_variation != modes(some, some, 4).total_variation


def test_numbers_that_differ_are_refused(real: np.ndarray) -> None:
    with pytest.raises(DataError, match="30 generated pictures cannot be set beside 20"):
        modes(real[:30], real[:20])
    with pytest.raises(DataError, match="0 generated"):
        modes(real[:0], real[:0])


def test_which_packs_it_applies_to(tmp_path: Path, dataset_path: Path) -> None:
    portraits.write(tmp_path / "drawn", n=12, resolution=16)
    card = Dataset.open(tmp_path / "drawn").card
    assert applies_to(card)
    assert applies_to(card | {"portraits": card["portraits"] | {"version": portraits.VERSION}})
    assert not applies_to(card | {"portraits": {"version": portraits.VERSION + 1}})
    assert not applies_to(card | {"portraits": None})
    assert not applies_to(Dataset.open(dataset_path).card)
    assert not applies_to({"name": "portraits"})
