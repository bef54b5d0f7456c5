from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from facegan.recipe import Stage, stage_at
from facegan.schedule import Cosine, Linear, bounds, value_at

progress = st.floats(0, 1)
values = st.floats(-1e6, 1e6)


@given(values, progress)
def test_a_number_is_constant(number: float, at: float) -> None:
    assert value_at(number, at) == number
    assert bounds(number) == (number, number)


@given(values, values, progress)
def test_linear_is_a_straight_line(start: float, end: float, at: float) -> None:
    line = Linear(kind="linear", start=start, end=end)
    assert value_at(line, at) == pytest.approx((1 - at) * start + at * end, rel=1e-9, abs=1e-6)


def test_linear_is_flat_outside_its_part() -> None:
    line = Linear(kind="linear", start=1.0, end=3.0, begin=0.25, finish=0.75)
    found = [value_at(line, p) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert found == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_cosine_closed_form() -> None:
    wave = Cosine(kind="cosine", start=2e-4, end=2e-5)
    assert value_at(wave, 0.0) == 2e-4
    assert value_at(wave, 1.0) == pytest.approx(2e-5, rel=1e-12)
    assert value_at(wave, 0.5) == pytest.approx(1.1e-4, rel=1e-12)
    quarter = 2e-5 + 1.8e-4 * (1 + math.cos(math.pi / 4)) / 2
    assert value_at(wave, 0.25) == pytest.approx(quarter, rel=1e-12)


@given(st.sampled_from([Linear, Cosine]), values, values, progress, st.data())
def test_values_stay_within_bounds(
    family: type, start: float, end: float, at: float, data: st.DataObject
) -> None:
    begin = data.draw(st.floats(0, 0.9))
    finish = data.draw(st.floats(begin + 0.05, 1.0))
    kind = family.__name__.lower()
    schedule = family(kind=kind, start=start, end=end, begin=begin, finish=finish)
    low, high = bounds(schedule)
    slack = 1e-9 * max(abs(low), abs(high), 1)
    assert (low, high) == (min(start, end), max(start, end))
    assert low - slack <= value_at(schedule, at) <= high + slack


@pytest.mark.parametrize(
    "wrong",
    [
        {"begin": 0.5, "finish": 0.5},
        {"begin": 0.7, "finish": 0.2},
        {"begin": -0.1},
        {"finish": 1.1},
        {"start": math.inf},
        {"start": math.nan},
        {"slope": 1.0},
    ],
)
def test_impossible_ramps_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Linear(**{"kind": "linear", "start": 0.0, "end": 1.0, **wrong})


def test_stages_divide_the_run_by_their_shares() -> None:
    stages = tuple(Stage(share=share) for share in (0.2, 0.5, 0.3))
    assert stage_at(stages, 0.0) == (0, 0.0)
    assert stage_at(stages, 0.1) == (0, pytest.approx(0.5))
    assert stage_at(stages, 0.2) == (1, pytest.approx(0.0, abs=1e-12))
    assert stage_at(stages, 0.45) == (1, pytest.approx(0.5))
    assert stage_at(stages, 0.71) == (2, pytest.approx(1 / 30))
    assert stage_at(stages, 1.0) == (2, 1.0)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6), st.lists(progress, min_size=2))
def test_stages_follow_each_other(shares: list[float], at: list[float]) -> None:
    stages = tuple(Stage(share=share) for share in shares)
    found = [stage_at(stages, p) for p in sorted(at)]
    assert found == sorted(found)
    assert all(0.0 <= within <= 1.0 for _, within in found)
