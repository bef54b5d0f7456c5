"""Variances of a few seeds, made steadier by those of the other methods of a study.

The variance of three values is hardly known: it comes out ten times too small in one case of
ten. A method whose seeds happen to lie close then seems better than it is. Smyth (2004, "Linear
models and empirical Bayes methods for assessing differential expression", Statistical
Applications in Genetics and Molecular Biology 3) takes the variances of all groups for draws from
one distribution, a scaled inverse chi-square with d₀ degrees of freedom around s₀². Both are
estimated from the spread of the variances themselves, and each variance moves towards s₀² by as
much as that says: s̃² = (d₀ s₀² + d s²) / (d₀ + d), which has d₀ + d degrees of freedom.

All functions take arrays [..., methods], so that many studies can be simulated at once.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, polygamma

from facegan.evaluation.matrices import Floats

# A variance of 0 has no logarithm: it counts as this share of the median one.
_LEAST = 1e-5
_STEPS = 50


def prior(variances: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """Fit the distribution of which variances are drawn (Smyth 2004, section 6.2).

    Args:
        variances: [..., methods], of each method's seeds, not negative; some above 0.
        degrees: [..., methods] degrees of freedom of each, above 0.

    Returns:
        d₀ [...], infinite where the variances differ no more than by chance, and s₀² [...].
    """
    least = _LEAST * np.median(variances, axis=-1, keepdims=True)
    logs = np.log(np.maximum(variances, np.maximum(least, np.finfo(float).tiny)))
    centred = logs - digamma(degrees / 2) + np.log(degrees / 2)
    mean = centred.mean(-1)
    beyond = centred.var(-1, ddof=1) - polygamma(1, degrees / 2).mean(-1)
    half = trigamma_inverse(np.maximum(beyond, 1e-8))
    known = beyond > 0
    shift = np.where(known, digamma(half) - np.log(half), 0.0)
    return np.where(known, 2 * half, np.inf), np.exp(mean + shift)


def moved(
    variances: Floats, degrees: Floats, more: Floats, centre: Floats, most: Floats
) -> tuple[Floats, Floats]:
    """Variances moved towards a prior's, and the degrees of freedom that they then have.

    Args:
        variances: of each method's seeds.
        degrees: of each.
        more: d₀ of the prior.
        centre: s₀² of the prior.
        most: degrees of freedom at most: those of all methods together. A prior that was
            estimated cannot be worth more.
    """
    finite = np.where(np.isinf(more), 0.0, more)
    mixed = (finite * centre + degrees * variances) / (finite + degrees)
    return np.where(np.isinf(more), centre, mixed), np.minimum(more + degrees, most)


def shrunk(variances: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """Each variance moved towards that which the others suggest.

    Args:
        variances: [..., methods], as for `prior`; at least two methods.
        degrees: [..., methods].

    Returns:
        The new variances [..., methods] and their degrees of freedom.
    """
    more, centre = (each[..., None] for each in prior(variances, degrees))
    return moved(variances, degrees, more, centre, degrees.sum(-1, keepdims=True))


def welch(
    one: tuple[Floats, Floats, Floats], other: tuple[Floats, Floats, Floats], moderated: bool
) -> tuple[Floats, Floats]:
    """Standard error and degrees of freedom of the difference of two means (Welch 1947).

    With shrunk variances the degrees of freedom are at most those of the less known of the two.
    Satterthwaite's formula adds the two up, but both rest on the same estimated prior: where the
    methods' spreads differ much, it gave false verdicts in 9 % of simulated studies of 16
    methods instead of 5, and with this bound in 4 (`benchmarks/study_power.py`).

    Args:
        one: variances, degrees of freedom and numbers of seeds of the first method.
        other: of the second.
        moderated: whether the variances are shrunk.
    """
    (first, first_degrees, n), (second, second_degrees, m) = one, other
    a, b = first / n, second / m
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = (a + b) ** 2 / (a**2 / first_degrees + b**2 / second_degrees)
    if moderated:
        degrees = np.minimum(degrees, np.minimum(first_degrees, second_degrees))
    return np.sqrt(a + b), degrees


def trigamma_inverse(x: Floats) -> Floats:
    """The y > 0 at which the trigamma function is x > 0, by Newton's method on its reciprocal.

    From below the solution the steps rise and cannot pass it (Smyth 2004, appendix).
    """
    y = 0.5 + 1 / x
    for _ in range(_STEPS):
        trigamma = polygamma(1, y)
        step = trigamma * (1 - trigamma / x) / polygamma(2, y)
        y = y + step
        if np.all(np.abs(step) < 1e-9 * y):
            break
    return y
