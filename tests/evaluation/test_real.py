"""Which real pictures are used: disjoint, repeatable, and never fewer than was said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegan.data.dataset import Dataset
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError
from facegan.evaluation.real import FEWEST, choose_real, enough_real


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, make_dataset: Callable[..., Path]) -> Dataset:
    """360 pictures: 300 to train on, 60 held out."""
    return Dataset.open(make_dataset(tmp_path_factory.mktemp("dataset") / "p", n=360, resolution=4))


@pytest.mark.parametrize("reference", ["train", "all"])
def test_reference_and_floor_divide_one_split(dataset: Dataset, reference: str) -> None:
    choice = choose_real(dataset, 100, None, reference)  # type: ignore[arg-type]
    pool = set(dataset.indices(reference).tolist())
    floor, rest = set(choice.floor.tolist()), set(choice.reference.tolist())
    assert len(choice.floor) == 100
    assert len(choice.reference) == len(pool) - 100
    assert not floor & rest
    assert floor | rest == pool
    assert (np.diff(choice.floor) > 0).all()
    assert (np.diff(choice.reference) > 0).all()


def test_the_holdout_as_reference_leaves_the_floor_to_the_training_pictures(
    dataset: Dataset,
) -> None:
    choice = choose_real(dataset, 200, None, "holdout")
    assert set(choice.reference.tolist()) == set(dataset.indices("holdout").tolist())
    assert set(choice.floor.tolist()) <= set(dataset.indices("train").tolist())


def test_the_same_for_the_same_arguments_and_other_for_another_seed(dataset: Dataset) -> None:
    one, same, other = (choose_real(dataset, 80, 90, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.floor, same.floor)
    np.testing.assert_array_equal(one.reference, same.reference)
    assert len(one.reference) == 90
    assert not np.array_equal(one.floor, other.floor)


def test_by_default_half_of_a_small_split(dataset: Dataset) -> None:
    choice = choose_real(dataset)
    assert len(choice.floor) == len(choice.reference) == 150


@pytest.mark.parametrize(
    ("n", "n_real", "reference", "says"),
    [
        (FEWEST - 1, None, "train", "too few"),
        (151, None, "train", "Ask for -n 150"),
        (301, None, "holdout", "Ask for -n 300"),
        (100, 201, "train", "up to 200"),
        (100, 10, "train", "50 or more"),
        (100, 61, "holdout", "larger `holdout`"),
    ],
)
def test_too_much_or_too_little_is_refused_with_what_is_possible(
    dataset: Dataset, n: int, n_real: int | None, reference: str, says: str
) -> None:
    with pytest.raises(DataError) as refused:
        choose_real(dataset, n, n_real, reference)  # type: ignore[arg-type]
    assert says in f"{refused.value.message} {refused.value.hint}"


def test_a_tiny_pack_cannot_be_measured_with(
    tmp_path: Path, make_dataset: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match="too few"):
        choose_real(Dataset.open(make_dataset(tmp_path / "small", n=20, resolution=4)))


def write_people(path: Path, who: list[str], card: dict[str, str]) -> Dataset:
    pictures = np.random.default_rng(0).integers(0, 256, (len(who), 4, 4, 3), np.uint8)
    names = [f"{i}.png" for i in range(len(who))]
    with DatasetWriter(path, 4, 3) as writer:
        writer.add(pictures, names, who, ["train"] * len(who), names)
        writer.finish(card)
    return Dataset.open(path)


def test_the_other_floor_shares_nobody_with_its_reference(tmp_path: Path) -> None:
    dataset = write_people(tmp_path / "p", [f"person {int(i**0.8)}" for i in range(300)], {})
    choice = choose_real(dataset, 100)
    assert choice.floors == "shared"
    assert choice.others is not None
    apart, names = choice.others, np.asarray(dataset.identities)
    assert (len(apart.floor), len(apart.reference)) == (100, len(choice.reference))
    assert not set(names[apart.floor]) & set(names[apart.reference])
    assert set(names[choice.floor]) & set(names[choice.reference])
    for one in range(100):
        for other in range(100):
            same = names[apart.floor[one]] == names[apart.floor[other]]
            assert (apart.people[one] == apart.people[other]) == same
    everything = {*choice.reference, *choice.floor, *apart.reference, *apart.floor}
    assert set(choice.all.tolist()) == everything


def test_who_is_shown_may_be_unknown_or_nobody_twice(tmp_path: Path) -> None:
    names = [f"{i}" for i in range(120)]
    for said, floors in (("unknown", "unknown"), ("a list", "apart")):
        choice = choose_real(write_people(tmp_path / said, names, {"identities_from": said}), 60)
        assert (choice.floors, choice.others) == (floors, None)
    # One person has nearly all pictures, so that nobody is left for one of the sides.
    choice = choose_real(write_people(tmp_path / "one", ["a"] * 118 + ["b", "c"], {}), 60)
    assert (choice.floors, choice.others) == ("shared", None)


def test_a_small_n_needs_no_large_reference(dataset: Dataset) -> None:
    assert enough_real(50) < enough_real(5_000) == 10_000 == enough_real(50_000)
    assert len(choose_real(dataset, 50).reference) == 250
    assert len(choose_real(dataset, 50, 100).reference) == 100
