"""Check whether names fit faces, by vectors that lie close together for pictures of one person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# dlib's vectors: two pictures of one person are mostly nearer than 0.6.
STRANGE, ALIKE = 0.65, 0.33
# Fewer pictures of a person do not say which one is odd.
_FEWEST = 3
_BLOCK = 1024


@dataclass(frozen=True)
class Alike:
    """Two pictures under two names that may show one person.

    Attributes:
        first: row of one.
        second: row of the other.
        distance: of their vectors.
    """

    first: int
    second: int
    distance: float


def strangers(vectors: npt.NDArray[np.float32], identities: list[str]) -> npt.NDArray[np.float64]:
    """How far each picture is from the others of its person: float64 [N].

    The median distance; NaN where a person has fewer than three pictures.

    Args:
        vectors: float32 [N,D].
        identities: who is shown on each picture, N names.
    """
    _, which, counts = np.unique(identities, return_inverse=True, return_counts=True)
    order = np.argsort(which, kind="stable")
    found = np.full(len(vectors), np.nan)
    for rows in np.split(order, np.cumsum(counts)[:-1]):
        if len(rows) < _FEWEST:
            continue
        mine = vectors[rows].astype(np.float64)
        for start in range(0, len(rows), _BLOCK):
            some = slice(start, start + _BLOCK)
            apart = _distances(mine[some], mine)
            apart[np.arange(len(apart)), np.arange(start, start + len(apart))] = np.nan
            found[rows[some]] = np.nanmedian(apart, axis=1)
    return found


def alike(
    vectors: npt.NDArray[np.float32], identities: list[str], most: float = ALIKE
) -> tuple[Alike, ...]:
    """Pictures under two names that may show one person: of each two names the nearest, nearest
    first.

    Args:
        vectors: float32 [N,D].
        identities: who is shown on each picture, N names.
        most: the distance up to which two count as alike.
    """
    _, which = np.unique(identities, return_inverse=True)
    nearest: dict[tuple[int, int], Alike] = {}
    wide = vectors.astype(np.float64)
    for start in range(0, len(wide), _BLOCK):
        apart = _distances(wide[start : start + _BLOCK], wide[start:])
        near = (apart <= most) & (which[start : start + _BLOCK, None] != which[None, start:])
        for a, b in zip(*np.nonzero(near), strict=True):
            if b > a:
                one, other = sorted((int(which[start + a]), int(which[start + b])))
                found = Alike(int(start + a), int(start + b), float(apart[a, b]))
                known = nearest.get((one, other))
                if known is None or found.distance < known.distance:
                    nearest[one, other] = found
    return tuple(sorted(nearest.values(), key=lambda each: (each.distance, each.first)))


def _distances(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Euclidean, of all pairs: [len(a),len(b)]."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))
