"""Matrices of features, one picture a row: what is allowed in, and how to walk through them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32] | npt.NDArray[np.float64]
# Beyond it the sixth powers that KID's interval is made of leave float64.
_LARGEST = 1e12
# Rows taken to float64 at a time: 16 MB at D = 2048, and large enough for matrix products.
_ROWS = 1024


def checked(features: Features, name: str, least: int = 2) -> Features:
    """The same matrix, if scores can be computed from it.

    Args:
        features: float32 or float64 [N, D].
        name: what to call it in errors, such as "generated".
        least: fewest rows allowed.

    Raises:
        FaceganError: it has another type or shape or no numbers at all, fewer than `least`
            rows, or NaN, infinity or numbers beyond ±1e12.
    """
    if features.dtype not in (np.float32, np.float64) or features.ndim != 2 or not features.size:
        raise FaceganError(
            f"The {name} features are {features.dtype} {list(features.shape)}.",
            "Pass float32 or float64 numbers of shape [N, D]: one row for each picture.",
        )
    if len(features) < least:
        raise FaceganError(
            f"There are {len(features)} {name} features.", f"At least {least} are needed."
        )
    # The comparison is false for NaN, too.
    fine = [bool((np.abs(features[rows]) <= _LARGEST).all()) for rows in blocks(len(features))]
    if not all(fine):
        raise FaceganError(
            f"Some {name} features are not finite, or beyond ±{_LARGEST:g}.",
            "Look at the pictures and at the extractor: a score of such numbers means nothing.",
        )
    return features


def same_dimension(a: int, b: int) -> None:
    """Raise FaceganError unless two sets of features have the same D."""
    if a != b:
        raise FaceganError(
            f"The features have different dimensions: {a} and {b}.",
            "Compare features of one extractor.",
        )


def blocks(n: int, start: int = 0) -> Iterator[slice]:
    """Consecutive slices that cover rows start … n − 1."""
    for first in range(start, n, _ROWS):
        yield slice(first, min(first + _ROWS, n))
