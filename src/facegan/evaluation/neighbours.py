"""Exact distances and nearest neighbours of feature vectors, near zero as well.

|x − y|² = |x|² + |y|² − 2 x·y is fast, being one matrix product, but it cannot tell a copy from a
picture that is nearly one: the terms cancel. So where rounding could show, distances are computed
again, from the differences, in float64. A search takes its candidates from products in float32;
distances of all pairs are products in float64, and only near pairs are subtracted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError
from facegan.evaluation.matrices import Features, Floats

Numbers = npt.NDArray[np.int64]

# Candidates beyond the k wanted: rounding would have to move a neighbour past all of them.
_SPARE = 8
# Sides of a block of the product, and values in a block of either set: 40 MB at most each.
_ROWS, _COLUMNS, _VALUES = 512, 8192, 1 << 22
# Squared distances below this share of the squared lengths are taken from the differences: so
# little is left of x² + y² − 2xy there that rounding shows, in float64 as well.
_CLOSE = 1e-6


class Neighbours(NamedTuple):
    """The nearest of a set to each vector, nearest first.

    Attributes:
        distances: float64 [n, k], Euclidean; infinite where there are fewer than k.
        indices: int64 [n, k], rows of the set; −1 where there are fewer than k. Of equally
            near ones the lower index comes first.
    """

    distances: Floats
    indices: Numbers


def neighbours(
    x: Features,
    y: Features,
    k: int = 1,
    x_group: npt.ArrayLike | None = None,
    y_group: npt.ArrayLike | None = None,
) -> Neighbours:
    """The k nearest rows of `y` to each row of `x`.

    Memory beside the inputs and the result stays under 200 MB, whatever n and m.

    Args:
        x: float32 or float64 [n, D], finite.
        y: the same [m, D].
        k: how many, 1 or more.
        x_group: whole numbers [n]. Rows of `x` and `y` with the same number are not each
            other's neighbours: the same picture, or pictures of one person.
        y_group: whole numbers [m].

    Raises:
        FaceganError: the sets do not fit each other, or hold values that are not finite.
    """
    groups = None
    if x_group is not None and y_group is not None:
        groups = np.asarray(x_group, np.int64), np.asarray(y_group, np.int64)
    _check(x, y, k, groups)
    keep = min(k + _SPARE, len(y))
    which, bound = _candidates(x, y, keep, groups, np.float32)
    found = _measured(x, y, which, k)
    # Where rounding may have hidden a neighbour among those left out, products in float64.
    unsure = np.flatnonzero(bound <= found.distances[:, -1] ** 2)
    if len(unsure):
        rows = None if groups is None else (groups[0][unsure], groups[1])
        which, _ = _candidates(x[unsure], y, keep, rows, np.float64)
        again = _measured(x[unsure], y, which, k)
        found.distances[unsure], found.indices[unsure] = again
    return found


def neighbours_within(features: Features, rows: Numbers, k: int = 1) -> Neighbours:
    """The k nearest others in one set, for some of its rows.

    Args:
        features: float32 or float64 [m, D], finite.
        rows: int64 [n], which rows of `features` to search for; a row is not its own neighbour,
            an equal one is.
        k: how many, 1 or more.
    """
    return neighbours(features[rows], features, k, rows, np.arange(len(features)))


def _candidates(
    x: Features,
    y: Features,
    keep: int,
    groups: tuple[Numbers, Numbers] | None,
    precision: type[np.float32] | type[np.float64],
) -> tuple[Numbers, Floats]:
    """The `keep` nearest by matrix products.

    Returns:
        int64 [n, keep], rows of y in no order, −1 where there are fewer; and float64 [n], what
        the squared distance of all others certainly exceeds.
    """
    n, dimension = x.shape
    squared = np.full((n, keep), np.inf)
    which = np.full((n, keep), -1, np.int64)
    # Distances do not depend on the origin; the nearer it is, the less cancels.
    origin = y[:: len(y) // 4096 + 1].mean(axis=0, dtype=np.float64).astype(precision)
    rows, columns = (max(1, min(side, _VALUES // dimension)) for side in (_ROWS, _COLUMNS))
    longest, lengths = 0.0, np.empty(n)
    for left in range(0, len(y), columns):
        part_y = y[left : left + columns] - origin
        square_y = np.einsum("ij,ij->i", part_y, part_y)
        longest = max(longest, float(square_y.max()))
        for top in range(0, n, rows):
            here = slice(top, top + rows)
            part_x = x[here] - origin
            lengths[here] = square_x = np.einsum("ij,ij->i", part_x, part_x)
            block = part_x @ part_y.T
            block *= -2
            block += square_x[:, None]
            block += square_y
            if groups is not None:
                block[groups[0][here, None] == groups[1][left : left + columns]] = np.inf
            best, place = _smallest(block, keep)
            place = np.where(np.isinf(best), -1, place + left)
            both = np.concatenate([squared[here], best], axis=1)
            squared[here], chosen = _smallest(both, keep)
            which[here] = np.take_along_axis(np.hstack([which[here], place]), chosen, axis=1)
    if keep == len(y):
        return which, np.full(n, np.inf)
    # Generous: roundings of D products add up like √D rather than D.
    rounding = float(np.finfo(precision).eps) * (8 + np.sqrt(dimension)) * (lengths + longest)
    return which, squared.max(axis=1) - rounding


def _smallest(
    values: npt.NDArray[np.floating], count: int
) -> tuple[npt.NDArray[np.floating], Numbers]:
    """The `count` smallest of each row, in no order, and their columns."""
    if values.shape[1] > count:
        columns = np.argpartition(values, count - 1, axis=1)[:, :count]
    else:
        columns = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.take_along_axis(values, columns, 1), columns


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
        step = max(_VALUES // x.shape[1], 1)
        for start in range(0, len(first), step):
            one, two = first[start : start + step], second[start : start + step]
            squares[one, two] = _subtracted(x, y, one, two)
    return squares


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


def _subtracted(x: Features, y: Features, i: Numbers, j: Numbers) -> Floats:
    """The squared distance of each of some pairs of rows, right however near they are."""
    difference = x[i].astype(np.float64) - y[j]
    return np.einsum("ij,ij->i", difference, difference)


def _measured(x: Features, y: Features, which: Numbers, k: int) -> Neighbours:
    """The k nearest of the candidates, by differences in float64."""
    n, keep = which.shape
    distances = np.full((n, max(k, keep)), np.inf)
    indices = np.full((n, max(k, keep)), -1, np.int64)
    rows = max(1, _VALUES // x.shape[1])
    for column in range(keep):
        there = np.flatnonzero(which[:, column] >= 0)
        for top in range(0, len(there), rows):
            some = there[top : top + rows]
            other = which[some, column]
            distances[some, column] = np.sqrt(_subtracted(x, y, some, other))
            indices[some, column] = other
    order = np.lexsort((indices, distances), axis=1)[:, :k]
    return Neighbours(
        np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)
    )


def _check(x: Features, y: Features, k: int, groups: tuple[Numbers, Numbers] | None) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not x.shape[1]:
        raise FaceganError(
            f"Neighbours of {list(x.shape)} among {list(y.shape)}.",
            "Both sets are [count, D], of the same extractor.",
        )
    if not len(x) or not len(y) or k < 1:
        raise FaceganError(
            f"{k} neighbours of {len(x)} pictures among {len(y)}.", "Each must be 1 or more."
        )
    if groups is not None and [g.shape for g in groups] != [(len(x),), (len(y),)]:
        raise FaceganError(
            f"Groups of shapes {[list(g.shape) for g in groups]} for {len(x)} and {len(y)} "
            "pictures.",
            "Give one number for each picture.",
        )
    for features in (x, y):
        for top in range(0, len(features), _ROWS):
            if not np.isfinite(features[top : top + _ROWS]).all():
                raise FaceganError(
                    f"Features of row {top} or after are not finite.",
                    "Look at the extractor that made them.",
                )
