"""How close to the training set, compared with held-out faces, and how much is chance.

Only distances come in: of generated and of held-out pictures, each to the nearest training
picture. All comparisons are of ranks, so that the unit of distance does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facegan.evaluation.results import Estimate
from facegan.seeding import BOOTSTRAP, random

Distances = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

DRAWS = 2_000
# A picture is near where at most one in so many held-out pictures is as close.
_ONE_IN = 100
# Which numbers of the stream each use takes; a hundred and up, apart from those of the scores.
_SHARE, _SHARE_BY_PERSON, _NULL = 100, 101, 102


def closer(generated: Distances, held_out: Distances) -> float:
    """Probability that a generated picture is closer than a held-out one; ties count half.

    P(d_g < d_h) + P(d_g = d_h) / 2 over all pairs: the Mann-Whitney U statistic over n · m.
    It is the statistic of Meehan, Chaudhuri and Dasgupta, "A non-parametric test to detect
    data-copying in generative models" (2020), over the whole space and with the sign turned:
    theirs falls with copying.

    Args:
        generated: float64 [n].
        held_out: float64 [m].
    """
    ordered = np.sort(held_out)
    at_most = np.searchsorted(ordered, generated, "right")
    below = np.searchsorted(ordered, generated, "left")
    return float(1 - (at_most + below).mean() / (2 * len(ordered)))


def as_close(generated: Distances, held_out: Distances) -> npt.NDArray[np.int64]:
    """How many held-out pictures are as close as each generated one or closer: int64 [n]."""
    return np.searchsorted(np.sort(held_out), generated, "right")


def is_near(generated: Distances, held_out: Distances) -> Flags:
    """Which generated pictures are closer than 99 % of the held-out ones: bool [n]."""
    return _ONE_IN * as_close(generated, held_out) <= len(held_out)


def near_expected(n: int, held_out: int) -> float:
    """How many of n pictures are near by chance, if they are like the held-out ones.

    A new picture takes each of the m + 1 places among m held-out ones equally often, and the
    first ⌊m / 100⌋ + 1 of them are near.
    """
    return n * (held_out // _ONE_IN + 1) / (held_out + 1)


def first_expected(n: int, held_out: int) -> float:
    """How many of n pictures are closer than every held-out one, by chance."""
    return n / (held_out + 1)


@dataclass(frozen=True)
class Null:
    """What the statistics are when nothing is copied.

    Attributes:
        closer: float64 [2000], draws of `closer`.
        near: int64 [2000], draws of the number of near pictures.
        first: int64 [2000], draws of the number of pictures closer than every held-out one.
        untied: standard deviation of `closer` were all distances different and all people too.
    """

    closer: Distances
    near: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    untied: float

    def z(self, found: float) -> float:
        """`found`, a value of `closer`, in standard deviations from the mean of the draws."""
        # Where all held-out pictures are equally close, the draws do not vary at all.
        return (found - float(self.closer.mean())) / (float(self.closer.std()) or self.untied)


def null(held_out: Distances, people: npt.NDArray[np.int64], n: int, seed: int) -> Null:
    """Draw held-out pictures in the place of generated ones, against other held-out ones.

    Each draw takes n pictures, one by one, as a generator makes them, and for the other side
    as many people as the holdout shows, with all their pictures: pictures of one person
    resemble each other, and a holdout of few people says less than its size promises. Both
    are drawn with replacement, so n may exceed the size of the holdout.

    Args:
        held_out: float64 [m], distances of the held-out pictures.
        people: int64 [m], who is shown: numbers from 0, each of which occurs.
        n: how many generated pictures there are.
        seed: of the draws.
    """
    values, place = np.unique(held_out, return_inverse=True)
    pictures = np.bincount(place)
    count = int(people.max()) + 1
    generator = random(seed, BOOTSTRAP, _NULL)
    drawn = np.empty(DRAWS)
    near, first = np.empty((2, DRAWS), np.int64)
    for i in range(DRAWS):
        times = np.bincount(generator.integers(count, size=count), minlength=count)
        held = np.bincount(place, times[people], len(values))
        at_most = held.cumsum()
        generated = generator.multinomial(n, pictures / len(place))
        drawn[i] = 1 - generated @ (at_most - held / 2) / (n * at_most[-1])
        near[i], first[i] = (
            # New pictures hardly ever fall on the border, drawn ones do: half belong inside.
            generated[:border].sum() + generator.binomial(generated[border], 0.5)
            for border in np.searchsorted(at_most, (at_most[-1] / _ONE_IN, 0), "right")
        )
    untied = np.sqrt((n + len(place) + 1) / (12 * n * len(place)))
    return Null(drawn, near, first, float(untied))


def share(flags: Flags, seed: int) -> Estimate:
    """The share of true flags, of pictures made one by one, with its bootstrap interval."""
    value = float(flags.mean())
    draws = random(seed, BOOTSTRAP, _SHARE).binomial(len(flags), value, DRAWS) / len(flags)
    return _estimate(value, draws)


def share_by_person(flags: Flags, people: npt.NDArray[np.int64], seed: int) -> Estimate:
    """The same for pictures of people: the bootstrap draws people, with all their pictures."""
    pictures, true = np.bincount(people), np.bincount(people, flags)
    generator = random(seed, BOOTSTRAP, _SHARE_BY_PERSON)
    draws = np.empty(DRAWS)
    for i in range(DRAWS):
        some = generator.integers(len(pictures), size=len(pictures))
        draws[i] = true[some].sum() / pictures[some].sum()
    return _estimate(float(flags.mean()), draws)


def _estimate(value: float, draws: Distances) -> Estimate:
    low, high = np.quantile(draws, (0.025, 0.975))
    return Estimate(value=value, low=float(low), high=float(high))
