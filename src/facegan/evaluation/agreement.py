"""How well pictures agree with the labels that they were made for, or that stand beside them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facegan.evaluation.attributes import AGE, AttributeReader
from facegan.evaluation.cache import Progress, silent
from facegan.evaluation.results import Agreement, Estimate, LabelAgreement

# Fewer yes, or fewer no, than this tell nothing.
FEWEST = 10
# Labels from 0 to 1 count as yes above this.
YES = 0.5
# 95 % of a normal distribution lie within so many standard deviations.
_NORMAL = 1.959964


class Labelled(NamedTuple):
    """Pictures and their labels.

    Attributes:
        images: uint8 [N, H, W, C].
        values: float32 [N, L], NaN where one is missing: 0 to 1, or years.
        names: of the L labels.
    """

    images: npt.NDArray[np.uint8]
    values: npt.NDArray[np.float32]
    names: tuple[str, ...]

    def column(self, name: str) -> npt.NDArray[np.float32] | None:
        """One label, [N], whatever the case of its name; None if there is none."""
        lower = [other.lower() for other in self.names]
        if name.lower() not in lower:
            return None
        return self.values[:, lower.index(name.lower())]


def agreement(
    reader: AttributeReader,
    generated: Labelled,
    real: Labelled,
    progress: Progress = silent,
) -> Agreement:
    """Read generated pictures, and compare with what was asked for.

    Args:
        reader: reads them.
        generated: pictures, and the labels that were asked for.
        real: pictures, best of people that the reader did not learn from, and their labels.
        progress: called with (pictures read, pictures in all), of both kinds together.

    Raises:
        DataError: if the pictures are too small to read.
    """
    total = len(generated.images) + len(real.images)
    in_generated = reader.read(generated.images, lambda done, _: progress(done, total))
    before = len(generated.images)
    in_real = reader.read(real.images, lambda done, _: progress(before + done, total))
    found, left_out = [], []
    for place, name in enumerate(reader.names):
        asked, true = generated.column(name), real.column(name)
        if asked is None:
            continue
        seen = _compare(name, in_generated[:, place], asked)
        if seen is None:
            left_out.append(name)
            continue
        ceiling = None if true is None else _compare(name, in_real[:, place], true)
        found.append(
            LabelAgreement(
                name=name,
                measure="correlation" if name == AGE else "AUC",
                generated=seen[0],
                real=None if ceiling is None else ceiling[0],
                error=seen[1],
                error_real=None if ceiling is None else ceiling[1],
            )
        )
    return Agreement(
        reader=reader.fingerprint,
        n=len(generated.images),
        n_real=len(real.images),
        labels=tuple(found),
        left_out=tuple(left_out),
    )


def _compare(
    name: str, read: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]
) -> tuple[Estimate, float | None] | None:
    """Agreement and mean error of one label; None where the labels hardly differ."""
    known = np.isfinite(labels)
    read, labels = read[known].astype(np.float64), labels[known].astype(np.float64)
    if name == AGE:
        enough = len(labels) >= FEWEST and labels.std() > 0 and read.std() > 0
        return (correlation(read, labels), float(np.abs(read - labels).mean())) if enough else None
    yes = labels > YES
    if min(yes.sum(), (~yes).sum()) < FEWEST:
        return None
    return auc_estimate(read, yes), None


def correlation(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> Estimate:
    """Pearson's, [N] beside [N], its interval by Fisher's transformation; N ≥ 4."""
    value = float(np.clip(np.corrcoef(one, other)[0, 1], -1, 1))
    middle = math.atanh(min(max(value, -1 + 1e-12), 1 - 1e-12))
    reach = _NORMAL / math.sqrt(len(one) - 3)
    low, high = math.tanh(middle - reach), math.tanh(middle + reach)
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def auc(scores: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]) -> float | None:
    """The probability that a score of a yes is above that of a no; equal ones count as half.

    The area under the ROC curve (Mann & Whitney 1947).

    Args:
        scores: [N], finite.
        positive: bool [N].

    Returns:
        In [0, 1]; None where there is no yes, or no no.
    """
    if positive.all() or not positive.any():
        return None
    return float(_placements(scores[positive], scores[~positive]).mean())


def auc_estimate(scores: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]) -> Estimate:
    """`auc` with its interval by the placements' variances (DeLong et al. 1988).

    Needs two yes and two no. Where all are ordered right, the interval has no width.
    """
    yes, no = scores[positive], scores[~positive]
    above, below = _placements(yes, no), 1 - _placements(no, yes)
    value = float(above.mean())
    reach = _NORMAL * math.sqrt(above.var(ddof=1) / len(yes) + below.var(ddof=1) / len(no))
    return Estimate(value=value, low=max(value - reach, 0.0), high=min(value + reach, 1.0))


def _placements(
    these: npt.NDArray[np.floating], others: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """For each of these, the share of the others below it; equal ones count as half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, these, "left")
    at_most = np.searchsorted(ordered, these, "right")
    return np.asarray((below + at_most) / (2 * len(others)), np.float64)
