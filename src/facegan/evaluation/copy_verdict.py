"""What a search for copies found, and whether chance explains it.

The yardstick is real pictures that are copies of nothing: each is looked up among those of all
*other* people. One in 500 of them matches at least as unusually as the *level*; so would one in
500 generated pictures, were nothing copied. Two tests say whether it is more, and neither has a
multiple of chance in it that somebody chose:

- *Chance*: the probability that so many generated pictures reach the level, if generated and real
  pictures were drawn from one pool (exact, hypergeometric: the level itself comes from a sample).
- *Sides*: training pictures may have been copied, held-out ones cannot have been. A picture that
  reaches the level by chance matches either with the share that the split has. The probability
  that so few match the holdout (exact, binomial) tells copies from pictures that merely
  resemble everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facegan.evaluation.copy_search import Matches
from facegan.evaluation.copy_views import WHOLE, Part
from facegan.evaluation.results import CopySearchResult, CopyVerdict

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# One real picture in so many reaches the level.
ONE_IN = 500
# Below these, chance and the sides explain what was found no longer.
_CHANCE, _SIDES = 0.01, 0.05


@dataclass(frozen=True)
class Yardstick:
    """How unusual the matches of real pictures with other people's are.

    Attributes:
        middle: float64 [parts], their median in each part.
        spread: float64 [parts], their quartiles' distance, as that of a normal distribution with
            standard deviation 1 would be.
        scores: float64 [M], ascending: of each real picture in the part where it matches best.
    """

    middle: Floats
    spread: Floats
    scores: Floats

    @classmethod
    def of(cls, scores: npt.NDArray[np.floating]) -> Yardstick:
        """From the scores [M, parts] of real pictures."""
        low, middle, high = np.quantile(scores.astype(np.float64), (0.25, 0.5, 0.75), axis=0)
        spread = np.maximum((high - low) / 1.349, 1e-6)
        return cls(middle, spread, np.sort(((scores - middle) / spread).max(1)))

    @property
    def reached(self) -> int:
        """How many of the real pictures reach the level."""
        return max(len(self.scores) // ONE_IN, 1)

    @property
    def level(self) -> float:
        """What one real picture in 500 reaches."""
        return float(self.scores[-self.reached])

    def best(self, matches: Matches) -> Best:
        """The part in which each picture matches most unusually, the whole where that is enough."""
        scores = (matches.score - self.middle) / self.spread
        part = scores.argmax(1)
        return Best(scores.max(1), np.where(scores[:, 0] >= self.level, 0, part))

    def as_unusual(self, scores: Floats) -> Floats:
        """The share of real pictures that match as unusually as each of [N] scores."""
        return 1 - np.searchsorted(self.scores, scores, "left") / len(self.scores)


class Best(NamedTuple):
    """Of N pictures.

    Attributes:
        score: float64 [N], as in `Yardstick.scores`.
        part: int64 [N], in which part.
    """

    score: Floats
    part: Numbers


def search_result(
    yardstick: Yardstick, matches: Matches, parts: tuple[Part, ...], held_out: Flags
) -> CopySearchResult:
    """Count the matches that reach the level, and judge them.

    Args:
        yardstick: of real pictures. Its first part is the whole picture.
        matches: of n generated pictures, n ≥ 1.
        parts: that were looked at.
        held_out: bool [R], which of the pictures that were searched are held out.
    """
    n = len(matches.score)
    best = yardstick.best(matches)
    found = np.flatnonzero(best.score >= yardstick.level)
    row = matches.row[found, best.part[found]]
    views = [
        parts[part].close[matches.view[i, part]]
        for i, part in zip(found, best.part[found], strict=True)
    ]
    to_holdout, share = int(held_out[row].sum()), float(held_out.mean())
    by_chance = chance(len(found), n, yardstick.reached, len(yardstick.scores))
    by_side = sides(to_holdout, len(found), share)
    copied = ~held_out[row]
    names = [parts[part].name for part in best.part[found][copied]]
    return CopySearchResult(
        n=n,
        real=len(yardstick.scores),
        one_in=ONE_IN,
        expected=n * yardstick.reached / (len(yardstick.scores) + 1),
        to_train=len(found) - to_holdout,
        to_holdout=to_holdout,
        holdout_share=share,
        chance=by_chance,
        sides=by_side,
        mirrored=sum(view.mirrored for view, one in zip(views, copied, strict=True) if one),
        moved=sum(view.moved for view, one in zip(views, copied, strict=True) if one),
        parts={name: names.count(name) for name in dict.fromkeys([WHOLE, *names]) if name in names},
        verdict=verdict(by_chance, by_side, to_holdout),
    )


def chance(found: int, n: int, reached: int, real: int) -> float:
    """P(`found` or more of n new pictures exceed the `reached`-th highest of `real` others).

    If all are exchangeable: of the highest `found` + `reached` − 1 of both kinds, `found` or more
    are new.
    """
    if not found:
        return 1.0
    from scipy import stats  # takes half as long to import as PyTorch

    drawn = found + reached - 1
    return float(stats.hypergeom.sf(found - 1, n + real, n, min(drawn, n + real)))


def sides(to_holdout: int, found: int, share: float) -> float:
    """P(at most `to_holdout` of `found` matches fall on a side that has this share)."""
    from scipy.special import bdtr

    return float(bdtr(to_holdout, found, share)) if found else 1.0


def verdict(chance: float, sides: float, to_holdout: int) -> CopyVerdict:
    """`chance`; `copied`; `typical`, the holdout has its share; `unclear`, too few to tell."""
    if chance >= _CHANCE:
        return "chance"
    if sides < _SIDES:
        return "copied"
    return "typical" if to_holdout else "unclear"
