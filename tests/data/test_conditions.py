"""Which labels networks see, and on which scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan.data.conditions import scaled, scaled_by_column, spec_with_labels, unscaled
from facegan.data.dataset import Dataset
from facegan.data.spec import Label
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError, FaceganError

NAN = math.nan
Write = Callable[..., Dataset]
N = 9  # the last three are held out

COLUMNS: dict[str, Sequence[float]] = {
    "male": [0, 1, 1, NAN, 0, 1, 0, 0, 0],
    "smile": [0.2, 0.9, NAN, 0.5, 0.1, 1.0, 0, 0, 0],
    "age": [20, 30, NAN, 40, 25, 35, 900, 900, 900],
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(columns)`: a dataset of tiny grey pictures with these label columns."""

    def make(columns: dict[str, Sequence[float]]) -> Dataset:
        images = np.arange(N, dtype=np.uint8)[:, None, None, None].repeat(16, 1).reshape(N, 4, 4, 1)
        names = [str(i) for i in range(N)]
        splits = ["train"] * 6 + ["holdout"] * 3
        labels = np.array(list(columns.values()), np.float32).T if columns else None
        with DatasetWriter(tmp_path / "dataset", 4, 1, label_names=list(columns)) as writer:
            writer.add(images, names, names, splits, names, labels)
            writer.finish({"name": "tiny"})
        return Dataset.open(tmp_path / "dataset")

    return make


def test_none_are_seen_unless_asked_for(write: Write) -> None:
    dataset = write(COLUMNS)
    assert spec_with_labels(dataset, ()) == dataset.spec
    assert dataset.spec.labels == ()


def test_quantities_are_measured_on_the_training_images_alone(write: Write) -> None:
    spec = spec_with_labels(write(COLUMNS), "all")
    assert (spec.resolution, spec.channels) == (4, 1)
    male, smile, age = spec.labels
    assert male == Label("male", binary=True)
    assert smile == Label("smile", binary=True)  # a probability
    assert (male.mean, male.std) == (0.5, 0.5)
    assert (age.name, age.binary) == ("age", False)
    assert age.mean == pytest.approx(30)
    assert age.std == pytest.approx(np.std([20, 30, 40, 25, 35]))


def test_the_order_is_the_recipes(write: Write) -> None:
    dataset = write(COLUMNS)
    spec = spec_with_labels(dataset, ("age", "male"))
    assert [label.name for label in spec.labels] == ["age", "male"]
    values = scaled(dataset, np.array([1, 4]), spec.labels)
    std = math.sqrt(50)
    torch.testing.assert_close(values, torch.tensor([[0.0, 1.0], [-5 / std, -1.0]]))


def test_scaled_values(write: Write) -> None:
    dataset = write(COLUMNS)
    labels = spec_with_labels(dataset, "all").labels
    values = scaled(dataset, np.arange(6), labels)
    assert values.dtype == torch.float32
    assert torch.equal(values[:, 0].isnan(), torch.tensor([0, 0, 0, 1, 0, 0]).bool())
    assert values[[0, 1, 2, 4, 5], 0].tolist() == [-1, 1, 1, -1, 1]
    smile = torch.tensor([0.2, 0.9, NAN, 0.5, 0.1, 1.0]) * 2 - 1
    torch.testing.assert_close(values[:, 1], smile, equal_nan=True)
    age = values[:, 2]
    known = age[~age.isnan()]
    assert known.mean().item() == pytest.approx(0, abs=1e-6)
    assert known.std(correction=0).item() == pytest.approx(1)


def test_unscaling_is_the_inverse(write: Write) -> None:
    dataset = write(COLUMNS)
    labels = spec_with_labels(dataset, "all").labels
    back = unscaled(scaled(dataset, np.arange(N), labels), labels)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, np.array(list(COLUMNS.values())).T, rtol=1e-5, atol=1e-6)


def test_a_label_is_found_whatever_its_case(write: Write) -> None:
    dataset = write(COLUMNS)
    other = spec_with_labels(dataset, ("Age", "MALE")).labels
    assert [label.name for label in other] == ["Age", "MALE"]
    same = spec_with_labels(dataset, ("age", "male")).labels
    torch.testing.assert_close(
        scaled(dataset, np.arange(6), other), scaled(dataset, np.arange(6), same), equal_nan=True
    )


def test_of_two_labels_that_differ_in_case_none_is_guessed(write: Write) -> None:
    dataset = write({"age": [1.0] * 5 + [2.0] * (N - 5), "AGE": [3.0] * 5 + [2.0] * (N - 5)})
    assert spec_with_labels(dataset, ("AGE",)).labels[0].mean > 2
    with pytest.raises(DataError, match="no label 'Age'"):
        spec_with_labels(dataset, ("Age",))


def test_a_label_that_another_pack_lacks_is_missing_there(write: Write) -> None:
    labels = (Label("male", True), Label("height", False, 170, 10))
    values = scaled(write(COLUMNS), np.arange(6), labels)
    assert values[0, 0] == -1
    assert values[:, 1].isnan().all()


def test_a_pack_without_labels_gives_missing_ones(write: Write) -> None:
    values = scaled(write({}), np.arange(6), (Label("male", True),))
    assert values.shape == (6, 1)
    assert values.isnan().all()


@pytest.mark.parametrize("wanted", ["all", ("male",)])
def test_a_pack_without_labels_is_refused_where_some_are_wanted(write: Write, wanted: Any) -> None:
    dataset = write({})
    assert spec_with_labels(dataset, ()).labels == ()
    with pytest.raises(DataError, match="has none") as caught:
        spec_with_labels(dataset, wanted)
    assert "`labels`" in caught.value.hint
    assert "data.labels=[]" in caught.value.hint


def test_an_unknown_name_is_met_with_the_nearest(write: Write) -> None:
    with pytest.raises(DataError, match="no label 'smiles'") as caught:
        spec_with_labels(write(COLUMNS), ("male", "smiles"))
    assert "Did you mean 'smile'?" in caught.value.hint
    assert "age, male, smile" in caught.value.hint


def test_a_label_that_no_training_image_has_is_refused(write: Write) -> None:
    columns = {**COLUMNS, "hat": [NAN] * 6 + [1, 0, 1]}
    with pytest.raises(DataError, match="'hat' is missing from every training") as caught:
        spec_with_labels(write(columns), "all")
    assert "data.labels" in caught.value.hint


@pytest.mark.parametrize("value", [40.0, 37.3, -1.1])
def test_a_quantity_that_never_changes_is_refused(write: Write, value: float) -> None:
    dataset = write({"age": [value, value, NAN, value, value, value, 1, 2, 3]})
    with pytest.raises(DataError, match="in every training image: it says nothing") as caught:
        spec_with_labels(dataset, ("age",))
    assert f"{value:g}" in caught.value.message
    assert "data.labels" in caught.value.hint


LABELS = (Label("Male", True), Label("age", False, 40.0, 10.0))


def test_fixed_values_are_scaled_by_column() -> None:
    assert scaled_by_column({"age": 55, "male": 0.75}, LABELS) == {1: 1.5, 0: 0.5}
    assert scaled_by_column({"Male": 0}, LABELS) == {0: -1.0}
    assert scaled_by_column({"age": -10}, LABELS) == {1: -5.0}  # a quantity has no limits
    assert scaled_by_column({}, LABELS) == {}


@pytest.mark.parametrize(
    ("wanted", "labels", "place", "help_"),
    [
        ({"mael": 1}, LABELS, "no label 'mael'", "Did you mean 'Male'?"),
        ({"male": 1}, (), "no label 'male'", "without labels"),
        ({"Male": 1.5}, LABELS, "Male=1.5", "from 0 (no) to 1 (yes)"),
        ({"Male": -0.1}, LABELS, "Male=-0.1", "from 0 (no) to 1 (yes)"),
        ({"Male": NAN}, LABELS, "Male=nan", "from 0 (no) to 1 (yes)"),
        ({"age": math.inf}, LABELS, "age=inf", "finite number"),
        ({"age": NAN}, LABELS, "age=nan", "finite number"),
    ],
)
def test_impossible_wishes_are_refused(
    wanted: dict[str, float], labels: tuple[Label, ...], place: str, help_: str
) -> None:
    with pytest.raises(FaceganError) as caught:
        scaled_by_column(wanted, labels)
    assert place in caught.value.message
    assert help_ in caught.value.hint


MOODS = (
    Label("emotion=glad", True),
    Label("age", False, 40.0, 10.0),
    Label("emotion=very sad", True),
    Label("emotion=3", True),
    Label("hair=red", True),
    Label("hair=grey", True),
)


@pytest.mark.parametrize(
    "wanted",
    [
        {"emotion": "very sad"},
        {"Emotion": "Very  Sad"},
        {"emotion=very sad": 1},
        {"very-sad": 1.0},
        {"very_sad": "yes"},
    ],
)
def test_a_class_by_name_is_none_of_the_others(wanted: dict[str, float | str]) -> None:
    assert scaled_by_column(wanted, MOODS) == {2: 1.0, 0: -1.0, 3: -1.0}


def test_classes_beside_other_labels() -> None:
    assert scaled_by_column({"emotion": 3, "age": 50, "hair": "Red"}, MOODS) == {
        **{3: 1.0, 0: -1.0, 2: -1.0},
        1: 1.0,
        **{4: 1.0, 5: -1.0},
    }
    # Shares of classes are what is asked for, and nothing is added to them.
    assert scaled_by_column({"emotion=glad": 0.5, "emotion=very sad": 0.5}, MOODS) == {
        0: 0.0,
        2: 0.0,
    }


@pytest.mark.parametrize(
    ("wanted", "place", "help_"),
    [
        ({"emotion": "gald"}, "emotion has no class 'gald'", "Did you mean 'glad'?"),
        ({"emotion": 7}, "emotion has no class '7'", "very sad"),
        ({"age": "old"}, "The label age cannot be 'old'", "a number"),
        ({"moot": 1}, "no label 'moot'", "emotion"),
        ({"emotion": "glad", "glad": 1}, "emotion=glad is given twice", "once"),
    ],
)
def test_impossible_classes_are_refused(wanted: Any, place: str, help_: str) -> None:
    with pytest.raises(FaceganError) as caught:
        scaled_by_column(wanted, MOODS)
    assert place in caught.value.message
    assert help_ in caught.value.hint


def test_a_column_of_classes_stands_for_all_of_them(write: Write) -> None:
    columns = {
        "mood=glad": [1, 0, 0, 1, 0, 0, 0, 0, 0],
        "age": COLUMNS["age"],
        "mood=sad": [0, 1, 1, 0, 1, 1, 1, 1, 1],
    }
    dataset = write(columns)
    labels = spec_with_labels(dataset, ("Mood", "age", "mood=sad")).labels
    assert [label.name for label in labels] == ["mood=glad", "mood=sad", "age"]
    assert labels[0].binary
