"""Precision, recall, density, coverage: do two sets of features lie in the same places?

Around each picture of a set there is a ball that reaches to its k-th nearest neighbour in the
set. Together the balls stand for where the set lies.

    precision = share of generated pictures in some ball of a real one
    recall    = share of real pictures in some ball of a generated one
    density   = mean, over the generated pictures, of (real balls that they are in) / k
    coverage  = share of real pictures whose ball holds a generated picture

(Kynkäänniemi et al. 2019; Naeem et al. 2020, whose package `prdc` gives the same numbers.)
A picture is not its own neighbour, an equal one is. Balls are open: their rim is outside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError
from facegan.evaluation.intervals import Halved, Measured
from facegan.evaluation.matrices import Features, Floats, blocks, checked, same_dimension
from facegan.evaluation.neighbours import neighbours_within, squared_distances

# Neighbours that a ball reaches over.
K = 5
# Squared distances that agree to this are equal: the picture stands on the rim.
_RIM = 1 - 1e-8
# How often the generated pictures are split in two for recall's interval: its width is then
# known to about a sixth.
_SPLITS = 16
# Of a set's neighbours looked at for the k-th one in the same half: fewer than k are there by a
# chance of 1e-6 with 5 of 40, and then the half is searched.
_AHEAD = 8


class Manifold(NamedTuple):
    """Where generated pictures lie, with what the interval of each score needs.

    Attributes:
        precision: float64 [n], 0 or 1 for each generated picture: the score is the mean.
        recall: the score, of all pictures and of halves; None where it was not wanted.
        density: float64 [n], zero or more for each generated picture: the score is the mean.
        coverage: the score with the influence of each generated picture.
    """

    precision: Floats
    recall: Halved | None
    density: Floats
    coverage: Measured


class ManifoldReference:
    """Real features with their balls.

    Args:
        real: [R, D], R > k.
        k: to which neighbour a ball reaches.

    Raises:
        FaceganError: they cannot be used (see `matrices.checked`), or k is not in [1, R − 1].
    """

    def __init__(self, real: Features, k: int = K) -> None:
        self._real, self._k = checked(real, "real"), k
        self._centre = self._real.mean(axis=0, dtype=np.float64)
        self._radii = squared_radii(self._real, k)[0]

    def measure(
        self, features: Features, random: np.random.Generator, recall: bool = True
    ) -> Manifold:
        """Place generated features among the real ones.

        Memory beside both stays under 200 MB.

        Args:
            features: [n, D]; n ≥ 2k + 2 with recall, since balls are drawn in halves as well.
            random: splits the pictures.
            recall: whether to compute it: it alone needs balls of generated pictures, and
                takes most of the time.

        Raises:
            FaceganError: they cannot be used (see `matrices.checked`), or are too few.
        """
        least = 2 * self._k + 2 if recall else 2
        features = checked(features, "generated", least)
        same_dimension(features.shape[1], self._real.shape[1])
        n, real = len(features), len(self._real)
        balls = _Balls(features, self._k, random, real) if recall else None
        inside_of, cover = np.zeros(n), _Cover(n)
        for rows in blocks(real):
            inside = np.empty((rows.stop - rows.start, n), bool)
            for columns in blocks(n):
                squares = squared_distances(self._real[rows], features[columns], self._centre)
                inside[:, columns] = squares < self._radii[rows, None] * _RIM
                if balls is not None:
                    balls.look(squares, rows, columns)
            inside_of += inside.sum(axis=0)
            cover.look(inside)
        return Manifold(
            precision=(inside_of > 0).astype(np.float64),
            recall=None if balls is None else balls.recall(),
            density=inside_of / self._k,
            coverage=cover.coverage(),
        )


def squared_radii(features: Features, k: int, parts: npt.NDArray[np.bool_] | None = None) -> Floats:
    """The squared distance of each of N features to its k-th nearest other in the same part.

    Args:
        features: [N, D].
        k: which neighbour.
        parts: bool [P, N], each row dividing the set in two; by default one that does not.

    Returns:
        float64 [P, N].

    Raises:
        FaceganError: k is not in [1, N − 1].
    """
    n = len(features)
    if not 1 <= k < n:
        raise FaceganError(
            f"{n} pictures have no {k} nearest neighbours each.",
            "Take more pictures than neighbours, and one neighbour or more.",
        )
    if parts is None:
        parts = np.ones((1, n), bool)
    whole = parts.all()
    found = neighbours_within(features, np.arange(n), k if whole else min(_AHEAD * k, n - 1))
    radii = np.empty(parts.shape)
    for row, part in zip(radii, parts, strict=True):
        # Neighbours in order, of which those in the same part count.
        count = np.cumsum(part[found.indices] == part[:, None], axis=1)
        place = (count < k).sum(axis=1)
        far = place == found.distances.shape[1]
        row[~far] = found.distances[~far, place[~far]] ** 2
        for side in (True, False):
            here = np.flatnonzero(part == side)
            some = np.flatnonzero(far[here])
            if len(some):
                row[here[some]] = neighbours_within(features[here], some, k).distances[:, -1] ** 2
    return radii


class _Balls:
    """Recall: the balls of the generated pictures, of all and of halves, and what is in them."""

    def __init__(self, features: Features, k: int, random: np.random.Generator, real: int) -> None:
        n = len(features)
        self._first = np.ones((1 + _SPLITS, n), bool)
        for first in self._first[1:]:
            first[np.array_split(random.permutation(n), 2)[1]] = False
        self._radii = squared_radii(features, k, self._first)
        self._hit = np.zeros((1 + _SPLITS, 2, real), bool)

    def look(self, squares: Floats, rows: slice, columns: slice) -> None:
        """Take in distances of some real pictures to some generated ones."""
        for radii, first, hit in zip(self._radii, self._first, self._hit, strict=True):
            inside = squares < radii[columns] * _RIM
            hit[0, rows] |= (inside & first[columns]).any(axis=1)
            hit[1, rows] |= (inside & ~first[columns]).any(axis=1)

    def recall(self) -> Halved:
        """The share of real pictures seen that lie in some ball."""
        shares = self._hit.mean(axis=2)
        differ = float((self._hit[1:, 0] != self._hit[1:, 1]).mean())
        return Halved(float(shares[0, 0]), shares[1:], differ / 2 / self._hit.shape[2])


class _Cover:
    """Coverage: which generated pictures are the only ones, or two, in a real one's ball."""

    def __init__(self, n: int) -> None:
        self._n, self._real, self._covered = n, 0, 0
        self._only = np.zeros(n)  # real pictures that a generated one alone covers
        self._pairs: list[npt.NDArray[np.int64]] = []  # that two cover: those two

    def look(self, inside: npt.NDArray[np.bool_]) -> None:
        """Take in which generated pictures are in the balls of some real ones, bool [m, n]."""
        many = inside.sum(axis=1)
        self._real += len(inside)
        self._covered += int((many > 0).sum())
        self._only += inside[many == 1].sum(axis=0)
        self._pairs.append(np.nonzero(inside[many == 2])[1].reshape(-1, 2))

    def coverage(self) -> Measured:
        """Without picture i, what it alone covers is lost; without two, what they share too."""
        n, only = self._n, self._only / self._real
        pairs, shared = np.unique(np.concatenate(self._pairs), axis=0, return_counts=True)
        alone = only[pairs].sum(axis=1)
        # The sum of squares of what two do together, over all pairs (see `Measured`): of those
        # that share nothing at once, then what sharing changes.
        together = (n - 2) * float(only @ only) + float(only.sum()) ** 2
        together += float(((alone - (n - 2) * shared / self._real) ** 2 - alone**2).sum())
        return Measured(
            self._covered / self._real,
            (n - 1) * (only - only.mean()),
            together / (n * (n - 1)),
        )
