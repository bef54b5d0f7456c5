"""The Fréchet distance between two sets of features, each taken for a Gaussian.

    FD = |μ_r − μ_f|² + tr(Σ_r + Σ_f − 2 (Σ_r Σ_f)^½)

(Dowson & Landau 1982; Heusel et al. 2017, who call it FID in the space of their Inception
network), and FD∞, its limit for infinitely many generated pictures (Chong & Forsyth 2020).

With Σ_r = W Wᵀ, tr (Σ_r Σ_f)^½ is the sum of the square roots of the eigenvalues of the
symmetric Wᵀ Σ_f W. No root of a matrix without symmetry is ever taken, and covariances of
fewer pictures than dimensions need no special care: of n pictures, n − 1 eigenvalues count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facegan.evaluation.deletion import Deletion
from facegan.evaluation.intervals import Measured
from facegan.evaluation.matrices import Features, Floats, blocks, checked, same_dimension
from facegan.evaluation.moments import Moments

# Pairs of pictures whose joint influence is computed: what pairs add to the variance is then
# known to about five per cent.
_PAIRS = 2048
# Singular values below this share of the largest are rounding: no direction belongs to them.
_DIRECTION = 1e-6


class FrechetReference:
    """One set of features, to be compared with many others.

    Args:
        real: moments of the reference, of N ≥ 2 pictures.
    """

    def __init__(self, real: Moments) -> None:
        rank = min(real.count - 1, real.dimension)
        values, vectors = _largest(real.covariance, rank)
        kept = values > np.finfo(np.float64).eps * values[0]
        self._mean = real.mean
        self._trace = float(values.sum())
        self._root: Floats = vectors[:, kept] * np.sqrt(values[kept])  # W [D, rank]

    def distance(self, moments: Moments) -> float:
        """FD between the reference and another set. Raises FaceganError as above."""
        same_dimension(moments.dimension, len(self._mean))
        covariance = moments.covariance
        values = np.linalg.eigvalsh(self._root.T @ covariance @ self._root)[::-1]
        nuclear = np.sqrt(np.maximum(values[: moments.count - 1], 0)).sum()
        gap = moments.mean - self._mean
        return max(float(gap @ gap + self._trace + covariance.trace() - 2 * nuclear), 0.0)

    def measure(
        self, features: Features, random: np.random.Generator, pairs: int = _PAIRS
    ) -> Measured:
        """FD of generated features with the influence of every picture on it.

        The influence of picture x is what leaving it out does to FD, exactly, times n − 1 (a
        formula for all pictures at once, `deletion`, spares n decompositions). For many
        pictures it becomes the influence function of FD,

            IF(x) = 2 (μ_f − μ_r)ᵀ(x − μ_f) + (x − μ_f)ᵀ(I − T)(x − μ_f) − tr((I − T) Σ_f),

        where T is the optimal transport map from the generated Gaussian to the real one. The
        function itself gives intervals up to 1.7 times too wide (in simulations: close to
        the floor, where there are outliers). With what is computed here, and `second`, the
        mean width was 0.9 to 1.2 of what the spread of FD over many draws asks for, with
        fewer pictures than dimensions as well.

        Args:
            features: [n, D], n ≥ 4.
            random: draws pairs of pictures.
            pairs: of how many pairs to compute the joint influence; 0 leaves `second` at 0.

        Raises:
            FaceganError: the features cannot be used (see `matrices.checked`).
        """
        features = checked(features, "generated", least=4)
        same_dimension(features.shape[1], len(self._mean))
        n = len(features)
        mean = features.mean(axis=0, dtype=np.float64)
        gap = mean - self._mean
        singular, directions = self._seen(features, mean)
        kept = singular > _DIRECTION * singular.max(initial=0.0)
        projection = directions[:, kept] / singular[kept]
        deletion = Deletion(singular[kept], n)

        square, along, loss = np.empty(n), np.empty(n), np.empty(n)
        for rows in blocks(n):
            centred = features[rows] - mean
            square[rows] = np.einsum("ij,ij->i", centred, centred)
            along[rows] = centred @ gap
            loss[rows] = deletion.one(centred @ projection)
        sums = _Sums(n, float(gap @ gap), self._trace, float(square.sum()), float(singular.sum()))
        value = max(float(sums.distance(0)), 0.0)
        without = sums.distance(1, along, square, square, loss)
        influence = (n - 1) * (without.mean() - without)
        if not pairs:
            return Measured(value, influence)

        one = random.integers(n, size=pairs)
        two = (one + random.integers(1, n, size=pairs)) % n
        joint, more = np.empty(pairs), np.empty(pairs)
        for rows in blocks(pairs):
            first, second = features[one[rows]] - mean, features[two[rows]] - mean
            joint[rows] = ((first + second) ** 2).sum(axis=1)
            more[rows] = deletion.together(first @ projection, second @ projection)
        without_both = sums.distance(
            2,
            along[one] + along[two],
            square[one] + square[two],
            joint,
            loss[one] + loss[two] + more,
        )
        # What the two do together: zero for a mean over pictures (Efron & Stein 1981).
        together = n * value - (n - 1) * (without[one] + without[two]) + (n - 2) * without_both
        return Measured(value, influence, float((together**2).mean()) / 2)

    def _seen(self, features: Features, mean: Floats) -> tuple[Floats, Floats]:
        """Singular values s [q] of Y = (features − mean) W, and W Q [D, q], for Y = V s Qᵀ.

        Largest first; q = n − 1 or the rank of the reference, whichever is less.
        """
        n, rank = len(features), self._root.shape[1]
        if n - 1 < rank:
            rows = (features - mean) @ self._root
            values, vectors = _largest(rows @ rows.T, n - 1)
            singular = np.sqrt(values)
            right = rows.T @ (vectors / np.where(singular > 0, singular, 1))
        else:
            covariance = Moments.of(features).covariance
            values, right = _largest(self._root.T @ covariance @ self._root, rank)
            singular = np.sqrt(values * (n - 1))
        return singular, self._root @ right


def fd_infinity(
    reference: FrechetReference,
    features: Features,
    random: np.random.Generator,
    whole: Measured | None = None,
    splits: int = 4,
) -> Measured:
    """FD∞: what FD would be of infinitely many generated pictures.

    FD of n pictures is too large by about a constant over n. The straight line in 1/n through
    FD of all n and the mean FD of both halves of them, over several random splits, meets
    1/n = 0 at

        FD∞ = 2 FD(n) − mean FD(n/2).

    Chong & Forsyth (2020) fit the line to 15 sizes from n/10 to n. Halves take every picture
    equally often, and keep to sizes where the line is straight: in simulations with n = 1000
    and D = 1280, sizes from n/5 leave an error as large as half of the bias.

    The value may come out negative where the generated pictures are as good as real.

    Args:
        reference: the real pictures.
        features: [n, D], n ≥ 8.
        random: splits the pictures.
        whole: `reference.measure(features, …)`, where it is known already.
        splits: how often to split.

    Raises:
        FaceganError: the features cannot be used (see `matrices.checked`).
    """
    features = checked(features, "generated", least=8)
    n = len(features)
    whole = whole or reference.measure(features, random)
    value, influence = 2 * whole.value, 2 * whole.influence
    for _ in range(splits):
        for half in np.array_split(random.permutation(n), 2):
            part = reference.measure(features[half], random, pairs=0)
            value -= part.value / (2 * splits)
            influence[half] -= part.influence / splits
    # A pair counts 2 in the whole and 2 in a half that has both. Over random splits, the
    # square of its coefficient is 1 + 1/splits on average.
    return Measured(value, influence, whole.second * (1 + 1 / splits))


@dataclass(frozen=True)
class _Sums:
    """What FD of n generated pictures is made of, and FD when some are left out.

    Attributes:
        n: how many pictures.
        gap: |μ_f − μ_r|².
        trace: tr Σ_r.
        scatter: (n − 1) tr Σ_f.
        nuclear: √(n − 1) tr (Σ_r Σ_f)^½, the sum of singular values of (x − μ_f) W.
    """

    n: int
    gap: float
    trace: float
    scatter: float
    nuclear: float

    def distance(
        self,
        out: int,
        along: Floats | float = 0.0,
        own: Floats | float = 0.0,
        joint: Floats | float = 0.0,
        loss: Floats | float = 0.0,
    ) -> Floats:
        """FD without `out` pictures, for any number of choices of them at once.

        Args:
            out: how many pictures are left out.
            along: [m], the sum of their (x − μ_f)ᵀ(μ_f − μ_r).
            own: [m], the sum of their |x − μ_f|².
            joint: [m], |the sum of their (x − μ_f)|².
            loss: [m], what leaving them out takes from `nuclear`.
        """
        left = self.n - out
        gap = self.gap - 2 * np.asarray(along) / left + np.asarray(joint) / left**2
        scatter = self.scatter - np.asarray(own) - np.asarray(joint) / left
        nuclear = (self.nuclear - np.asarray(loss)) / np.sqrt(left - 1)
        return np.asarray(gap + self.trace + scatter / (left - 1) - 2 * nuclear)


def _largest(symmetric: Floats, count: int) -> tuple[Floats, Floats]:
    """The `count` largest eigenvalues, none below 0, and their vectors as columns.

    Largest first. A reference's W sorted so makes Wᵀ Σ W small towards its end, and rounding
    errors as small there as the entries: eigenvalues keep their digits over all scales.
    """
    values, vectors = np.linalg.eigh(symmetric)
    return np.maximum(values[::-1][:count], 0), vectors[:, ::-1][:, :count]
