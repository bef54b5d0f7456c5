"""Kinds of people that are left out are named, and chance is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facegan.evaluation.kinds import holm, kinds

NAMES = ("Bald", "Male", "Young", "Age")
READER: Any = SimpleNamespace(names=NAMES, fingerprint="f" * 64)


def read(n: int, seed: int, bald: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(seed)
    found = np.empty((n, 4), np.float32)
    found[:, 0] = random.random(n) < bald
    found[:, 1] = random.random(n) < 0.7
    found[:, 2] = random.random(n) < 0.3
    found[:, 3] = random.normal(38, 9, n)
    return found


def test_the_kind_that_is_left_out_is_named() -> None:
    real = read(1300, 1)
    found = kinds(READER, read(2000, 2, bald=0.03), real, np.arange(1300))
    assert [kind.name for kind in found.left_out] == ["Bald"]
    assert found.overdone == ()
    bald = found.left_out[0]
    assert bald.generated.low <= bald.generated.value <= bald.generated.high < bald.real.low
    assert bald.generated.value == pytest.approx(0.03, abs=0.012)
    names = {kind.name for kind in found.kinds}
    assert {"not Male", "age above 50", "Male, age 25 to 40", "not Male, age up to 25"} < names
    assert (found.n, found.n_real) == (2000, 1300)
    assert [k.name for k in kinds(READER, read(2000, 2, 0.25), real, np.arange(1300)).overdone] == [
        "Bald"
    ]


def test_the_shares_of_men_and_women_make_everybody() -> None:
    found = {k.name: k for k in kinds(READER, read(500, 3), read(500, 4), np.arange(500)).kinds}
    assert found["Male"].generated.value + found["not Male"].generated.value == pytest.approx(1)
    old = found["Male, age above 50"].real.value + found["not Male, age above 50"].real.value
    assert old == pytest.approx(found["age above 50"].real.value)


def test_the_same_pictures_do_not_differ() -> None:
    wrong = sum(
        any(k.differs for k in kinds(READER, read(400, s), read(400, s + 1), np.arange(400)).kinds)
        for s in range(0, 80, 2)
    )
    assert wrong <= 6  # 5 % of 40, and chance


def test_pictures_of_few_people_say_less() -> None:
    generated, real = read(2000, 5, 0.05), read(60, 6, 0.12).repeat(20, 0)
    many = {k.name: k for k in kinds(READER, generated, real, np.arange(1200)).kinds}["Bald"]
    few = {k.name: k for k in kinds(READER, generated, real, np.arange(1200) // 20).kinds}["Bald"]
    assert many.differs
    assert abs(few.z) < abs(many.z) / 2
    assert few.real.high - few.real.low > 2 * (many.real.high - many.real.low)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert holm([0.04]) == [True]
    assert holm([]) == []
