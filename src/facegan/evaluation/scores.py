"""All scores of generated features beside those of as many real ones."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, get_args

from facegan.errors import FaceganError, nearest
from facegan.evaluation.frechet import FrechetReference, fd_infinity
from facegan.evaluation.intervals import Numbers, averaged, halved, linearised
from facegan.evaluation.kernel import KernelReference
from facegan.evaluation.manifold import ManifoldReference
from facegan.evaluation.matrices import Features, checked, same_dimension
from facegan.evaluation.moments import Moments
from facegan.evaluation.results import Estimate, Score, ScoreName
from facegan.seeding import BOOTSTRAP, random

# The order also decides which random numbers a score uses: append, never reorder.
_NAMES: tuple[ScoreName, ...] = get_args(ScoreName)
# Halves of fewer have no five nearest neighbours, and their scores mean nothing.
_LEAST = 12


Estimates = dict[ScoreName, Estimate]
Keep = Callable[[str, Callable[[], Estimates]], Estimates]


class OtherPeople(NamedTuple):
    """Features of real pictures, divided by who is shown.

    Attributes:
        reference: [R, D].
        real: [n, D], of people none of whom is in the reference.
        people: int64 [n], who is shown in `real`, numbers from 0.
    """

    reference: Features
    real: Features
    people: Numbers


class Scorer:
    """Compares generated features with one reference, any number of times.

    All that depends on the real pictures alone is computed once, here: what the scores keep
    of the reference, and the floor.

    Args:
        reference: [R, D], features of the reference.
        real: [n, D], of as many real pictures as will be generated, none of them in the
            reference: the floor.
        wanted: scores to compute. What the others would cost is not spent.
        seed: of the bootstrap.
        others: where it is known who is shown: a second floor, of people none of whom is in its
            reference.
        keep: calls what computes a floor, or gives what it gave before: floors depend on real
            pictures alone. It is told which floor: `same` or `others`.

    Raises:
        FaceganError: features cannot be used (see `matrices.checked`), are fewer than 12, or
            have different dimensions; a score has no such name.
    """

    def __init__(
        self,
        reference: Features,
        real: Features,
        wanted: Collection[ScoreName],
        seed: int,
        others: OtherPeople | None = None,
        keep: Keep = lambda which, make: make(),
    ) -> None:
        for name in wanted:
            if name not in _NAMES:
                raise FaceganError(f"There is no score {name!r}.", nearest(name, _NAMES))
        self._wanted, self._seed = frozenset(wanted), seed
        self._reference = _Reference(reference, self._wanted)
        self._n, self._dimension = checked(real, "real", _LEAST).shape
        same_dimension(self._dimension, checked(reference, "reference", _LEAST).shape[1])
        self._floor = keep("same", lambda: self._reference.estimates(real, seed))
        self._others: Estimates = {}
        if others is not None:
            known = others

            def measure_others() -> Estimates:
                apart = _Reference(known.reference, self._wanted)
                return apart.estimates(known.real, seed, known.people)

            self._others = keep("others", measure_others)

    def scores(self, generated: Features) -> dict[ScoreName, Score]:
        """Every wanted score of generated features [n, D] beside its floors.

        A ratio is generated over real. It is None where the floor cannot be told from
        zero: where the lower end of its interval is zero or less.

        Raises:
            FaceganError: they cannot be used (see `matrices.checked`), or are not as many as
                the floor's.
        """
        generated = checked(generated, "generated", _LEAST)
        same_dimension(generated.shape[1], self._dimension)
        if len(generated) != self._n:
            raise FaceganError(
                f"There are {len(generated)} generated pictures and {self._n} real ones.",
                "Scores depend on how many pictures there are: take as many of both.",
            )
        found = self._reference.estimates(generated, self._seed)
        return {
            name: Score(
                generated=found[name],
                real=floor,
                ratio=_ratio(found[name], floor),
                others=self._others.get(name),
                ratio_others=_ratio(found[name], self._others.get(name)),
            )
            for name, floor in self._floor.items()
        }


class _Reference:
    """What the wanted scores keep of a reference [R, D]."""

    def __init__(self, features: Features, wanted: frozenset[ScoreName]) -> None:
        features = checked(features, "reference", _LEAST)
        self._wanted, self._dimension = wanted, features.shape[1]
        self._frechet = self._kernel = self._manifold = None
        if wanted & {"fd", "fd_infinity"}:
            self._frechet = FrechetReference(Moments.of(features))
        if "kid" in wanted:
            self._kernel = KernelReference(features)
        if wanted & {"precision", "recall", "density", "coverage"}:
            self._manifold = ManifoldReference(features)

    def estimates(self, features: Features, seed: int, people: Numbers | None = None) -> Estimates:
        """Every wanted score of features [n, D]; intervals over `people`, where they are given."""
        same_dimension(features.shape[1], self._dimension)
        # The same draws for every row: equal features have equal scores and intervals.
        drawn = {name: random(seed, BOOTSTRAP, number) for number, name in enumerate(_NAMES)}
        found: Estimates = {}
        if self._frechet is not None:
            whole = self._frechet.measure(features, drawn["fd"])
            if "fd" in self._wanted:
                found["fd"] = linearised(whole, drawn["fd"], people=people)
            if "fd_infinity" in self._wanted:
                limit = fd_infinity(self._frechet, features, drawn["fd_infinity"], whole)
                found["fd_infinity"] = linearised(limit, drawn["fd_infinity"], people=people)
        if self._kernel is not None:
            measured = self._kernel.measure(features)
            found["kid"] = linearised(measured, drawn["kid"], people=people)
        if self._manifold is not None:
            placed = self._manifold.measure(features, drawn["recall"], "recall" in self._wanted)
            if "precision" in self._wanted:
                found["precision"] = averaged(placed.precision, drawn["precision"], people)
            if placed.recall is not None:
                found["recall"] = halved(placed.recall)
            if "density" in self._wanted:
                found["density"] = averaged(placed.density, drawn["density"], people)
            if "coverage" in self._wanted:
                found["coverage"] = linearised(
                    placed.coverage, drawn["coverage"], (0.0, 1.0), people
                )
        return {name: found[name] for name in _NAMES if name in found}


def _ratio(generated: Estimate, floor: Estimate | None) -> float | None:
    return generated.value / floor.value if floor is not None and floor.low > 0 else None
