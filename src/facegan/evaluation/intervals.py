"""Intervals: how far a score would move if other pictures had been generated.

Every interval is over the draw of the generated pictures (of the real ones, in the row of the
floor) and keeps the reference fixed. Scores that are a mean over generated pictures
(precision, density) have the plain bootstrap; FD, FD∞, KID and coverage the bootstrap of what
each picture does to them; recall the spread between halves.

Pictures of one person resemble each other. Where it is known who is shown, and other people might
have been, people are drawn with all their pictures (`People`): the interval is then over the draw
of people.

An interval says nothing of what did not occur once: a precision of 0 has the interval [0, 0].
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facegan.evaluation.matrices import Floats
from facegan.evaluation.results import Estimate

Numbers = npt.NDArray[np.int64]

# Resampled numbers held at a time: 32 MB.
_AT_ONCE = 4_000_000
# 95 % of a normal distribution lie within so many standard deviations.
_NORMAL = 1.959964


class Measured(NamedTuple):
    """A score of n pictures that is no plain mean over them, with what its interval needs.

    Attributes:
        value: the score θ.
        influence: float64 [n], what each picture does to it: (n − 1) (θ − θ₋ᵢ), where θ₋ᵢ
            leaves picture i out, shifted to mean 0. Their spread over √n is the jackknife's
            standard error.
        second: how much of θ's variance comes from pairs of pictures rather than from single
            ones; the jackknife counts it twice (Efron & Stein 1981). It is half of the mean
            square of n θ − (n − 1) (θ₋ᵢ + θ₋ⱼ) + (n − 2) θ₋ᵢⱼ over pairs.
    """

    value: float
    influence: Floats
    second: float = 0.0


class Halved(NamedTuple):
    """A share of fixed points that n pictures hit, jointly, with that of halves of them.

    Attributes:
        value: the share that all n pictures hit.
        halves: float64 [splits, 2], that both halves of them hit, split at random several times.
        alone: what each fixed point adds to the variance by being hit or not: half of the
            share on which two halves disagree, over the number of points.
    """

    value: float
    halves: Floats
    alone: float = 0.0


def bootstrap_mean(
    contributions: Floats,
    random: np.random.Generator,
    draws: int = 1000,
    confidence: float = 0.95,
    people: Numbers | None = None,
) -> tuple[float, float]:
    """Percentile interval for a mean (Efron 1979).

    Args:
        contributions: [n] numbers whose mean is the score.
        random: draws the resamples.
        draws: number of resamples.
        confidence: probability that the interval is to have, in (0, 1).
        people: int64 [n], who is shown, numbers from 0: whole people are drawn, with all their
            pictures. By default single pictures are.

    Returns:
        Its lower and its upper end.
    """
    sums: Floats = contributions
    pictures: Floats = contributions
    if people is not None:
        sums = np.asarray(np.bincount(people, contributions), np.float64)
        pictures = np.bincount(people).astype(np.float64)
    n = len(sums)
    means: list[Floats] = []
    left = draws
    while left:
        now = min(left, max(_AT_ONCE // n, 1))
        some = random.integers(n, size=(now, n))
        if people is None:
            means.append(contributions[some].mean(axis=1))
        else:
            means.append(sums[some].sum(axis=1) / pictures[some].sum(axis=1))
        left -= now
    tail = 50 * (1 - confidence)
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return float(low), float(high)


def averaged(
    contributions: Floats, random: np.random.Generator, people: Numbers | None = None
) -> Estimate:
    """The mean of [n] contributions with its interval."""
    between = bootstrap_mean(contributions, random, people=people)
    return _estimate(float(contributions.mean()), *between)


def linearised(
    measured: Measured,
    random: np.random.Generator,
    within: tuple[float, float] = (-math.inf, math.inf),
    people: Numbers | None = None,
) -> Estimate:
    """A score with its interval, from bootstrap means of the influence of single pictures.

    A resampled picture moves the score by its influence over n. Near the floor single
    pictures matter less than how they lie to each other, and the influences alone would give
    an interval up to √2 times too wide: they are shrunk to the variance that counts each pair
    once. (What pairs add is at most half of the jackknife's variance.)

    Args:
        measured: the score.
        random: draws the resamples.
        within: the least and the greatest value that the score can have.
        people: see `bootstrap_mean`.
    """
    value, influence, second = measured
    jackknife = influence.var(ddof=1) / len(influence)
    twice = min(second / jackknife, 0.5) if jackknife > 0 else 0.0
    low, high = bootstrap_mean(influence * np.sqrt(1 - twice), random, people=people)
    return _estimate(value, max(value + low, within[0]), min(value + high, within[1]))


def halved(measured: Halved) -> Estimate:
    """A share in [0, 1] with its interval, from how much the two halves of a split differ.

    The variance is a + b/n: what points close to each other have in common becomes less with
    more pictures, what each adds alone (a) does not. Halves have a + 2b/n, and their
    difference has twice that, so the variance of all is the mean square of the differences
    over 4, and a/2.
    """
    value, halves, alone = measured
    variance = float(((halves[:, 0] - halves[:, 1]) ** 2).mean()) / 4 + alone / 2
    reach = _NORMAL * math.sqrt(variance)
    return _estimate(value, max(value - reach, 0.0), min(value + reach, 1.0))


def _estimate(value: float, low: float, high: float) -> Estimate:
    # Where nothing varies, rounding alone could put a mean outside its interval.
    return Estimate(value=value, low=min(low, value), high=max(high, value))
