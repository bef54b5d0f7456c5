"""Which kinds of people a generator makes too seldom, as the attribute reader sees them.

A Fréchet distance falls while whole kinds of faces are left out, if these are few. So generated
faces are read beside real ones, attribute by attribute: each kind's share is the mean of calibrated
probabilities (`reader_calibration`), so that rare kinds are not lost in counting. Real faces are
held-out ones where there are enough, because the reader may have learned from the others, and their
intervals are over people. Of all kinds together, one is called different by chance in one of
twenty evaluations at most (Holm 1979).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from facegan.evaluation.attributes import AGE, AttributeReader
from facegan.evaluation.intervals import averaged
from facegan.evaluation.results import Kind, Kinds
from facegan.seeding import BOOTSTRAP, random

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# Generated pictures that are read: a share of 2 % is then known to 0.3 %.
MOST = 2_000
# Kinds that neither side has more often than this are passed over: nobody has learned to see them.
_RARE = 0.005
_LEVEL = 0.05
# Numbers of the bootstrap's stream that no score uses.
_GENERATED, _REAL = 300, 400
# Above the first age and up to the second.
AGES = (
    *(("age up to 25", 0, 25), ("age 25 to 40", 25, 40), ("age 40 to 50", 40, 50)),
    ("age above 50", 50, 1000),
)
_MALE = "Male"


def kinds(
    reader: AttributeReader,
    generated: npt.NDArray[np.float32],
    real: npt.NDArray[np.float32],
    people: Numbers,
    seed: int = 0,
) -> Kinds:
    """Compare readings.

    Args:
        reader: that read them.
        generated: float32 [n, L], n ≥ 2.
        real: float32 [m, L], m ≥ 2.
        people: int64 [m], who is shown, numbers from 0.
        seed: of the bootstrap.
    """
    found: list[Kind] = []
    sides = zip(_shares(reader, generated), _shares(reader, real), strict=True)
    for number, ((name, in_generated), (_, in_real)) in enumerate(sides):
        share = averaged(in_generated, random(seed, BOOTSTRAP, _GENERATED + number))
        truth = averaged(in_real, random(seed, BOOTSTRAP, _REAL + number), people)
        if max(share.value, truth.value) < _RARE:
            continue
        # As if both had one share: where a kind never occurs, its own spread would be none.
        both = np.concatenate((in_generated, in_real)).std(ddof=1)
        error = np.hypot(both / np.sqrt(len(in_generated)), _error(in_real, people))
        z = (share.value - truth.value) / error if error > 0 else 0.0
        found.append(Kind(name=name, generated=share, real=truth, z=float(z), differs=False))
    differs = holm([math.erfc(abs(kind.z) / math.sqrt(2)) for kind in found])
    return Kinds(
        reader=reader.fingerprint,
        n=len(generated),
        n_real=len(real),
        kinds=tuple(
            kind.model_copy(update={"differs": bool(one)})
            for kind, one in zip(found, differs, strict=True)
        ),
    )


def holm(values: list[float]) -> list[bool]:
    """Which hypotheses fall, of all together one wrongly with a probability of 5 % at most."""
    order = np.argsort(values, kind="stable")
    fall = [False] * len(values)
    for rank, place in enumerate(order):
        if values[place] > _LEVEL / (len(values) - rank):
            break
        fall[place] = True
    return fall


def _error(contributions: Floats, people: Numbers) -> float:
    """Standard error of the mean of pictures [m] of people, who are the ones drawn."""
    sums = np.bincount(people, contributions - contributions.mean())
    return float(np.sqrt(np.square(sums).sum() * len(sums) / max(len(sums) - 1, 1)) / len(people))


def _shares(reader: AttributeReader, read: npt.NDArray[np.float32]) -> Iterator[tuple[str, Floats]]:
    """Each kind with the probability of every picture to be of it, float64 [N]."""
    values = read.astype(np.float64)
    columns = {name: values[:, place] for place, name in enumerate(reader.names)}
    for name, column in columns.items():
        if name != AGE:
            yield name.replace("_", " "), column
    if _MALE in columns:
        yield "not Male", 1 - columns[_MALE]
    for said, low, high in AGES:
        inside = ((columns[AGE] > low) & (columns[AGE] <= high)).astype(np.float64)
        yield said, inside
        if _MALE in columns:
            yield f"Male, {said}", inside * columns[_MALE]
            yield f"not Male, {said}", inside * (1 - columns[_MALE])
