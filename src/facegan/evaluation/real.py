"""Which real pictures are the reference, and which stand in for a perfect generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.people import people_known
from facegan.errors import DataError
from facegan.seeding import REAL_CHOICE, random

Reference = Literal["train", "holdout", "all"]

# Who is shown in a floor: some people of the reference, nobody of it, or it is not known.
Floors = Literal["shared", "apart", "unknown"]

DEFAULT_N = 5_000
DEFAULT_N_REAL = 10_000
# A reference of so many times n, and no fewer than this, is enough where none is asked for: what
# a larger one adds is less than chance in the n pictures leaves.
_TIMES, _ENOUGH_REAL = 5, 2_000
# Below this nothing that is measured would mean anything.
FEWEST = 50

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ByPeople:
    """Two sets of real pictures that share nobody, as large as those of a `RealChoice`.

    Attributes:
        reference: int64 [n_real], ascending.
        floor: int64 [n], ascending.
        people: int64 [n], who is shown in the floor: numbers from 0.
    """

    reference: Indices
    floor: Indices
    people: Indices


@dataclass(frozen=True)
class RealChoice:
    """Two sets of real pictures that share none.

    Attributes:
        reference: int64 [n_real], ascending: what everything is measured against.
        floor: int64 [n], ascending: real pictures in the place of generated ones. What they
            score is the best that a generator can hope for.
        floors: who is shown in the floor.
        others: where some people are in both: the same, divided by people.
    """

    reference: Indices
    floor: Indices
    floors: Floors = "unknown"
    others: ByPeople | None = None

    @property
    def all(self) -> Indices:
        """Every picture of any of the sets, ascending."""
        sets = [self.reference, self.floor]
        if self.others is not None:
            sets += [self.others.reference, self.others.floor]
        return np.unique(np.concatenate(sets))


def most_measurable(dataset: Dataset, reference: Reference = "train") -> int:
    """The largest n that `choose_real` allows: what it leaves is no smaller a reference."""
    if reference == "holdout":
        return len(dataset.indices("train"))
    return len(dataset.indices(reference)) // 2


def enough_real(n: int) -> int:
    """How many real pictures a reference needs beside n generated ones: 5n, 2,000 to 10,000."""
    return min(DEFAULT_N_REAL, max(_TIMES * n, _ENOUGH_REAL))


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
        n_real: pictures in the reference; five times n by default, but no fewer than 2,000 and no
            more than 10,000, or all that are left.
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
    wanted = n_real if n_real is not None else min(enough_real(size), len(rest))
    if not FEWEST <= wanted <= len(rest):
        raise DataError(
            f"A reference of {wanted} pictures cannot be drawn from {dataset.path}: {len(rest)} "
            "are there for it.",
            f"It takes {FEWEST} or more"
            + (": import again with a larger `holdout`." if apart else f", up to {len(rest)}."),
        )
    floors, others = _floors(dataset, pool, rest[:wanted], floor, seed)
    return RealChoice(np.sort(rest[:wanted]), np.sort(floor), floors, others)


def _floors(
    dataset: Dataset, pool: Indices, reference: Indices, floor: Indices, seed: int
) -> tuple[Floors, ByPeople | None]:
    """Who is shown in the floor; and the pool divided by people, where some are in both."""
    if not people_known(dataset):
        return "unknown", None
    _, number = np.unique(dataset.identities, return_inverse=True)
    if not np.isin(number[floor], number[reference]).any():
        return "apart", None
    return "shared", _by_people(pool, number, len(floor), len(reference), seed)


def _by_people(pool: Indices, number: Indices, n: int, n_real: int, seed: int) -> ByPeople | None:
    """People by chance, with all their pictures, until they have n; None where that fails.

    Who would exceed n stays in the reference, and others are asked.
    """
    who, place, pictures = np.unique(number[pool], return_inverse=True, return_counts=True)
    chosen, left = np.zeros(len(who), np.bool_), n
    for person in random(seed, REAL_CHOICE, 3).permutation(len(who)):
        if pictures[person] <= left:
            chosen[person] = True
            left -= pictures[person]
    inside = chosen[place]
    reference = pool[~inside][:n_real]
    if left or len(reference) < n_real:
        return None
    floor = np.sort(pool[inside])
    return ByPeople(np.sort(reference), floor, np.unique(number[floor], return_inverse=True)[1])
