"""The dataset on disk: what goes in comes out, and what is broken is named."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.data.dataset import Dataset
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError


def write_dataset(path: Path, n: int = 6, resolution: int = 8, seed: int = 0, **options) -> Path:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, resolution, resolution, 3), dtype=np.uint8)
    splits = ["holdout" if i % 3 == 2 else "train" for i in range(n)]
    with DatasetWriter(path, resolution, 3, ("smile", "age"), **options) as writer:
        for part in np.array_split(np.arange(n), 2):
            writer.add(
                images[part],
                [f"{i}.png" for i in part],
                [f"person {i // 2}" for i in part],
                [splits[i] for i in part],
                [f"in/{i}.png" for i in part],
                np.array([[i, np.nan] for i in part], np.float32),
            )
        writer.finish({"name": "random", "counts": {"read": n}, "labels": {"source": "here"}})
    return path


@pytest.fixture
def dataset_path(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "dataset")


def test_a_pack_holds_what_was_written(dataset_path: Path):
    dataset = Dataset.open(dataset_path, verify=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    assert np.array_equal(dataset.images, images)
    assert not dataset.images.flags.writeable
    assert len(dataset) == 6
    assert (dataset.spec.resolution, dataset.spec.channels, len(dataset.label_names)) == (8, 3, 2)
    assert dataset.label_names == ("smile", "age")
    assert dataset.labels is not None
    assert dataset.labels[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert np.isnan(dataset.labels[:, 1]).all()
    assert dataset.indices("train").tolist() == [0, 1, 3, 4]
    assert dataset.indices("holdout").tolist() == [2, 5]
    assert dataset.indices("all").dtype == np.int64
    assert dataset.identities[2:4] == ["person 1", "person 1"]
    assert dataset.sources[5] == "in/5.png"


def test_the_card_tells_the_numbers(dataset_path: Path):
    dataset = Dataset.open(dataset_path)
    train = dataset.images[dataset.indices("train")] / 255
    assert np.allclose(dataset.card["mean"], train.mean((0, 1, 2)), atol=1e-6)
    assert np.allclose(dataset.card["std"], train.std((0, 1, 2)), atol=1e-6)
    counts = dataset.card["counts"]
    assert (counts["read"], counts["kept"], counts["train"], counts["holdout"]) == (6, 6, 4, 2)
    assert counts["identities"] == 3
    smile, age = dataset.card["labels"]["columns"]
    assert smile == {"name": "smile", "missing": 0, "mean": 2.5, "lowest": 0, "highest": 5}
    assert age == {"name": "age", "missing": 6}


def test_copies_are_counted_and_kept(tmp_path: Path):
    image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    with DatasetWriter(tmp_path / "p", 4, 3) as writer:
        writer.add(np.repeat(image, 3, 0), ["a"] * 3, ["a"] * 3, ["train"] * 3, ["a"] * 3)
        writer.add(image, ["b"], ["b"], ["holdout"], ["b"])
        writer.finish({})
    counts = Dataset.open(tmp_path / "p").card["counts"]
    assert (counts["kept"], counts["duplicates"], counts["duplicates_across_splits"]) == (4, 3, 1)


def test_equal_content_has_equal_fingerprints_and_bytes(tmp_path: Path):
    first, second = write_dataset(tmp_path / "a"), write_dataset(tmp_path / "b")
    other = write_dataset(tmp_path / "c", seed=1)
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()
    assert Dataset.open(first).fingerprint != Dataset.open(other).fingerprint


names = st.text(min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(any),
    resolution=st.integers(1, 9),
    channels=st.sampled_from([1, 3]),
    labels=st.integers(0, 3),
    name=names,
    seed=st.integers(0, 99),
)
def test_any_pack_round_trips(sizes, resolution, channels, labels, name, seed):
    rng = np.random.default_rng(seed)
    shape = (sum(sizes), resolution, resolution, channels)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    values = rng.standard_normal((sum(sizes), labels)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p"
        label_names = tuple(f"l{i}" for i in range(labels))
        with DatasetWriter(path, resolution, channels, label_names) as writer:
            start = 0
            for size in sizes:
                rows = slice(start, start + size)
                text = [name] * size
                writer.add(images[rows], text, text, ["train"] * size, text, values[rows])
                start += size
            writer.finish({})
        dataset = Dataset.open(path, verify=True)
        assert np.array_equal(dataset.images, images)
        if labels:
            assert np.array_equal(dataset.labels, values)
        assert len(set(dataset.names)) == 1
        assert "\n" not in dataset.names[0]


def edit_card(dataset: Path, **changes: object) -> None:
    card = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(card | changes))


def remove(name: str):
    return lambda dataset: (dataset / name).unlink()


def cut(name: str, keep: int):
    return lambda dataset: (dataset / name).write_bytes((dataset / name).read_bytes()[:keep])


def save(name: str, array: np.ndarray):
    return lambda dataset: np.save(dataset / name, array)


def text(name: str, content: str):
    return lambda dataset: (dataset / name).write_text(content)


BROKEN = {
    "no card": (remove("dataset.json"), "not a dataset"),
    "card is not JSON": (text("dataset.json", "{"), "not JSON"),
    "card is binary": (lambda p: (p / "dataset.json").write_bytes(b"\xff\xfe"), "not JSON"),
    "card is a list": (text("dataset.json", "[1]"), "not the card"),
    "another tool's card": (text("dataset.json", '{"labels": null}'), "not the card"),
    "newer format": (lambda p: edit_card(p, format=99), "newer facegan"),
    "no fingerprint": (lambda p: edit_card(p, fingerprint=None), "fingerprint"),
    "label names are numbers": (lambda p: edit_card(p, label_names=[1, 2]), "not all text"),
    "a label name too many": (lambda p: edit_card(p, label_names=["a", "b", "c"]), "labels.npy"),
    "no images": (remove("images.npy"), "images.npy is missing"),
    "images cut short": (cut("images.npy", 300), "damaged or cut short"),
    "images header cut": (cut("images.npy", 20), "damaged or cut short"),
    "images empty": (cut("images.npy", 0), "damaged or cut short"),
    "images too long": (
        lambda p: (p / "images.npy").open("ab").write(b"x"),
        "does not fit its header",
    ),
    "images are floats": (save("images.npy", np.zeros((6, 8, 8, 3), np.float32)), "float32"),
    "images not square": (save("images.npy", np.zeros((6, 8, 9, 3), np.uint8)), "[6, 8, 9, 3]"),
    "images are flat": (save("images.npy", np.zeros((6, 8), np.uint8)), "[6, 8]"),
    "two channels": (save("images.npy", np.zeros((6, 8, 8, 2), np.uint8)), "[6, 8, 8, 2]"),
    "images pickled": (
        lambda p: np.save(p / "images.npy", np.array([{}]), allow_pickle=True),
        "damaged",
    ),
    "no labels": (remove("labels.npy"), "labels.npy is missing"),
    "labels of fewer images": (save("labels.npy", np.zeros((5, 2), np.float32)), "[5, 2]"),
    "labels are doubles": (save("labels.npy", np.zeros((6, 2))), "float64"),
    "no items": (remove("items.csv"), "items.csv is missing"),
    "an item too few": (cut("items.csv", 60), "lists"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_pack_is_named_when_opened(dataset_path: Path, case: str):
    damage, message = BROKEN[case]
    damage(dataset_path)
    with pytest.raises(DataError) as caught:
        Dataset.open(dataset_path)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new"),
    [("name,identity", "who,what"), (",train,", ",test,"), (",in/0.png", "")],
    ids=["columns", "split", "values"],
)
def test_broken_items_are_named_when_needed(dataset_path: Path, old: str, new: str):
    items = dataset_path / "items.csv"
    items.write_text(items.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=r"items\.csv"):
        Dataset.open(dataset_path).indices("train")


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "items.csv"])
def test_verify_notices_one_changed_byte(dataset_path: Path, name: str):
    content = bytearray((dataset_path / name).read_bytes())
    content[-3] ^= 1
    (dataset_path / name).write_bytes(content)
    Dataset.open(dataset_path)
    with pytest.raises(DataError, match="has changed since"):
        Dataset.open(dataset_path, verify=True)


def test_what_is_not_a_pack_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="There is no dataset"):
        Dataset.open(tmp_path / "nothing")
    with pytest.raises(DataError, match="is a file, not a dataset"):
        Dataset.open(tmp_path / "file")
    with pytest.raises(DataError, match="not a dataset"):
        Dataset.open(tmp_path)


def test_a_pack_put_aside_is_mentioned(dataset_path: Path):
    dataset_path.rename(dataset_path.with_name(".dataset.replaced"))
    with pytest.raises(DataError, match="There is no dataset") as caught:
        Dataset.open(dataset_path)
    assert ".dataset.replaced" in caught.value.hint


def test_an_unknown_split_names_the_nearest(dataset_path: Path):
    with pytest.raises(DataError, match="Did you mean 'holdout'"):
        Dataset.open(dataset_path).indices("hold-out")


def test_a_moved_pack_still_opens(dataset_path: Path, tmp_path: Path):
    shutil.move(dataset_path, tmp_path / "elsewhere")
    Dataset.open(tmp_path / "elsewhere", verify=True)


def test_images_are_copied_from_the_file(dataset_path: Path) -> None:
    dataset = Dataset.open(dataset_path)
    rows = np.array([5, 0, 4, 4, 2, 3, 1])
    copy = dataset.copied(rows)
    assert isinstance(dataset.images, np.memmap)
    assert not isinstance(copy, np.memmap)
    assert copy.flags.c_contiguous
    assert copy.flags.writeable
    assert np.array_equal(copy, np.load(dataset_path / "images.npy")[rows])
    assert dataset.copied(rows[:0]).shape == (0, *dataset.images.shape[1:])
