"""Which modes of the drawn portraits a generator makes, and how far its shares are from truth.

On `portraits` the truth is known exactly: 252 combinations of hair, beard, glasses, expression
and background, each with its probability p. A small network reads the combination from every
generated picture, and from as many real ones, whose scores are the floor: they show what the
reader's own mistakes and the number of pictures do.

- **Total variation**: ½ Σ |share − p| over the modes. Pictures that show no portrait have no
  mode; they count as one more, of p = 0. So it is 0 where every mode has its share, and 1
  where nothing that is made belongs to the truth.
- **Covered** is a mode that at least one picture shows beyond doubt. A picture that might as
  well show another mode proves none, so that a blurred generator covers less than it makes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError
from facegan.evaluation.cache import Progress, silent
from facegan.evaluation.portrait_reader import ATTRIBUTES, Reader, Readings, true_values
from facegan.evaluation.results import Attribute, Estimate, Modes
from facegan.portraits import MODE_COUNT, VERSION, mode_probabilities, sample
from facegan.seeding import READER, random

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

# A reading proves a mode from this confidence. Of 4,000 sharp portraits from which 126 of the
# 252 modes had been dropped, this counts 1 of the dropped ones as covered and misses 0.5 % of
# the others (2 to 3, and 2 to 3 %, with noise or at 32 pixels); if any reading were a proof, the
# reader's mistakes would cover 10 of the dropped ones (24 to 33).
_SURE = 0.95
_RESAMPLES = 1_000
# Portraits, not drawn, whose attributes stand for the truth: its shares are exact to ± 0.002.
_CROWD, _CROWD_SEED = 2**18, 2**40 + 3


def applies_to(card: dict[str, Any]) -> bool:
    """Whether the dataset of this card (its dataset.json) holds portraits that can be read.

    That is, whether facegan drew them, in the version that it draws today. A card that names
    no version is of the first.
    """
    about = card.get("portraits")
    return (
        card.get("name") == "portraits"
        and isinstance(about, dict)
        and about.get("version", 1) == VERSION
    )


def modes(generated: Images, real: Images, seed: int = 0, progress: Progress = silent) -> Modes:
    """Read generated and real pictures, and compare both with the truth.

    Args:
        generated: uint8 [N, H, W, C], C = 3 or 1, N ≥ 1. Their size need not be that of the
            real ones, but then the reader's mistakes may differ.
        real: as many portraits.
        seed: of the bootstrap.
        progress: called with (pictures read, pictures in all).

    Raises:
        DataError: for another shape or type, or for two numbers of pictures.
        FaceganError: if the shipped reader cannot be used.
    """
    n = len(generated)
    if n == 0 or len(real) != n:
        raise DataError(
            f"{n} generated pictures cannot be set beside {len(real)} real ones.",
            "Give as many of each, one or more: both scores depend on their number.",
        )
    reader = Reader.load()
    read = reader.read(generated, lambda done, _: progress(done, 2 * n))
    read_real = reader.read(real, lambda done, _: progress(n + done, 2 * n))
    return Modes(
        n=n,
        modes=MODE_COUNT,
        covered=_covered(read),
        covered_real=_covered(read_real),
        total_variation=_total_variation(read, random(seed, READER, 0)),
        total_variation_real=_total_variation(read_real, random(seed, READER, 1)),
        accuracy=reader.accuracy(min(real.shape[1:3]), real.shape[3]),
        attributes=_attributes(read, read_real),
    )


def _covered(read: Readings) -> int:
    """How many modes are shown beyond doubt by a picture or more."""
    return len(np.unique(read.modes[read.readable & (read.confidence >= _SURE)]))


def _total_variation(read: Readings, random: np.random.Generator) -> Estimate:
    """From the true probabilities, with its bootstrap interval.

    The total variation of n pictures is above that of infinitely many, because chance adds to
    it; a resample adds chance once more. So the resamples' spread is kept and their mean is
    moved to the value: the interval is for what n other pictures would give, and is to be
    compared with the floor, which has the same chance in it.
    """
    counts = np.bincount(np.where(read.readable, read.modes, MODE_COUNT), minlength=MODE_COUNT + 1)
    n = len(read.readable)
    truth = np.append(mode_probabilities(), 0.0)

    def distance(counts: npt.NDArray[np.int64]) -> Floats:
        return np.asarray(np.abs(counts / n - truth).sum(axis=-1) / 2)

    value = float(distance(counts))
    resampled = distance(random.multinomial(n, counts / n, size=_RESAMPLES))
    low, high = np.quantile(resampled - resampled.mean(), [0.025, 0.975]) + value
    return Estimate(
        value=value, low=min(max(float(low), 0.0), value), high=max(min(float(high), 1.0), value)
    )


def _attributes(read: Readings, read_real: Readings) -> tuple[Attribute, ...]:
    """Shares of all pictures, unreadable ones having no value; of two values the second."""
    rows = [
        Attribute(
            name="portrait",
            value="readable",
            generated=float(read.readable.mean()),
            real=float(read_real.readable.mean()),
            truth=1.0,
        )
    ]
    columns = zip(_shares(read), _shares(read_real), _true_shares(), strict=True)
    for (name, values), (generated, real, truth) in zip(ATTRIBUTES.items(), columns, strict=True):
        for value in range(1 if len(values) == 2 else 0, len(values)):
            rows.append(
                Attribute(
                    name=name,
                    value=values[value],
                    generated=generated[value],
                    real=real[value],
                    truth=truth[value],
                )
            )
    return tuple(rows)


def _shares(read: Readings) -> list[list[float]]:
    """The share of each value of each attribute among all pictures."""
    found = read.values[read.readable]
    return [
        (np.bincount(column, minlength=len(values)) / len(read.readable)).tolist()
        for column, values in zip(found.T, ATTRIBUTES.values(), strict=True)
    ]


@cache
def _true_shares() -> list[list[float]]:
    crowd = true_values(sample(_CROWD, seed=_CROWD_SEED))
    return _shares(Readings(crowd, np.ones(_CROWD), np.ones(_CROWD, np.bool_)))
