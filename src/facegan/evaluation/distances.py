"""Squared Euclidean distances between features, right for copies and near copies, too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError
from facegan.evaluation.matrices import Features, Floats, blocks

# Squared distances below this share of the squared lengths are computed again, from the
# differences: so little is left of x² + y² − 2xy there that rounding shows.
_CLOSE = 1e-6
# Differences held at a time: 32 MB.
_AT_ONCE = 4_000_000


def squared_distances(x: Features, y: Features, centre: Floats) -> Floats:
    """Between all rows of two small matrices, to about eight digits or more.

    Args:
        x: [n, D].
        y: [m, D].
        centre: [D], a point amid the features: the nearer it is, the less cancels.

    Returns:
        float64 [n, m]; 0 exactly where rows are equal.
    """
    a, b = x - centre, y - centre
    lengths = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    squares = a @ b.T
    squares *= -2
    squares += lengths
    close = squares < _CLOSE * lengths
    if close.any():
        first, second = np.nonzero(close & ~_equal(x, y))
        squares[close] = 0
        step = max(_AT_ONCE // x.shape[1], 1)
        for start in range(0, len(first), step):
            one, two = first[start : start + step], second[start : start + step]
            difference = a[one] - b[two]
            squares[one, two] = np.einsum("ij,ij->i", difference, difference)
    return squares


def squared_radii(features: Features, k: int) -> Floats:
    """The squared distance of each of N features to its k-th nearest other, float64 [N].

    Raises:
        FaceganError: k is not in [1, N − 1].
    """
    n = len(features)
    if not 1 <= k < n:
        raise FaceganError(
            f"{n} pictures have no {k} nearest neighbours each.",
            "Take more pictures than neighbours, and one neighbour or more.",
        )
    centre = features.mean(axis=0, dtype=np.float64)
    radii = np.empty(n)
    for rows in blocks(n):
        nearest = np.full((rows.stop - rows.start, k), np.inf)
        for columns in blocks(n):
            squares = squared_distances(features[rows], features[columns], centre)
            if rows == columns:
                np.fill_diagonal(squares, np.inf)
            candidates = np.concatenate([nearest, squares], axis=1)
            nearest = np.partition(candidates, k - 1, axis=1)[:, :k]
        radii[rows] = nearest.max(axis=1)
    return radii


def _equal(x: Features, y: Features) -> npt.NDArray[np.bool_]:
    """Which rows of two matrices are the same, bool [len(x), len(y)].

    A generator that makes one picture only would otherwise have all its pairs subtracted.
    """
    numbers: dict[bytes, int] = {}
    a, b = (
        np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows])
        for rows in (x, y)
    )
    return a[:, None] == b
