"""JSON and TOML of other people: limits instead of tracebacks, memory and hours."""

from __future__ import annotations

import json

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from facegan.errors import RecipeError
from facegan.parsing import DEEPEST, LONGEST_TOML, parse_json, parse_toml
from facegan.recipe import Recipe, recipe_names, shipped_text
from facegan.study.plan import plan_names, shipped_plan

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_of_ordinary_depth_comes_through(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '[{"a":' * 50_000])
def test_deep_json_is_a_value_error(text: str, deep: bool) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text, deep=deep)


def test_depth_is_counted_outside_of_texts() -> None:
    assert parse_json(json.dumps(["[" * 500, '"[' * 500])) == ["[" * 500, '"[' * 500]
    side_by_side = json.dumps([[[]]] * 500)
    assert len(parse_json(side_by_side)) == 500
    assert parse_json("[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(ValueError, match="deep"):
        parse_json("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))


@pytest.mark.parametrize("text", ["", "{", b"\xff", "1" * 5000, "[" + "0," * 100 + "0]"])
def test_what_is_no_json_or_too_long(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text, longest=6000 if isinstance(text, str) and text[:1] == "1" else 100)


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * 60) + " = 1",
        "[" + " . ".join("a" * 60) + "]",
        ".".join(['"a"'] * 60) + " = 1",
        "x = {" + ".".join(["'a'"] * 60) + " = 1}",
        "a = " + "[" * 5000,
        "a = " + "{a=" * 5000,
        "# " + "x" * LONGEST_TOML,
    ],
    ids=range(7),
)
def test_toml_that_would_take_hours_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_toml(text)


def test_dots_that_are_no_long_key_are_allowed() -> None:
    numbers = {"mix": [0.25] * 500, "says": "..." * 500, "where": "a.b." * 100, "k": "x" * 60_000}
    assert parse_toml(tomli_w.dumps(numbers)) == numbers
    for text in [*map(shipped_text, recipe_names()), *map(shipped_plan, plan_names())]:
        assert parse_toml(text)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (".".join("a" * 2000) + "=1", "a path of 2000 parts"),
        ("augment.probability={start=0.0,end=0.3}", "kind"),
        ("data.mix=[" + "0.0," * 17 + "]", "mix"),
        ("evaluation.times=10001", "10000"),
        ("evaluation.times=-1", "0"),
        ("evaluation.times=never", "auto"),
        ("training.seed=" + "[" * 1000, "training.seed"),
    ],
)
def test_settings_that_make_no_sense_end_in_a_sentence(setting: str, says: str) -> None:
    recipe = Recipe.load("gan").override("augment={}")
    with pytest.raises(RecipeError) as found:
        recipe.override(setting)
    assert says in str(found.value)


def test_a_key_with_a_dot_in_it() -> None:
    text = Recipe.load("gan").to_toml().replace("[training]", '[training]\n"a.b" = 1')
    with pytest.raises(RecipeError, match=r"a\.b"):
        Recipe.parse(text)


def test_a_recipe_of_many_shares_or_stages_is_refused() -> None:
    values = Recipe.load("gan").values()
    for change in (
        {"data": values["data"] | {"mix": [0.0] * 20_000}},
        {"stages": values["stages"] * 200},
    ):
        with pytest.raises(RecipeError):
            Recipe.from_values(values | change)
