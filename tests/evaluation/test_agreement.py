"""Agreement of pictures with their labels: the areas, their intervals, and what is compared."""

from __future__ import annotations

import numpy as np
import pytest

from facegan import portraits
from facegan.evaluation.agreement import (
    Labelled,
    agreement,
    auc,
    auc_estimate,
    correlation,
)
from facegan.evaluation.attributes import AttributeReader


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    random = np.random.default_rng(0)
    scores, yes = random.integers(0, 12, 60).astype(float), random.random(60) < 0.3
    pairs = scores[yes][:, None] - scores[~yes][None]
    assert auc(scores, yes) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert auc(scores, ~yes) == pytest.approx(1 - (auc(scores, yes) or 0))
    assert auc(scores, np.zeros(60, bool)) is None
    assert auc(scores, np.ones(60, bool)) is None
    assert auc(np.arange(4.0), np.array([False, False, True, True])) == 1.0


def test_intervals_hold_the_truth_as_often_as_they_should() -> None:
    """AUC of two normal distributions one apart is Φ(1/√2) = 0.7602; correlation 0.6."""
    random = np.random.default_rng(1)
    held = np.zeros(2)
    for _ in range(400):
        yes = np.arange(120) < 40
        found = auc_estimate(random.standard_normal(120) + yes, yes)
        assert found.low <= found.value <= found.high
        held[0] += found.low <= 0.76025 <= found.high
        one, noise = random.standard_normal((2, 60))
        alike = correlation(one, 0.6 * one + 0.8 * noise)
        held[1] += alike.low <= 0.6 <= alike.high
    assert (held / 400 > 0.91).all(), held
    assert (held / 400 < 0.98).all(), held
    assert correlation(one, one).value == pytest.approx(1)


@pytest.fixture(scope="module")
def reader() -> AttributeReader:
    return AttributeReader.open()


def people(seed: int) -> Labelled:
    """Drawn people; the labels are those that photographs have, and one that no reader knows."""
    drawn = portraits.sample(120, seed=seed)
    truth = dict(zip(portraits.LABEL_NAMES, drawn.labels().T, strict=True))
    names = ("eyeglasses", "Mustache", "Freckles", "Blurry", "Age")
    age = 30 + 30 * (1 - truth["Young"])
    columns = [truth["Eyeglasses"], truth["Mustache"], truth["Freckles"], 0 * age, age]
    values = np.stack(columns, 1).astype(np.float32)
    values[::9, 0] = np.nan
    return Labelled(portraits.draw(drawn, 32), values, names)


def test_labels_that_the_reader_knows_are_compared(reader: AttributeReader) -> None:
    made, real = people(0), people(1)
    seen: list[tuple[int, int]] = []
    found = agreement(reader, made, real, lambda done, total: seen.append((done, total)))
    assert (found.n, found.n_real, found.reader) == (120, 120, reader.fingerprint)
    assert seen[-1] == (240, 240)
    assert found.left_out == ("Blurry",)
    labels = {label.name: label for label in found.labels}
    assert set(labels) == {"Eyeglasses", "Mustache", "Age"}
    glasses = labels["Eyeglasses"]
    assert glasses.measure == "AUC"
    assert glasses.real is not None
    assert min(glasses.generated.value, glasses.real.value) > 0.75
    assert (glasses.error, glasses.error_real) == (None, None)
    assert labels["Age"].measure == "correlation"
    assert labels["Age"].error is not None
    assert labels["Age"].error > 0


def test_pictures_without_what_was_asked_for_do_not_agree(reader: AttributeReader) -> None:
    made, real = people(0), people(1)
    order = np.random.default_rng(2).permutation(120)
    found = agreement(reader, made._replace(images=made.images[order]), real)
    glasses = next(label for label in found.labels if label.name == "Eyeglasses")
    assert glasses.real is not None
    assert glasses.generated.high < 0.7 < glasses.real.low


def test_real_pictures_without_labels_give_no_ceiling(reader: AttributeReader) -> None:
    made = people(0)
    bare = Labelled(made.images[:4], np.empty((4, 0), np.float32), ())
    found = agreement(reader, made, bare)
    assert all(label.real is None and label.error_real is None for label in found.labels)
    assert len(found.labels) == 3
