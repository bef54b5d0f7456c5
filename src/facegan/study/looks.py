"""Judging a study before its end: the level is spent over several looks at the results.

Whoever tests at 5 % after three seeds, after five and after nine gives a false verdict more often
than in 5 % of studies. Lan & DeMets (1983, "Discrete sequential boundaries for clinical trials",
Biometrika 70) spend the level instead: at the share t of all seeds, at most

    α*(t) = 2 − 2 Φ(z / √t),  with Φ(z) = 1 − α / 2,

may have been spent, a form like O'Brien and Fleming's: next to nothing at first, and nearly all
at the end. From it follows the level of each look, by the joint distribution of the statistics at
all looks, which is that of Brownian motion. The level is then held against the p of a t-test (the
significance level approach: Jennison & Turnbull 2000, "Group sequential methods", chapter 3).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

# Nodes of the integral between two looks, and how many standard deviations it reaches down.
_NODES, _REACH = 120, 8.0
_FURTHEST = 38.0  # beyond it a normal tail is 0


def spent(share: float, alpha: float) -> float:
    """How much of a one-sided level may be spent when this share of all seeds has ended."""
    return 2 * float(ndtr(ndtri(alpha / 2) / math.sqrt(share)))


@lru_cache(maxsize=4096)
def levels(shares: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """The level of the test at each look.

    Args:
        shares: of all seeds at each look, rising, in (0, 1].
        alpha: one-sided level of all looks together, in (0, 1).

    Returns:
        As many levels. With one look, at the end, it is alpha.
    """
    found: list[float] = []
    before, used = 0.0, 0.0
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    # Density of the statistic at the look before, where it has not crossed, at some points.
    points, density = np.zeros(1), np.ones(1)
    for share in shares:
        step = math.sqrt(share - before)
        allowed = max(spent(share, alpha) - used, 0.0)

        def crossed(bound: float, points=points, density=density, step=step) -> float:  # type: ignore[no-untyped-def]
            return float(density @ ndtr((points - bound) / step))

        top = _FURTHEST * math.sqrt(share)
        bound = top
        if allowed > crossed(top):
            bound = brentq(lambda b: crossed(b) - allowed, -top, top, xtol=1e-12)  # noqa: B023
        found.append(float(ndtr(-bound / math.sqrt(share))))
        used, before = used + allowed, share
        low = -_REACH * math.sqrt(share)
        high = min(bound, -low)
        places = low + (nodes + 1) * (high - low) / 2
        moved = np.exp(-(((places[:, None] - points) / step) ** 2) / 2)
        moved /= step * math.sqrt(2 * math.pi)
        points, density = places, (moved @ density) * weights * (high - low) / 2
    return tuple(found)


def spread_over(p: float, shares: tuple[float, ...]) -> float:
    """The p of a test at the last of several looks, corrected for all of them.

    Returns:
        The alpha whose level at that look is p: rejecting where it is at most alpha keeps the
        probability of rejecting a true null at any of the looks at most alpha.
    """
    if len(shares) == 1 and shares[0] == 1.0:
        return p
    least, most = 1e-300, 1 - 1e-9
    if p <= 0 or levels(shares, least)[-1] >= p:
        return least
    if levels(shares, most)[-1] <= p:
        return 1.0
    # On the scale of normal quantiles the two are nearly proportional.
    low, high = float(ndtri(least)), float(ndtri(most))
    found = brentq(lambda z: levels(shares, float(ndtr(z)))[-1] - p, low, high, xtol=1e-9)
    return float(ndtr(found))
