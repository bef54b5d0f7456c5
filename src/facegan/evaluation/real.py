"""Which real pictures are the reference, and which stand in for a perfect generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.errors import DataError
from facegan.seeding import REAL_CHOICE, random

Reference = Literal["train", "holdout", "all"]

DEFAULT_N = 5_000
DEFAULT_N_REAL = 10_000
# Below this nothing that is measured would mean anything.
FEWEST = 50

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RealChoice:
    """Two sets of real pictures that share none.

    Attributes:
        reference: int64 [n_real], ascending: what everything is measured against.
        floor: int64 [n], ascending: real pictures in the place of generated ones. What they
            score is the best that a generator can hope for.
    """

    reference: Indices
    floor: Indices


def most_measurable(dataset: Dataset, reference: Reference = "train") -> int:
    """The largest n that `choose_real` allows: what it leaves is no smaller a reference."""
    if reference == "holdout":
        return len(dataset.indices("train"))
    return len(dataset.indices(reference)) // 2


def choose_real(
    dataset: Dataset,
    n: int | None = None,
    n_real: int | None = None,
    reference: Reference = "train",
    seed: int = 0,
) -> RealChoice:
    """Choose by chance, the same for the same dataset and arguments.

    With `reference` "train" or "all" the pictures of that split are divided: `n` for the
    floor, and of the others `n_real` for the reference. With "holdout" the reference comes
    from the holdout, and the floor from the training pictures.

    Args:
        dataset: the real pictures.
        n: generated pictures that will be measured, and real ones in the floor; 5,000 by
            default, or half of the split where it has fewer than 10,000.
        n_real: pictures in the reference; 10,000 by default, or all that are left.
        reference: where the reference comes from.
        seed: of the choice.

    Raises:
        DataError: if the dataset has too few pictures.
    """
    pool = dataset.indices("train" if reference == "holdout" else reference)
    pool = pool[random(seed, REAL_CHOICE, 0).permutation(len(pool))]
    apart = reference == "holdout"
    most = most_measurable(dataset, reference)
    size = n if n is not None else min(DEFAULT_N, most)
    if size < FEWEST:
        raise DataError(
            f"{size} pictures are too few to measure anything ({dataset.path} has {len(pool)} to "
            "choose from).",
            f"Measure {FEWEST} or more, with twice as many real ones in the dataset.",
        )
    if size > most:
        raise DataError(
            f"-n {size} needs {size if apart else 2 * size} real pictures: as many for the floor"
            f"{'' if apart else ', and no fewer for the reference'}. The {reference} split of "
            f"{dataset.path} leaves {most}.",
            f"Ask for -n {most} or fewer.",
        )
    floor, rest = pool[:size], pool[size:]
    if apart:
        rest = dataset.indices("holdout")
        rest = rest[random(seed, REAL_CHOICE, 1).permutation(len(rest))]
    wanted = n_real if n_real is not None else min(DEFAULT_N_REAL, len(rest))
    if not FEWEST <= wanted <= len(rest):
        raise DataError(
            f"A reference of {wanted} pictures cannot be drawn from {dataset.path}: {len(rest)} are "
            f"there for it.",
            f"It takes {FEWEST} or more"
            + (": import again with a larger --holdout." if apart else f", up to {len(rest)}."),
        )
    return RealChoice(np.sort(rest[:wanted]), np.sort(floor))
