"""What turns an attribute reader's raw readings into shares that are right.

A linear reader orders faces well and still counts wrongly: it keeps to the usual, so that a count
of readings above a half loses what is rare, and ages move towards the mean. Both are mended by
people that it did not learn from. Each attribute gets a slope and an offset on its logit (Platt
1999), fitted to how often its label says yes: the mean of such probabilities is the share of
yes. Ages are mapped so that their distribution is that of the labels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.config import Config

Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]

# How far slope and offset may be from "as it is" before data must insist (normal priors): an
# attribute that three people have is not calibrated by these three.
_SLOPE, _OFFSET = 0.5, 1.5
_STEPS = 40
# Quantiles at which ages are matched.
_KNOTS = (0.005, 0.02, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 0.995)


class Calibrated(Config):
    """How one attribute counts, over people on whom the calibration was not fitted.

    Attributes:
        name: of the attribute.
        yes: share of the pictures whose label is above 0.5.
        counted: share of raw readings above 0.5.
        mean: mean of the calibrated probabilities.
        error: mean gap between probability and share of yes over ten equal groups of readings
            (expected calibration error), raw.
        error_calibrated: the same, calibrated.
    """

    name: str
    yes: float
    counted: float
    mean: float
    error: float
    error_calibrated: float


class Group(Config):
    """How it reads one group of people.

    Attributes:
        name: such as `Male` or `Age above 60`.
        pictures: of them.
        auc: mean over the prevalent attributes of which the group has ten of either kind; None
            where there are none.
        young: share read as Young (calibrated), and labelled so.
        young_label: see `young`.
        age_error: mean of age read less age labelled, in years, raw.
        age_error_calibrated: the same, calibrated.
    """

    name: str
    pictures: int
    auc: float | None
    young: float
    young_label: float
    age_error: float
    age_error_calibrated: float


class Calibration(Config):
    """The map from raw readings to calibrated ones, and how well it does.

    Attributes:
        slopes: by attribute, of the logit.
        offsets: by attribute.
        ages_read: knots, ascending; between them the map is straight, outside parallel.
        ages: what the knots become.
        pictures: it was fitted on.
        people: in them, none of whom the reader learned from.
        command: that fitted it.
        attributes: measured on other people than those it was fitted on, in folds.
        groups: the same, by group of people.
    """

    slopes: dict[str, float]
    offsets: dict[str, float]
    ages_read: tuple[float, ...]
    ages: tuple[float, ...]
    pictures: int
    people: int
    command: str
    attributes: tuple[Calibrated, ...] = ()
    groups: tuple[Group, ...] = ()

    def age(self, read: Floats) -> Floats:
        """Ages [N] as read, mapped."""
        knots, values = np.asarray(self.ages_read), np.asarray(self.ages)
        inside = np.interp(read, knots, values)
        below, above = np.minimum(read - knots[0], 0), np.maximum(read - knots[-1], 0)
        return np.asarray(inside + below + above)


def fit_logit(logits: Floats, yes: Flags) -> tuple[float, float]:
    """Slope and offset of [N] logits for which yes is most likely, drawn a little to (1, 0).

    Newton's method on the log posterior, which is concave.
    """
    x = np.stack((np.asarray(logits, np.float64), np.ones(len(logits))), 1)
    usual, width = np.array((1.0, 0.0)), np.array((_SLOPE, _OFFSET))
    found = usual.copy()
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(x @ found).clip(-40, 40)))
        slope = x.T @ (yes - p) - (found - usual) / width**2
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(1 / width**2)
        step = np.linalg.solve(curve, slope)
        found += step
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), float(found[1])


def fit_ages(read: Floats, labels: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots and what they become, so that the ages read [N] are distributed as the labels [N]."""
    knots, values = (np.quantile(each.astype(np.float64), _KNOTS) for each in (read, labels))
    # Ascending strictly, so that the map has an inverse.
    knots = np.maximum.accumulate(knots + 1e-3 * np.arange(len(knots)))
    return tuple(knots.round(3).tolist()), tuple(values.round(3).tolist())


def calibration_error(probabilities: Floats, yes: Flags, groups: int = 10) -> float:
    """Mean gap between probability and share of yes, over groups of readings of equal size."""
    order = np.argsort(probabilities, kind="stable")
    gaps = [
        len(some) * abs(float(probabilities[some].mean() - yes[some].mean()))
        for some in np.array_split(order, groups)
        if len(some)
    ]
    return sum(gaps) / len(order)
