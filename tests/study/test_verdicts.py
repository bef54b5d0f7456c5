"""Verdicts on studies whose truth is known, and how failures and gaps count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from synthetic import only, study

from facegan.study.comparisons import compare
from facegan.study.reasons import seeds_needed
from facegan.study.shrinkage import prior
from facegan.study.verdicts import judge

METHODS = "abcdef"
CLAIMS = [f"better({name}, base)" for name in METHODS]


def noisy(
    random: np.random.Generator, seeds: int, better_by: float, noise: float
) -> dict[str, list[float]]:
    """FD of six methods and what all of them are compared with."""
    found = {"base": 100 * np.exp(noise * random.standard_normal(seeds))}
    for name in METHODS:
        found[name] = 100 * (1 - better_by) * np.exp(noise * random.standard_normal(seeds))
    return {name: values.tolist() for name, values in found.items()}


def test_the_numbers_by_hand() -> None:
    a, b = [50.0, 60.0, 55.0], [80.0, 85.0, 95.0]
    judged = only("better(a, b)", {"a": a, "b": b})
    d = np.log(b) - np.log(a)
    value, low, high = judged.improvement
    assert value == pytest.approx(1 - np.exp(-d.mean()))
    welch = {"equal_var": False}
    interval = stats.ttest_ind(np.log(b), np.log(a), **welch).confidence_interval(0.95)
    assert (low, high) == pytest.approx(tuple(1 - np.exp(-np.array(interval))))
    expected = stats.ttest_ind(np.log(b), np.log(a), alternative="greater", **welch)
    assert judged.p_holds == pytest.approx(expected.pvalue)
    assert (judged.test, judged.degrees) == ("welch", pytest.approx(expected.df))
    margins = (judged.p_against, -math.log(0.95)), (judged.p_worse, -math.log(1.05))
    for p, margin in margins:
        shifted = stats.ttest_ind(np.log(b) - margin, np.log(a), alternative="less", **welch)
        assert p == pytest.approx(shifted.pvalue)
    assert judged.means == pytest.approx((np.exp(np.log(a).mean()), np.exp(np.log(b).mean())))
    assert (judged.probability, judged.waiting, judged.relative) == (1.0, 0, True)
    assert [(pair.seed, pair.method, pair.other) for pair in judged.pairs] == [
        (seed, a[seed], b[seed]) for seed in range(3)
    ]
    assert judged.verdict == "holds"
    assert judged.why == (
        "FD 86.4 → 54.8, 1.58 × better (1.29 to 1.93 × better) over 3 seeds, better in 9 of 9 "
        "pairs of trials; p = 0.0017 for an improvement."
    )
    worse = only("better(b, a)", {"a": a, "b": b})
    assert worse.verdict == "evidence against"
    assert worse.why.startswith("FD 54.8 → 86.4, 1.58 × worse (1.29 to 1.93 × worse) over")
    assert "for being worse by more than 5 %." in worse.why


def test_pairs_of_one_seed_where_the_plan_asks_for_them() -> None:
    a, b = [50.0, 60.0, 55.0], [80.0, 85.0, 95.0]
    judged = only("better(a, b)", {"a": a, "b": b}, judging={"test": "paired"})
    d = np.log(b) - np.log(a)
    assert (judged.test, judged.degrees) == ("paired", 2)
    assert judged.p_holds == pytest.approx(stats.ttest_1samp(d, 0, alternative="greater").pvalue)
    interval = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert judged.difference[1:] == pytest.approx(tuple(interval))


def test_no_study_without_a_true_claim_has_one_that_holds_too_often() -> None:
    random = np.random.default_rng(11)
    studies = [judge(study(CLAIMS, noisy(random, 3, 0.0, 0.1))) for _ in range(600)]
    false = sum(any(judged.verdict == "holds" for judged in all_of) for all_of in studies)
    assert 1 <= false <= 600 * 0.05 + 2 * math.sqrt(600 * 0.05 * 0.95)


def test_what_is_much_better_holds_and_what_is_equal_does_not() -> None:
    random = np.random.default_rng(5)
    better = [judge(study(CLAIMS, noisy(random, 3, 0.3, 0.04))) for _ in range(60)]
    assert np.mean([each.verdict == "holds" for all_of in better for each in all_of]) > 0.97
    equal = [judge(study(CLAIMS, noisy(random, 5, 0.0, 0.01))) for _ in range(60)]
    verdicts = [each.verdict for all_of in equal for each in all_of]
    assert np.mean([verdict == "does not hold" for verdict in verdicts]) > 0.95


def test_each_dataset_counts_in_the_correction() -> None:
    methods = {"a": [50.0, 60.0, 55.0], "b": [80.0, 85.0, 95.0]}
    once = only("better(a, b)", methods)
    both = judge(study(["better(a, b)"], {"faces": methods, "portraits": methods}))
    assert [each.dataset for each in both] == ["faces", "portraits"]
    assert both[0].p_holds == once.p_holds
    assert both[0].p_holds_adjusted == pytest.approx(2 * once.p_holds)
    assert "after correction for 2 comparisons" in both[0].why


def test_a_real_improvement_below_the_margin_holds_and_is_called_small() -> None:
    reached = {"a": [98.0, 98.1, 97.9], "b": [100.0, 100.0, 100.1]}
    judged = only("better(a, b)", reached)
    assert judged.verdict == "holds"
    assert judged.p_against_adjusted < 0.05
    assert "smaller than the margin of 5 %" in judged.why
    # Whoever asks for more is told no.
    assert only("better(a, b, by=0.1)", reached).verdict == "does not hold"
    assert only("better(a, b, by=0.01)", reached).verdict == "holds"
    # 7 % are more than the margin, and still less than was said.
    nearly = {"a": [93.0, 93.1, 92.9], "b": [100.0, 100.0, 100.1]}
    assert only("better(a, b, by=0.1)", nearly).verdict == "does not hold"


def test_no_worse() -> None:
    equal = {"a": [0.50, 0.51, 0.505], "b": [0.50, 0.502, 0.51]}
    worse = {"a": [0.40, 0.41, 0.405], "b": [0.50, 0.502, 0.51]}
    claim = "no_worse(a, b, metric=recall, margin=0.02)"
    judged = only(claim, equal, "recall")
    assert (judged.verdict, judged.relative) == ("holds", False)
    assert "for being worse by less than 0.020" in judged.why
    judged = only(claim, worse, "recall")
    assert judged.verdict == "evidence against"
    assert judged.why.startswith("Recall 0.504 → 0.405, 0.099 lower (")
    # Worse, and within the margin.
    assert only(claim.replace("0.02", "0.2"), worse, "recall").verdict == "holds"


def test_kid_at_zero_is_compared_in_shares_of_the_other() -> None:
    reached = {"a": [-0.001, 0.001, 0.0005], "b": [0.02, 0.021, 0.0204]}
    judged = only("better(a, b, metric=kid)", reached, "kid")
    shares = (np.array(reached["b"]) - reached["a"]) / 0.0204
    assert judged.improvement[0] == pytest.approx(shares.mean())
    assert judged.verdict == "holds"
    nothing = only("better(a, b, metric=kid)", {"a": [-1.0, 1.0], "b": [0.0, 0.0]}, "kid")
    assert nothing.verdict == "not enough evidence"
    assert "of b is 0" in nothing.why


FAIL = "diverged"


def test_failures_count_and_never_help() -> None:
    method, other = [50.0, 51.0, 52.0, 50.5], [80.0, 82.0, 81.0, 80.5]
    assert only("better(a, b)", {"a": method, "b": other}).verdict == "holds"
    judged = only("better(a, b)", {"a": [*method, FAIL], "b": [*other, 81.0]})
    assert judged.verdict == "not enough evidence"
    assert judged.probability == 16 * 1.25 / 25
    assert judged.pairs[4].method is None
    assert "a failed in 1 of 5 trials, b in 0: a claim cannot hold for the one" in judged.why
    # As often as the other: the difference alone decides, and each failure is a draw.
    judged = only("better(a, b)", {"a": [*method, FAIL, 50.0], "b": [*other, 81.0, FAIL]})
    assert judged.p_holds > only("better(a, b)", {"a": method, "b": other}).p_holds
    # It is the other that fails more often: no proof against the method.
    judged = only("better(b, a)", {"a": [*method, FAIL], "b": [*other, 81.0]})
    assert judged.verdict == "not enough evidence"
    assert judged.p_against == 1.0


def test_what_never_works_is_not_better() -> None:
    """Fisher's exact test: 3 of 3 against 0 of 3 is 1 of 20 ways to deal out three failures."""
    broken = {"a": [FAIL, FAIL, FAIL], "b": [80.0, 81.0, 82.0]}
    judged = only("better(a, b)", broken)
    assert (judged.verdict, judged.probability, judged.p_holds) == ("evidence against", 0.0, 1.0)
    assert judged.p_against == judged.p_worse == pytest.approx(1 / 20)
    assert judged.why == (
        "a failed in 3 of 3 trials, b in 0: what never works is not better (p = 0.05, corrected)."
    )
    # Not before the last trial, not where chance could do it, and not for the one that works.
    early = only("better(a, b)", {"a": [FAIL, FAIL, None], "b": [80.0, 81.0, 82.0]})
    assert early.verdict == "not enough evidence"
    twice = only("better(a, b)", {"a": [FAIL, FAIL, FAIL], "b": [80.0, 81.0, FAIL]})
    assert twice.verdict == "not enough evidence"
    assert twice.p_against == pytest.approx(3 / 15)
    assert "too few trials to tell that from chance" in twice.why
    assert only("better(b, a)", broken).verdict == "not enough evidence"
    both = only("better(a, b)", {"a": [FAIL, FAIL], "b": [FAIL, FAIL]})
    assert (both.verdict, both.probability) == ("not enough evidence", 0.5)


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.8])
def test_failures_by_chance_give_no_false_verdicts(rate: float) -> None:
    """Six claims on methods that are all the same and fail at the same rate, three seeds."""
    random = np.random.default_rng(7)
    names = [f"m{number}" for number in range(7)]
    claims = [f"better({name}, m0)" for name in names[1:]]
    false, studies = 0, 150
    for _ in range(studies):
        reached = {
            name: [
                FAIL if random.random() < rate else float(np.exp(random.normal(4, 0.05)))
                for _ in range(3)
            ]
            for name in names
        }
        false += any(
            each.verdict != "not enough evidence" for each in judge(study(claims, reached))
        )
    # 5 % for each of the two kinds of verdict, and three standard errors.
    assert false / studies <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / studies)


def test_an_unfinished_study_is_judged_by_what_is_there() -> None:
    reached = {"a": [50.0, 60.0, 55.0, 57.0], "b": [80.0, 85.0, 95.0, None]}
    judged = only("better(a, b)", reached)
    assert (judged.verdict, judged.waiting, len(judged.pairs)) == ("holds", 1, 4)
    assert judged.pairs[3].other is None
    assert judged.why.startswith("So far, with 1 of 8 trials still open: FD 86.4 → 55.4, 1.56 × b")
    nothing = only("better(a, b)", {"a": [None, 1.0], "b": [None, None]})
    assert nothing.verdict == "not enough evidence"
    assert (nothing.probability, nothing.improvement) == (None, None)


@pytest.mark.parametrize(
    ("reached", "said"),
    [
        ({"a": [1.0], "b": [2.0]}, "Each method needs two trials that finished."),
        ({"a": [1.0, 1.0], "b": [2.0, 2.0]}, "The trials of each method are all alike"),
        ({"a": [None, None], "b": [2.0, 4.0]}, "So far, with 2 of 4 trials still open: No trial"),
        (
            {"a": [1.0, 1.1, 1.2, 1.3], "b": [2.0, 2.5, 2.7, [(1.0, 9.0)]]},
            "FD was not measured in 1 of 8 trials.",
        ),
    ],
)
def test_too_little_is_said_to_be_too_little(reached: dict[str, Any], said: str) -> None:
    judged = only("better(a, b)", reached)
    assert judged.verdict == "not enough evidence"
    assert judged.p_holds is judged.p_holds_adjusted is judged.p_against is None
    assert judged.why.startswith(said)


def test_how_many_seeds_would_be_needed() -> None:
    reached = {"a": [80.0, 99.0, 88.0], "b": [100.0, 104.0, 98.0]}
    found = study(["better(a, b)"], reached)
    (judged,) = judge(found)
    assert judged.verdict == "not enough evidence"
    compared = compare(found, found.plan.claims[0], "faces")
    more = seeds_needed(compared, 0.05)
    assert judged.why.endswith(
        f"About {3 + more} seeds would be needed if the spread stays as it is."
    )
    # The same means and spreads over as many seeds are just enough.
    a, b = (np.log(reached[name]) for name in "ab")
    variances = a.var(ddof=1), b.var(ddof=1)
    p = [
        stats.ttest_ind_from_stats(
            *(-a.mean(), variances[0] ** 0.5, n, -b.mean(), variances[1] ** 0.5, n),
            equal_var=False,
            alternative="greater",
        ).pvalue
        for n in (3 + more - 1, 3 + more)
    ]
    assert p[1] <= 0.05 < p[0]
    assert seeds_needed(compared, 1e-12) is None


def test_a_method_may_have_more_seeds_than_others() -> None:
    few = {"a": [52.0, 60.0, 55.0], "b": [60.0, 62.0, 72.0]}
    one = only("better(a, b)", few)
    plan = {"methods": {"a": {"recipe": "gan", "seeds": 6}, "b": {"recipe": "gan"}}, "seeds": 3}
    found = study(["better(a, b)"], few | {"a": [*few["a"], 54.0, 57.0, 56.0]}, **plan)
    found = found.model_copy(
        update={"results": tuple(r for r in found.results if r.evaluation is not None)}
    )
    (more,) = judge(found)
    assert "over 3 and 6 seeds" in more.why
    assert more.p_holds < one.p_holds
    assert [pair.other is None for pair in more.pairs] == [False] * 3 + [True] * 3


def test_claims_are_corrected_within_their_family() -> None:
    methods = {"a": [50.0, 60.0, 55.0], "b": [80.0, 85.0, 95.0], "c": [61.0, 60.0, 71.0]}
    tests = ["better(a, b)", "better(c, b)", "better(a, c)"]
    families = ["one", "one", "two"]
    claims = [
        {"says": test, "test": test, "family": family}
        for test, family in zip(tests, families, strict=True)
    ]
    first, second, third = judge(study(claims, methods))
    assert first.p_holds_adjusted == pytest.approx(2 * first.p_holds)
    assert "for 2 comparisons of the family one" in second.why
    assert third.p_holds_adjusted == third.p_holds
    together = judge(study(tests, methods))
    assert together[0].p_holds_adjusted == pytest.approx(3 * first.p_holds)


def test_looks_spend_the_level() -> None:
    """Before a look nothing is judged; at one, by its seeds alone and at a higher price."""
    a, b = [50.0, 60.0, 55.0, 57.0, 58.0, 54.0], [80.0, 85.0, 95.0, 84.0, 88.0, 90.0]
    asked = {"judging": {"looks": [3, 4]}}
    early = only("better(a, b)", {"a": [*a[:2], *[None] * 4], "b": [*b[:2], *[None] * 4]}, **asked)
    assert (early.verdict, early.p_holds) == ("not enough evidence", None)
    assert early.why == "The first look comes after 3 seeds of every method."
    three = {"a": [*a[:3], *[None] * 3], "b": [*b[:3], *[None] * 3]}
    first = only("better(a, b)", three, **asked)
    assert first.p_holds == only("better(a, b)", {"a": a[:3], "b": b[:3]}).p_holds
    assert first.p_holds_adjusted > 10 * first.p_holds
    assert "after correction for 3 looks" in first.why
    # A seed more changes nothing before the next look.
    again = {name: [*v[:3], 70.0, *v[4:]] if name == "a" else v for name, v in three.items()}
    assert only("better(a, b)", again, **asked).p_holds == first.p_holds
    last = only("better(a, b)", {"a": a, "b": b}, **asked)
    assert last.p_holds < last.p_holds_adjusted < 1.5 * last.p_holds
    assert last.verdict == "holds"


def test_spreads_are_shared_from_sixteen_methods_on() -> None:
    random = np.random.default_rng(2)
    noise = 0.05 * np.exp(0.7 * random.standard_normal((16, 1)))
    logs = np.log(100.0) + noise * random.standard_normal((16, 3))
    methods = {f"m{i}": np.exp(row).tolist() for i, row in enumerate(logs)}
    claims = ["better(m0, m1)", "better(m2, m3, metric=recall)"]
    shared = only(claims[0], methods)
    assert shared.test == "moderated"
    d0, s0 = prior(logs.var(1, ddof=1), np.full(16, 2.0))
    moved = (d0 * s0 + 2 * logs[:2].var(1, ddof=1)) / (d0 + 2)
    t = (logs[1].mean() - logs[0].mean()) / np.sqrt(moved.sum() / 3)
    assert shared.degrees == pytest.approx(d0 + 2)
    assert shared.p_holds == pytest.approx(stats.t.sf(t, d0 + 2))
    few = {name: methods[name] for name in list(methods)[:15]}
    assert only(claims[0], few).test == "welch"
    assert only(claims[0], few, judging={"test": "moderated"}).test == "moderated"
    assert only(claims[1], methods, "recall").test == "welch"


def test_what_was_changed_after_results_is_marked() -> None:
    methods = {"a": [50.0, 60.0, 55.0], "b": [80.0, 85.0, 95.0]}
    claims = ["better(a, b, margin=0.05)", "better(b, a)", "no_worse(a, b)"]
    now = study(claims, methods)
    assert [one.marks for one in judge(now)] == [()] * 3

    def after(claims: list[dict[str, str]], **values: Any) -> list[tuple[str, ...]]:
        first = study(claims, methods, **values).plan
        return [one.marks for one in judge(now.model_copy(update={"first": first}))]

    def said(*tests: str, **values: str) -> list[dict[str, str]]:
        return [{"says": test, "test": test, **values} for test in tests]

    assert after(said(*claims)) == [()] * 3
    assert after(said("better(a, b, margin=0.02)", *claims[1:]))[0] == ("margin 0.02 → 0.05",)
    assert after(said(*claims[:2]))[2] == ("claim added",)
    assert after(said(*claims), alpha=0.1) == [("alpha 0.1 → 0.05",)] * 3
    assert after(said(*claims), judging={"test": "paired"}) == [("statistics changed",)] * 3
    assert after(said(*claims, family="one"))[1] == ("family changed",)
    removed = after(said(*claims, "better(a, b, metric=kid)"))
    assert removed == [("claims of its family removed",)] * 3
    assert after(said(*claims), seeds=2) == [("seeds changed",)] * 3


score = st.floats(1.0, 1000.0)
trials = st.one_of(score, score, score, st.just(FAIL), st.none())
pairs = st.lists(st.tuples(trials, trials), min_size=1, max_size=6)


def split(drawn: list[tuple[Any, Any]]) -> dict[str, list[Any]]:
    return {"a": [a for a, _ in drawn], "b": [b for _, b in drawn]}


@settings(max_examples=60, deadline=None)
@given(pairs, st.sampled_from(["fd", "kid", "recall"]))
def test_swapping_the_methods_mirrors_all(drawn: list[tuple[Any, Any]], metric: str) -> None:
    claims = [f"better(a, b, metric={metric})", f"better(b, a, metric={metric})"]
    one, two = judge(study(claims, split(drawn), metric))
    assert not one.verdict == two.verdict == "holds"
    assert (one.improvement is None) == (two.improvement is None)
    if one.improvement and one.relative:
        for share, back in zip(one.improvement, np.take(two.improvement, (0, 2, 1)), strict=True):
            # A share next to 1 has lost what its mirror needs.
            if max(share, back) < 1 - 1e-9:
                assert (1 - share) * (1 - back) == pytest.approx(1, rel=1e-5)
    elif one.improvement:
        assert one.improvement[0] == pytest.approx(-two.improvement[0], abs=1e-9)
    if one.probability is not None:
        assert one.probability + two.probability == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(pairs, st.one_of(st.none(), st.just(FAIL)), st.sampled_from(["better", "no_worse"]))
def test_a_further_failure_never_makes_a_claim_hold(
    drawn: list[tuple[Any, Any]], other: Any, form: str
) -> None:
    before = only(f"{form}(a, b)", split(drawn))
    after = only(f"{form}(a, b)", split([*drawn, (FAIL, other)]))
    if before.verdict != "holds":
        assert after.verdict != "holds"
    # Nor does one of the other prove anything against it.
    after = only(f"{form}(a, b)", split([*drawn, (other, FAIL)]))
    against = ("does not hold", "evidence against")
    if before.verdict not in against:
        assert after.verdict not in against


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(7)), st.integers(0, 1000))
def test_the_order_of_claims_does_not_matter(order: list[int], seed: int) -> None:
    reached = noisy(np.random.default_rng(seed), 3, 0.1, 0.05)
    claims = [*CLAIMS, "no_worse(a, b, margin=0.2)"]
    expected = {judged.claim.test: judged for judged in judge(study(claims, reached))}
    for judged in judge(study([claims[place] for place in order], reached)):
        assert judged == expected[judged.claim.test]
