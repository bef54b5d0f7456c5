"""The kernel distance between two sets of features (Bińkowski et al. 2018).

    KID = mean k(x, x') over pairs x ≠ x' + mean k(y, y') over pairs y ≠ y' − 2 mean k(x, y)
    k(x, y) = (x·y / D + 1)³

for generated features x and real features y: the squared maximum mean discrepancy without
bias, over all pictures at once instead of a mean over random subsets of 1000. On average it
does not depend on how many pictures there are, and it may come out below zero.

Everything is float64: the three means are close to each other, and products in float32 would
leave their difference two or three digits.
"""

from __future__ import annotations

import numpy as np

from facegan.evaluation.intervals import Measured
from facegan.evaluation.matrices import Features, Floats, blocks, checked, same_dimension


def kid(real: Features, fake: Features) -> float:
    """KID of generated features [N, D] beside real ones [R, D]; N ≥ 4, R ≥ 2, of any sizes.

    Raises:
        FaceganError: features cannot be used (see `matrices.checked`).
    """
    return KernelReference(real).measure(fake).value


class KernelReference:
    """Real features, to be compared with many sets. Memory stays under 100 MB beside them.

    Args:
        real: [R, D], R ≥ 2.

    Raises:
        FaceganError: they cannot be used (see `matrices.checked`).
    """

    def __init__(self, real: Features) -> None:
        self._real = checked(real, "real")
        sums, _ = _sums(self._real)
        self._within = float(sums.mean()) / (len(real) - 1)

    def measure(self, features: Features) -> Measured:
        """KID of generated features with the influence of every picture on it.

        As for every mean over pairs, leaving out picture i changes it by what the sums of its
        row of kernel values say.

        Args:
            features: [n, D], n ≥ 4.

        Raises:
            FaceganError: they cannot be used (see `matrices.checked`).
        """
        features = checked(features, "generated", least=4)
        same_dimension(features.shape[1], self._real.shape[1])
        n = len(features)
        sums, squares = _sums(features)
        across = _means_across(features, self._real)
        within = float(sums.mean()) / (n - 1)
        value = within + self._within - 2 * float(across.mean())
        influence = 2 * (n - 1) / (n - 2) * (sums / (n - 1) - within)
        influence -= 2 * (across - across.mean())
        return Measured(value, influence, _second(sums, squares))


def _kernel(x: Floats, y: Floats) -> Floats:
    """k between all rows of two matrices."""
    linear = x @ y.T
    linear /= x.shape[1]
    linear += 1
    return linear * linear * linear


def _sums(features: Features) -> tuple[Floats, float]:
    """For each row i, the sum of k(xᵢ, xⱼ) over j ≠ i; and the sum of all their squares."""
    n = len(features)
    sums, squares = np.zeros(n), 0.0
    for rows in blocks(n):
        x = features[rows].astype(np.float64)
        own = _kernel(x, x)
        np.fill_diagonal(own, 0)
        sums[rows] += own.sum(axis=1)
        squares += float(np.vdot(own, own))
        # What is above the diagonal counts for what is below it, too.
        for columns in blocks(n, start=rows.stop):
            values = _kernel(x, features[columns].astype(np.float64))
            sums[rows] += values.sum(axis=1)
            sums[columns] += values.sum(axis=0)
            squares += 2 * float(np.vdot(values, values))
    return sums, squares


def _means_across(features: Features, real: Features) -> Floats:
    """For each generated feature, the mean of k with all real ones."""
    sums = np.zeros(len(features))
    for columns in blocks(len(real)):
        y = real[columns].astype(np.float64)
        for rows in blocks(len(features)):
            sums[rows] += _kernel(features[rows].astype(np.float64), y).sum(axis=1)
    return sums / len(real)


def _second(sums: Floats, squares: float) -> float:
    """The variance that pairs add to the mean of k over pairs.

    That is 2 / (n (n − 1)) times the mean square of what is left of k(x, x') when the parts
    of x and of x' alone are taken away.
    """
    n = len(sums)
    alone = sums / (n - 1) - sums.mean() / (n - 1) / 2
    left = squares - 4 * float(alone @ sums)
    left += 2 * (n - 2) * float(alone @ alone) + 2 * float(alone.sum()) ** 2
    return 2 * max(left, 0.0) / (n * (n - 1)) ** 2
