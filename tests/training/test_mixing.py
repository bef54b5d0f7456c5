"""Several datasets in one batch: which share each takes, and with which labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan.data.dataset import Dataset
from facegan.data.writer import DatasetWriter
from facegan.device import Execution
from facegan.errors import DataError, RecipeError
from facegan.recipe import Recipe
from facegan.schedule import resolve
from facegan.training.batch_source import BatchSource

HERE = Execution(torch.device("cpu"))
# Each dataset's pictures are of one value each, which tells whose they are.
FIRST = {"main": 0, "second": 100, "third": 200}
COUNT = 30
Make = Callable[..., Any]


def write(
    path: Path, first: int, labels: dict[str, Callable[[float], float]], side: int = 4
) -> Dataset:
    """30 grey pictures of the values first, first + 1, …; every fifth one is held out."""
    values = np.arange(first, first + COUNT)
    images = np.broadcast_to(values[:, None, None, None], (COUNT, side, side, 1)).astype(np.uint8)
    names = [str(v) for v in values]
    splits = ["holdout" if v % 5 == 4 else "train" for v in values]
    rows = np.array([[f(float(v)) for f in labels.values()] for v in values], np.float32)
    with DatasetWriter(path, side, 1, label_names=list(labels)) as writer:
        writer.add(images, names, names, splits, names, rows if labels else None)
        writer.finish({"name": path.name})
    return Dataset.open(path)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> list[Dataset]:
    """Without labels: the main one and two others."""
    folder = tmp_path_factory.mktemp("datasets")
    return [write(folder / name, first, {}) for name, first in FIRST.items()]


def feed_of(
    datasets: Sequence[Dataset], execution: Execution = HERE, *settings: str
) -> BatchSource:
    """A feed as a recipe with as many shares asks for it."""
    shares = [0.1] * (len(datasets) - 1)
    recipe = Recipe.load("gan").override(f"data.mix={shares}", "data.range=unit", *settings)
    return BatchSource.of(recipe, datasets[0], execution, datasets[1:])


def values(
    batch_source: BatchSource, position: int, size: int, shares: Sequence[float]
) -> np.ndarray:
    """The value of each picture of a batch."""
    images, _ = batch_source.batch(position, size, shares)
    return (images[:, 0, 0, 0] * 255).round().int().numpy()


def test_each_takes_its_share(datasets: list[Dataset]) -> None:
    batch_source = feed_of(datasets)
    n, shares = 20_000, (0.3, 0.1)
    found = np.concatenate([values(batch_source, i * 500, 500, shares) for i in range(n // 500)])
    taken = np.bincount(found // 100, minlength=3)
    for count, share in zip(taken, (0.6, *shares), strict=True):
        assert abs(count - n * share) < 4 * np.sqrt(n * share * (1 - share))
    for first in FIRST.values():  # each of the pictures that may be shown, and no other
        mine = found[found // 100 == first // 100]
        shown = [v for v in range(first, first + COUNT) if v % 5 != 4]
        assert sorted(set(mine.tolist())) == shown
        assert np.bincount(mine - first).max() < 2 * len(mine) / len(shown)


@pytest.mark.parametrize(("shares", "owner"), [((1.0, 0.0), 100), ((0.0, 1.0), 200)])
def test_a_whole_share_leaves_nothing_to_others(
    datasets: list[Dataset], shares: tuple[float, ...], owner: int
) -> None:
    found = values(feed_of(datasets), 64, 2000, shares)
    assert set((found // 100 * 100).tolist()) == {owner}


@pytest.mark.parametrize("shares", [(0.0, 0.0), ()])
def test_without_a_share_the_batches_are_those_of_the_main_dataset(
    datasets: list[Dataset], shares: tuple[float, ...]
) -> None:
    alone = feed_of(datasets[:1])
    for position in (0, 7, 64):
        expected = values(alone, position, 48, ())
        assert np.array_equal(values(feed_of(datasets), position, 48, shares), expected)


def test_what_stays_of_the_main_dataset_keeps_its_place(datasets: list[Dataset]) -> None:
    alone = values(feed_of(datasets), 40, 400, ())
    mixed = values(feed_of(datasets), 40, 400, (0.25, 0.25))
    stayed = mixed < 100
    assert 120 < stayed.sum() < 280
    assert np.array_equal(mixed[stayed], alone[stayed])


def test_a_batch_depends_on_its_position_alone(datasets: list[Dataset]) -> None:
    """So a run that goes on sees what it would have seen, whatever was mixed before."""
    batch_source, shares = feed_of(datasets), (0.4, 0.2)
    straight = [values(batch_source, position, 16, shares) for position in range(0, 96, 16)]
    assert len({tuple(batch.tolist()) for batch in straight}) == 6
    again = feed_of(datasets)
    for i in (5, 2):
        assert np.array_equal(values(again, 16 * i, 16, shares), straight[i])
    other = feed_of(datasets, HERE, "training.seed=1")
    assert not np.array_equal(values(other, 0, 16, shares), straight[0])


def test_two_processes_see_what_one_would(datasets: list[Dataset]) -> None:
    shares = (0.4, 0.2)
    one = values(feed_of(datasets), 32, 24, shares)
    parts = [
        values(feed_of(datasets, Execution(torch.device("cpu"), rank=r, world=2)), 32, 24, shares)
        for r in (0, 1)
    ]
    assert [len(part) for part in parts] == [12, 12]
    assert np.array_equal(np.concatenate(parts), one)


def test_a_schedule_begins_on_one_dataset_and_ends_on_another(datasets: list[Dataset]) -> None:
    """The example of docs/data.md, as a trainer resolves it."""
    mix = 'data.mix=[{kind="linear", start=1.0, end=0.0, finish=0.3}]'
    recipe = Recipe.load("gan").override(mix, "data.range=unit")
    batch_source = BatchSource.of(recipe, datasets[0], HERE, datasets[1:2])
    seen = {}
    for progress in (0.0, 0.15, 0.3, 1.0):
        shares = [float(share) for share in resolve(recipe.data, progress)[0].mix]  # type: ignore[arg-type]
        seen[progress] = (values(batch_source, 640, 1000, shares) >= 100).mean()
    assert seen[0.0] == 1.0
    assert abs(seen[0.15] - 0.5) < 0.07
    assert seen[0.3] == seen[1.0] == 0.0


# --- labels --------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> list[Dataset]:
    """The second has the same labels in another order, the third lacks one."""
    folder = tmp_path_factory.mktemp("labelled")
    labels = {"odd": lambda v: v % 2, "value": lambda v: v, "other": lambda v: -v}
    columns = (("odd", "value"), ("other", "value", "odd"), ("value",))
    return [
        write(folder / name, first, {key: labels[key] for key in wanted})
        for (name, first), wanted in zip(FIRST.items(), columns, strict=True)
    ]


def test_labels_are_joined_by_name_and_missing_where_there_are_none(
    labelled: list[Dataset],
) -> None:
    batch_source = feed_of(labelled, HERE, "data.labels=all")
    assert [label.name for label in batch_source.spec.labels] == ["odd", "value"]
    images, labels = batch_source.batch(0, 600, (0.3, 0.3))
    assert labels is not None
    shown = (images[:, 0, 0, 0] * 255).round()
    assert set((shown // 100).int().tolist()) == {0, 1, 2}
    odd, value = labels.T
    known = shown < 200
    assert torch.equal(odd[known], shown[known] % 2 * 2 - 1)
    assert torch.isnan(odd[~known]).all()
    # On the scale of the main dataset, whichever dataset a picture is from.
    train = np.array([v for v in range(COUNT) if v % 5 != 4])
    expected = (shown - train.mean()) / train.std()
    torch.testing.assert_close(value, expected.float(), rtol=1e-5, atol=1e-5)


def test_a_dataset_without_labels_is_shown_without(
    labelled: list[Dataset], datasets: list[Dataset]
) -> None:
    batch_source = feed_of([labelled[0], datasets[1]], HERE, "data.labels=all")
    images, labels = batch_source.batch(0, 200, (0.5,))
    assert labels is not None
    others = images[:, 0, 0, 0] * 255 > 99
    assert 60 < others.sum() < 140
    assert torch.isnan(labels[others]).all()
    assert not torch.isnan(labels[~others]).any()


def test_labels_that_nobody_asked_for_stay_away(labelled: list[Dataset]) -> None:
    assert feed_of(labelled).batch(0, 8, (0.5, 0.5))[1] is None


# --- what is kept back, what is refused ----------------------------------------------------
def test_what_is_kept_back_is_never_in_a_batch(datasets: list[Dataset]) -> None:
    adaptive = (
        "augment={flip=true, probability={kind='adaptive', heuristic='held_out', reserve=0.25}}"
    )
    batch_source = feed_of(datasets, HERE, "method.loss=relativistic", adaptive)
    kept = [batch_source.held_out(position, 50) for position in range(0, 500, 50)]
    held = {v for each in kept if each for v in (each[0][:, 0, 0, 0] * 255).round().int().tolist()}
    assert len(held) == 6  # a quarter of 24, all of the main dataset
    assert max(held) < COUNT
    shown = {
        v for i in range(0, 2000, 100) for v in values(batch_source, i, 100, (0.2, 0.2)).tolist()
    }
    assert held & shown == set()
    assert len([v for v in shown if v < 100]) == 18


def test_another_shape_is_refused(datasets: list[Dataset], tmp_path: Path) -> None:
    large = write(tmp_path / "large", 100, {}, side=8)
    with pytest.raises(DataError, match=r"8×8 with 1 channels.*4×4") as caught:
        feed_of([datasets[0], large])
    assert "large" in caught.value.message
    assert "Import" in caught.value.hint


def test_another_number_of_datasets_is_refused(datasets: list[Dataset]) -> None:
    recipe = Recipe.load("gan").override("data.mix=[0.5]")
    for others in ([], datasets[1:]):
        with pytest.raises(RecipeError, match=r"data\.mix has 1 shares") as caught:
            BatchSource.of(recipe, datasets[0], HERE, others)
        assert "`mix`" in caught.value.hint
