"""Calibration: logits get the slope and offset that made them, shares come out right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from facegan.evaluation.attribute_calibration import (
    Calibration,
    calibration_error,
    fit_ages,
    fit_logit,
)
from facegan.evaluation.attributes import AGE, AttributeReader
from facegan.portraits import draw, sample

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(-2, 2, 4000)


def probability(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def test_slope_and_offset_are_found_again() -> None:
    yes = RANDOM.random(4000) < probability(1.6 * LOGITS + 0.7)
    slope, offset = fit_logit(LOGITS, yes)
    assert slope == pytest.approx(1.6, abs=0.15)
    assert offset == pytest.approx(0.7, abs=0.15)
    calibrated = probability(slope * LOGITS + offset)
    assert calibrated.mean() == pytest.approx(yes.mean(), abs=0.003)
    assert calibration_error(calibrated, yes) < calibration_error(probability(LOGITS), yes) / 3


def test_newton_finds_the_most_likely_pair() -> None:
    yes = RANDOM.random(300) < probability(0.5 * LOGITS[:300])

    def loss(pair: np.ndarray) -> float:
        z = pair[0] * LOGITS[:300] + pair[1]
        prior = ((pair[0] - 1) / 0.5) ** 2 / 2 + (pair[1] / 1.5) ** 2 / 2
        return float(np.logaddexp(0, z).sum() - z[yes].sum() + prior)

    best = minimize(loss, np.array([1.0, 0.0])).x
    np.testing.assert_allclose(fit_logit(LOGITS[:300], yes), best, atol=1e-3)


def test_what_nobody_has_stays_nearly_as_it_is() -> None:
    slope, offset = fit_logit(LOGITS[:5], np.zeros(5, bool))
    assert 0.5 < slope < 2
    assert -2 < offset <= 0


def test_ages_get_the_distribution_of_the_labels() -> None:
    labels = RANDOM.normal(38, 10, 3000)
    read = 38 + 0.5 * (labels - 38) + RANDOM.normal(0, 3, 3000)  # drawn to the mean
    knots, values = fit_ages(read, labels)
    assert list(knots) == sorted(knots)
    about = {"slopes": {}, "offsets": {}, "pictures": 0, "people": 0, "command": ""}
    mapped = Calibration(ages_read=knots, ages=values, **about).age(read)
    for share in (0.02, 0.2, 0.5, 0.9, 0.98):
        assert np.quantile(mapped, share) == pytest.approx(np.quantile(labels, share), abs=0.7)
    assert (np.diff(mapped[np.argsort(read)]) >= 0).all()


def test_the_shipped_reader_is_calibrated_and_orders_faces_as_before() -> None:
    raw, reader = AttributeReader.open(calibrated=False), AttributeReader.open()
    assert raw.about.calibration is not None
    assert raw.fingerprint != reader.fingerprint
    faces = draw(sample(40, seed=1), 64)
    before, after = raw.read(faces), reader.read(faces)
    for column, name in enumerate(reader.names):
        order = np.argsort(before[:, column], kind="stable")
        assert (np.diff(after[order, column]) >= -1e-6).all(), name
        if name != AGE:
            z = np.log(before[:, column] / (1 - before[:, column]))
            slope, offset = (
                part[name] for part in (raw.about.calibration.slopes, raw.about.calibration.offsets)
            )
            expected = probability(slope * z + offset)
            np.testing.assert_allclose(after[:, column], expected, atol=1e-4)


def test_counts_are_right_on_people_that_nothing_was_fitted_on() -> None:
    about = AttributeReader.open().about.calibration
    assert about is not None
    assert len(about.attributes) == 40
    assert max(abs(each.mean - each.yes) for each in about.attributes) < 0.01
    raw, calibrated = (
        np.mean([getattr(each, name) for each in about.attributes])
        for name in ("error", "error_calibrated")
    )
    assert calibrated < raw / 5
