"""Plans and claims as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facegan.errors import RecipeError
from facegan.study.claims import Better, FasterTo, NoWorse, parse_test
from facegan.study.folder import trial_keys
from facegan.study.plan import Plan, plan_names

SMALL: dict[str, Any] = {
    "name": "small",
    "seeds": 2,
    "budget": "1kimg",
    "datasets": {"faces": "portraits:400@32"},
    "methods": {
        "gan": {"recipe": "gan"},
        "dcgan": {
            "recipe": "dcgan",
            "set": ["data.mix=[0.25]"],
            "mix": ["portraits"],
            "pretraining": {"share": 0.25, "set": ["data.mix=[]"]},
            "without": {
                "width": ["generator.channels=8"],
                "synthetic": {"set": ["data.mix=[]"], "mix": False},
                "pretraining": {"pretraining": False},
            },
        },
    },
}


def plan(**changes: Any) -> Plan:
    return Plan.from_values({**SMALL, **changes})


@pytest.mark.parametrize("name", plan_names())
def test_shipped_plans_are_whole(name: str) -> None:
    shipped = Plan.load(name)
    assert Plan.parse(shipped.to_toml()) == shipped
    assert shipped.name == name
    assert len(shipped.seeds) >= 3
    assert shipped.claims
    for method in shipped.all_methods().values():
        recipe = method.resolved()
        assert len(recipe.data.mix) == len(method.mix)


@pytest.mark.parametrize("name", ["ignm", "ignm-gpu"])
def test_every_part_of_ignm_has_its_own_ablation(name: str) -> None:
    """What is left out changes the recipe or its data, and no two parts are the same."""
    shipped = Plan.load(name)
    whole = shipped.all_methods()["ignm"]
    variants = {
        (method.resolved().to_toml(), method.mix, method.pretraining is None)
        for label, method in shipped.all_methods().items()
        if label.startswith("ignm-without-")
    }
    assert len(variants) == len(shipped.methods["ignm"].without) >= 10
    assert (whole.resolved().to_toml(), whole.mix, False) not in variants
    tested = {claim.parsed.other for claim in shipped.claims}
    assert {f"ignm-without-{part}" for part in shipped.methods["ignm"].without} <= tested


def test_a_part_left_out() -> None:
    methods = plan().all_methods()
    assert list(methods) == [
        *("gan", "dcgan", "dcgan-without-width"),
        *("dcgan-without-synthetic", "dcgan-without-pretraining"),
    ]
    assert methods["dcgan-without-width"].resolved().generator.channels == 8  # type: ignore[union-attr]
    assert methods["dcgan-without-width"].mix == ("portraits",)
    assert methods["dcgan-without-synthetic"].mix == ()
    assert methods["dcgan-without-synthetic"].pretraining is not None
    assert methods["dcgan-without-pretraining"].pretraining is None


def test_trials_go_seed_by_seed() -> None:
    keys = trial_keys(plan(datasets={"a": "portraits@32", "b": "portraits@32"}))
    assert len(keys) == len(set(map(str, keys))) == 2 * 2 * 5
    assert [key.seed for key in keys] == [0] * 10 + [1] * 10
    assert str(keys[0]) == "a/gan/seed-0"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": []}, "seeds"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": [1, 1]}, "named twice"),
        ({"seeds": [-1]}, "seeds"),
        ({"seeds": "three"}, "seeds"),
        ({"budget": "long"}, "is not a budget"),
        ({"budgett": "1kimg"}, "Did you mean 'budget'"),
        ({"name": "../x"}, "cannot be a name"),
        ({"datasets": {}}, "datasets"),
        ({"datasets": {"a/b": "portraits"}}, "cannot be a name"),
        ({"methods": {}}, "methods"),
        ({"methods": {"..": {"recipe": "gan"}}}, "cannot be a name"),
        ({"methods": {"a": {"recipe": "gan", "without": {"a b": []}}}}, "cannot be a name"),
        ({"methods": {"a": {"recipe": "gan", "pretraining": {"share": 1.0}}}}, "share"),
        ({"methods": {"a": {}}}, "recipe"),
        ({"methods": "gan"}, "methods"),
        ({"alpha": 0.6}, "alpha"),
        ({"measure": {"n": 3}}, "measure.n"),
        ({"claims": [{"says": "x", "test": "better(gan, dcgam)"}]}, "Did you mean 'dcgan'"),
        ({"claims": [{"says": "x", "test": "ablation(dcgan, without=eyes)"}]}, "no method"),
        ({"claims": [{"says": "x"}]}, "test"),
        (
            {
                "measure": {"curve": 0},
                "claims": [{"says": "x", "test": "faster_to(gan, dcgan, fd=9)"}],
            },
            "needs a curve",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        plan(**changes)
    assert said in str(refused.value)


def test_files_and_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(plan().to_toml(), "utf-8")
    assert Plan.load(path) == plan()
    path.write_text("seeds = = 3", "utf-8")
    with pytest.raises(RecipeError, match="not valid TOML"):
        Plan.load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="cannot be read"):
        Plan.load(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        Plan.load(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="Did you mean 'quick'"):
        Plan.load("quik")


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("better(a, b)", Better("a", "b")),
        (" better( a ,b, metric = recall, by=0.1 )", Better("a", "b", "recall", 0.1)),
        ("no_worse(a, b, margin=0.2)", NoWorse("a", "b", margin=0.2)),
        ("faster_to(a, b, fd=1e2, axis=kimg)", FasterTo("a", "b", 100.0, "kimg")),
        ("ablation(a, without=x)", Better("a", "a-without-x")),
    ],
)
def test_tests_of_claims(text: str, test: object) -> None:
    assert parse_test(text) == test


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a claim"),
        ("better", "is not a claim"),
        ("better(a, b", "is not a claim"),
        ("beter(a, b)", "Did you mean 'better'"),
        ("better(a)", "compares 2"),
        ("better(a, b, c)", "compares 2"),
        ("better(a, a)", "with itself"),
        ("better(a,, b)", "empty place"),
        ("better(a, b, metric=)", "empty place"),
        ("better(metric=fd, a, b)", "methods come before"),
        ("better(a, b, metric=fid)", "Did you mean 'fd'"),
        ("better(a, b, metrik=fd)", "Did you mean 'metric'"),
        ("better(a, b, by=2)", "from 0 to below 1"),
        ("better(a, b, by=nan)", "from 0 to below 1"),
        ("better(a, b, by=x)", "from 0 to below 1"),
        ("better(a, b, by=0.1, by=0.2)", "says by twice"),
        ("faster_to(a, b)", "which FD"),
        ("faster_to(a, b, fd=-1)", "positive"),
        ("faster_to(a, b, fd=5, axis=hours)", "is not known"),
        ("ablation(a)", "without which part"),
    ],
)
def test_tests_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse_test(text)
    assert said in str(refused.value)


def test_looks_must_rise_and_end_before_the_seeds_do() -> None:
    asked = {"seeds": 9, "judging": {"looks": [3, 5]}}
    assert plan(**asked).judging.looks == (3, 5)
    for looks in ([5, 3], [3, 9], [3, 12], [1]):
        with pytest.raises(RecipeError, match="looks"):
            plan(**asked | {"judging": {"looks": looks}})


def test_a_method_with_more_seeds_keeps_up_with_the_others() -> None:
    methods = {"a": {"recipe": "gan", "seeds": 6, "without": {"x": []}}, "b": {"recipe": "gan"}}
    found = plan(seeds=2, methods=methods, claims=[])
    assert found.seeds_of("a") == tuple(range(6))
    # Its parts are other methods.
    assert found.seeds_of("a-without-x") == found.seeds_of("b") == (0, 1)
    keys = [(key.method, key.seed) for key in trial_keys(found)]
    half = {(m, s) for m, s in keys[: len(keys) // 2]}
    assert half == {("a", 0), ("a", 1), ("a", 2), ("a-without-x", 0), ("b", 0)}
    assert Plan.parse(found.to_toml()) == found


def test_a_search_may_multiply_what_a_method_has() -> None:
    """A schedule stays a schedule, and two players' rates as different as they are."""
    found = plan(
        methods={
            "a": {"recipe": "ignm-cpu"},
            "b": {"recipe": "dcgan", "set": ["stages.*.discriminator.lr=1e-4"]},
        },
        claims=[],
        tuning={
            "trials": 2,
            "budget": "1kimg",
            "ranges": {"stages.*.*.lr": {"low": 0.2, "high": 5, "times": True}},
        },
    )
    methods = found.all_methods()
    first, second = (found.candidates(name)[1] for name in ("a", "b"))
    assert first == second
    factor = float(first[0].removeprefix("stages.*.*.lr*="))
    before, after = (
        method.resolved().stages[0].generator.lr
        for method in (methods["a"], methods["a"].with_settings(first))
    )
    assert after.start == pytest.approx(factor * before.start, rel=1e-5)
    assert after == before.model_copy(update={"start": after.start})
    other = methods["b"].with_settings(first).resolved().stages[0]
    assert other.discriminator.lr == pytest.approx(1e-4 * factor, rel=1e-5)
    assert other.generator.lr == pytest.approx(2e-4 * factor, rel=1e-5)
    assert Plan.parse(found.to_toml()) == found
