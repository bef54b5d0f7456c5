"""Student's t, correction, intervals: against SciPy, brute force and known truth."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import polygamma

from facegan.study import statistics
from facegan.study.contrasts import between_groups, between_pairs
from facegan.study.looks import levels, spread_over
from facegan.study.shrinkage import prior, shrunk, trigamma_inverse, welch
from facegan.study.statistics import (
    holm,
    median_interval,
    student_quantile,
    student_tail,
)

MARGIN = -math.log1p(-0.05)


# What earlier versions computed, by the continued fraction of the incomplete beta function: the
# verdicts of studies that are finished must not move.
TAILS = {
    (-50, 1): 0.9936346508990272,
    (0.3, 1): 0.40722642092225775,
    (2, 2): 0.09175170953613684,
    (40, 2): 0.00031220733609237014,
    (-0.5, 4.5): 0.6797252489629765,
    (2, 4.5): 0.0541289535905625,
    (40, 4.5): 3.224782606460494e-07,
    (5, 9): 0.00036948395490162054,
    (40, 9): 9.491499224669827e-12,
    (2, 200): 0.023426593093535585,
    (5, 200): 6.250990638857713e-07,
    (40, 200): 1.1243698267601487e-97,
}
QUANTILES = {
    (1e-06, 1): -318309.8861735902,
    (0.001, 1): -318.3088389855501,
    (0.3, 2): -0.6172133998483679,
    (0.9, 2): 1.8856180831641267,
    (1e-06, 4.5): -31.081356582949844,
    (0.975, 4.5): 2.658912347204403,
    (0.975, 9): 2.262157162798204,
    (0.001, 200): -3.131479814221125,
    (0.999999, 200): 4.8973021028204515,
}


def test_students_t_gives_the_numbers_of_earlier_versions() -> None:
    for (t, df), expected in TAILS.items():
        assert student_tail(t, df) == pytest.approx(expected, rel=1e-10)
    for (p, df), expected in QUANTILES.items():
        assert student_quantile(p, df) == pytest.approx(expected, rel=1e-10)
    # Both p and the interval, as they stand in a study's tables.
    paired = between_pairs([0.3, 0.1, 0.25])
    assert (paired.above(0.1), paired.below(0.1)) == pytest.approx(
        (0.09585481156726197, 0.9041451884327381), rel=1e-10
    )
    assert between_pairs([5.0, 5.1, 4.9, 5.3, 5.0]).interval == pytest.approx(
        (5.06, 4.871692331165157, 5.248307668834844), rel=1e-10
    )


def test_students_t_where_it_is_known_in_closed_form() -> None:
    # One degree of freedom is Cauchy's distribution; two have t / √(2 + t²).
    for t in (0.1, 1.0, 7.0, 1e200, math.inf):
        assert student_tail(t, 1) == pytest.approx(
            0.5 - math.atan(t) / math.pi, rel=1e-9, abs=1e-16
        )
    for t in (0.1, 1.0, 7.0):
        assert student_tail(t, 2) == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)), rel=1e-9)
    assert student_quantile(0.95, 2) == pytest.approx(2.91998558)


@pytest.mark.parametrize("numbers", [[0.3, 0.1, 0.25], [-1.0, 2.0], [5.0, 5.1, 4.9, 5.3, 5.0]])
def test_the_paired_test_and_its_interval_are_scipys(numbers: list[float]) -> None:
    found = between_pairs(numbers)
    for p, alternative in ((found.above(0.1), "greater"), (found.below(0.1), "less")):
        expected = stats.ttest_1samp(numbers, 0.1, alternative=alternative)
        assert p == pytest.approx(expected.pvalue, rel=1e-8)
    both_sides = stats.ttest_1samp(numbers, 0.0).confidence_interval(0.95)
    assert found.interval == pytest.approx((np.mean(numbers), *both_sides), rel=1e-8)


@pytest.mark.parametrize("counts", [(3, 3), (2, 5), (9, 4)])
def test_the_unpaired_test_and_its_interval_are_scipys(counts: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(counts))
    one, two = (scale * random.standard_normal(n) for n, scale in zip(counts, (1, 4), strict=True))
    found = between_groups(one, two, None)
    for p, alternative in ((found.above(0.3), "greater"), (found.below(0.3), "less")):
        expected = stats.ttest_ind(one - 0.3, two, equal_var=False, alternative=alternative)
        assert p == pytest.approx(expected.pvalue, rel=1e-8)
        assert found.degrees == pytest.approx(expected.df)
    both_sides = stats.ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
    assert found.interval[1:] == pytest.approx(tuple(both_sides), rel=1e-8)
    # The same spreads over more seeds.
    more = found.with_more(4)
    variances = one.var(ddof=1) / (counts[0] + 4), two.var(ddof=1) / (counts[1] + 4)
    assert more.error == pytest.approx(sum(variances) ** 0.5)
    assert more.degrees > found.degrees


@pytest.mark.parametrize("numbers", [[], [1.0], [0.3, 0.3, 0.3], [0.1 + 0.2, 0.3], [0.0, 0.0]])
def test_without_a_spread_there_is_no_test(numbers: list[float]) -> None:
    assert between_pairs(numbers) is None
    assert between_groups(numbers, numbers, None) is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()
    # A test that could not be made counts: 0.02 is multiplied by 3, 0.03 by 2.
    assert holm([0.02, None, 0.03]) == (pytest.approx(0.06), None, pytest.approx(0.06))
    assert holm([0.9, 0.8]) == (1.0, 1.0)


@given(st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.01, 0.02, 0.5, 1.0])), max_size=8))
def test_holm_does_not_depend_on_the_order(p_values: list[float | None]) -> None:
    expected = dict(zip(p_values, holm(p_values), strict=True))
    for order in itertools.islice(itertools.permutations(p_values), 20):
        assert dict(zip(order, holm(order), strict=True)) == expected
    for p, adjusted in expected.items():
        assert (p is None and adjusted is None) or p <= adjusted <= 1


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_the_bootstrap_of_the_median_is_exact(n: int) -> None:
    x = np.sort(np.random.default_rng(n).exponential(size=n))
    every = [np.median(x[list(each)]) for each in itertools.product(range(n), repeat=n)]
    assert statistics._median_errors(x[None])[0] == pytest.approx(np.std(every))


Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
NOISE: dict[str, Draw] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "uniform": lambda random, shape: random.uniform(-1, 1, shape),
    "t5": lambda random, shape: random.standard_t(5, shape),
    "exponential": lambda random, shape: random.exponential(size=shape) - math.log(2),
}


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("n", [3, 5, 8, 10])
def test_the_interval_of_the_median_covers_it_as_often_as_it_says(n: int, noise: str) -> None:
    """Within 2 points of 95 %; a quarter of a point for the simulation."""
    x = np.sort(NOISE[noise](np.random.default_rng(7), (30_000, n)), axis=1)
    # What median_interval does with one row, for all of them; the next test says that it does.
    reach = statistics._reach(n) * statistics._median_errors(x)
    covered = np.mean(np.abs(np.median(x, axis=1)) <= reach)
    assert abs(covered - 0.95) <= 0.0225


@pytest.mark.parametrize("sigma", [0.1, 0.4])
def test_on_the_log_scale_too(sigma: float) -> None:
    random = np.random.default_rng(3)
    x = 80 * np.exp(sigma * random.standard_normal((4000, 3)))
    covered = [low <= 80 <= high for low, high in (median_interval(row, log=True) for row in x)]
    assert abs(np.mean(covered) - 0.95) <= 0.02 + 0.007
    low, high = median_interval(x[0], log=True)
    assert 0 < low < np.median(x[0]) < high
    assert (low, high) == tuple(np.exp(median_interval(np.log(x[0]))))


@pytest.mark.parametrize("n", [51, 64, 200])
def test_many_values_have_an_interval_between_two_of_them(n: int) -> None:
    random = np.random.default_rng(n)
    x = random.exponential(size=(4000, n))
    intervals = [median_interval(row) for row in x]
    assert {intervals[0][0], intervals[0][1]} <= set(x[0])
    covered = np.mean([low <= math.log(2) <= high for low, high in intervals])
    assert 0.945 <= covered <= 0.98


def test_few_values_have_a_wide_interval_or_none() -> None:
    assert median_interval([]) is None
    assert median_interval([3.0]) is None
    low, high = median_interval([10.0, 11.0], log=True)
    assert low < 6
    assert high > 18
    assert median_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    # Far apart, the ends stay numbers.
    assert all(map(math.isfinite, median_interval([1e-300, 1e300], log=True)))


def test_an_interval_takes_little_time() -> None:
    statistics._reach.cache_clear()
    statistics._median_weights.cache_clear()
    started = time.process_time()
    first = median_interval([1.0, 2.0, 4.0])
    assert time.process_time() - started < 0.2
    statistics._reach.cache_clear()
    assert median_interval([1.0, 2.0, 4.0]) == first


@pytest.mark.parametrize("noise", ["normal", "uniform", "t5"])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_interval_of_an_improvement_covers_it_as_often_as_it_says(n: int, noise: str) -> None:
    random = np.random.default_rng(1)
    draw = NOISE[noise]
    one, two = draw(random, (4000, n)), 2 * draw(random, (4000, n))
    intervals = [between_groups(a, b, None).interval for a, b in zip(one, two, strict=True)]
    covered = np.mean([low <= 0 <= high for _, low, high in intervals])
    # Two standard errors of the simulation beyond what was allowed to paired differences.
    assert abs(covered - 0.95) <= 0.0225 + 0.007


def false_verdicts(
    draw: Draw, n: int, methods: int, effect: float, spread: float = 0.0
) -> dict[str, list[float]]:
    """How often one or more claims hold, or not hold, at a true difference, by each test."""
    random = np.random.default_rng(n)
    repeats = 4000
    scatter = np.exp(spread * random.standard_normal((repeats, methods, 1)))
    x = scatter * draw(random, (repeats * methods, n)).reshape(repeats, methods, n)
    means, variances = x.mean(2), x.var(2, ddof=1)
    degrees, counts = np.full((repeats, methods), n - 1.0), np.full((repeats, methods), float(n))
    found = {}
    for name in ("welch", "moderated"):
        v, d = shrunk(variances, degrees) if name == "moderated" else (variances, degrees)
        sides = [
            (a[:, one], b[:, one], counts[:, one])
            for one in (slice(1, None), slice(1))
            for a, b in [(v, d)]
        ]
        error, freedom = welch(*sides, name == "moderated")
        # All claims are about the first method, so that they depend on each other.
        difference = means[:, 1:] - means[:, :1] + effect
        found[name] = [
            float(
                np.mean(
                    stats.t.sf(sign * (difference - bound) / error, freedom).min(1)
                    <= 0.05 / (methods - 1)
                )
            )
            for sign, bound in ((1, 0.0), (-1, MARGIN))
        ]
    return found


@pytest.mark.parametrize(
    ("noise", "n", "methods", "spread"),
    [
        *itertools.product(("normal", "t5", "exponential"), (3, 5), (4,), (0.0,)),
        *itertools.product(("normal", "t5"), (3, 5), (16,), (0.0, 0.7)),
        *itertools.product(("exponential",), (3, 5), (16,), (0.0,)),
    ],
)
def test_false_verdicts_stay_below_the_level(
    noise: str, n: int, methods: int, spread: float
) -> None:
    """Of 4000 studies without any true claim, at most 5 % have one that holds."""
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / 4000)
    holds = false_verdicts(NOISE[noise], n, methods, 0.0, spread)
    # And with true ones, each exactly of the margin, at most 5 % have one that does not.
    against = false_verdicts(NOISE[noise], n, methods, MARGIN, spread)
    # Spreads are shared by sixteen methods or more alone.
    for test in ("welch", "moderated") if methods == 16 else ("welch",):
        assert 0 < holds[test][0] <= allowed
        assert 0 < against[test][1] <= allowed


def test_a_prior_of_equal_spreads_is_sure_and_of_unequal_ones_is_not() -> None:
    random = np.random.default_rng(0)
    degrees = np.full(400, 4.0)
    equal = 0.3 * random.chisquare(4, 400) / 4
    d0, s0 = prior(equal, degrees)
    assert d0 > 30
    assert s0 == pytest.approx(0.3, rel=0.1)
    # Drawn as Smyth's model says: 1/σ² ~ χ²(d₀) / (d₀ s₀²).
    true = 6 * 0.3 / random.chisquare(6, 4000)
    d0, s0 = prior(true * random.chisquare(4, 4000) / 4, np.full(4000, 4.0))
    assert d0 == pytest.approx(6, rel=0.25)
    assert s0 == pytest.approx(0.3, rel=0.1)


def test_shrunk_variances_lie_between_their_own_and_the_priors() -> None:
    variances, degrees = np.array([0.01, 0.04, 0.3, 0.02, 0.0]), np.array([2.0, 2.0, 4.0, 2.0, 2.0])
    d0, s0 = prior(variances, degrees)
    moved, freedom = shrunk(variances, degrees)
    assert moved == pytest.approx((d0 * s0 + degrees * variances) / (d0 + degrees))
    assert freedom == pytest.approx(np.minimum(d0 + degrees, 12))
    # No spread in the spreads: all are the prior's.
    moved, freedom = shrunk(np.full(5, 0.2), degrees)
    assert moved == pytest.approx(np.full(5, moved[0]))
    assert list(freedom) == [12.0] * 5


@pytest.mark.parametrize("y", [0.01, 0.3, 1.0, 7.0, 1e4])
def test_the_inverse_of_the_trigamma_function(y: float) -> None:
    assert trigamma_inverse(polygamma(1, np.array(y))) == pytest.approx(y, rel=1e-7)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((1.0,), (0.025,)),
        ((0.5, 1.0), (0.001525, 0.024500)),
        ((1 / 3, 2 / 3, 1.0), (0.000104, 0.006012, 0.023128)),
        ((0.2, 0.4, 0.6, 0.8, 1.0), (5.39e-7, 0.000394, 0.003678, 0.011016, 0.021126)),
    ],
)
def test_the_level_is_spent_as_published(
    shares: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    """Lan and DeMets' boundaries at a one-sided 2.5 %, as tables have them."""
    assert levels(shares, 0.025) == pytest.approx(expected, rel=5e-3)


def test_looks_keep_the_level_of_t_tests() -> None:
    random = np.random.default_rng(4)
    one, two = random.standard_normal((2, 20_000, 9))
    shares = (3 / 9, 5 / 9, 1.0)
    false = np.zeros(20_000, bool)
    for n, level in zip((3, 5, 9), levels(shares, 0.05), strict=True):
        found = stats.ttest_ind(
            one[:, :n], two[:, :n], axis=1, equal_var=False, alternative="greater"
        )
        false |= found.pvalue <= level
    assert 0.04 < false.mean() <= 0.0535
    # The corrected p is at most alpha just where the p is at most the look's level.
    level = levels(shares[:2], 0.05)[1]
    assert spread_over(level, shares[:2]) == pytest.approx(0.05, rel=1e-6)
    assert spread_over(0.03, (1.0,)) == 0.03
    assert spread_over(0.999, shares[:1]) > 0.99
