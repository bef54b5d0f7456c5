"""`facegan data label`: a dataset with labels read from its pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegan.apps.labelling import label
from facegan.data.dataset import Dataset
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError, StorageError
from facegan.evaluation.attributes import AttributeReader


@pytest.fixture(scope="module")
def reader() -> AttributeReader:
    return AttributeReader.open()


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["dataset_path", "grey_dataset_path"])
def test_every_picture_is_labelled(
    kind: str, request: pytest.FixtureRequest, reader: AttributeReader, tmp_path: Path
) -> None:
    path = request.getfixturevalue(kind)
    before = bytes_in(path)
    made = label(path, tmp_path / "new", device="cpu")
    old = Dataset.open(path)
    made.verify()
    assert bytes_in(path) == before
    assert made.label_names == reader.names
    assert made.labels is not None
    np.testing.assert_allclose(
        made.labels, reader.read(np.asarray(old.images)), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(made.images, old.images)
    for part in ("names", "identities", "splits", "sources"):
        assert getattr(made, part) == getattr(old, part)
    same = ("name", "source", "licence", "counts", "mean", "std", "resolution", "channels")
    assert all(made.card[key] == old.card[key] for key in same)
    about = made.card["labels"]
    assert about["machine_read"] == list(reader.names)
    assert "no human labels" in about["machine_read_by"]
    assert reader.fingerprint[:12] in about["machine_read_by"]
    assert old.fingerprint in about["machine_read_from"]
    again = label(path, tmp_path / "again", device="cpu")
    assert again.fingerprint == made.fingerprint


@pytest.fixture
def known(tmp_path: Path, dataset_path: Path) -> Dataset:
    """Blobs with a label of their own, one that the reader knows too, and files left out."""
    old = Dataset.open(dataset_path)
    values = np.stack((np.arange(48) / 48, np.full(48, 77)), 1).astype(np.float32)
    values[3, 1] = np.nan
    with DatasetWriter(tmp_path / "known", 32, 3, ("warm", "age")) as writer:
        writer.add(
            np.asarray(old.images), old.names, old.identities, old.splits, old.sources, values
        )
        writer.extra("dropped.csv", "name,reason,detail\n")
        writer.finish({"name": "known", "labels": {"note": "by hand"}, "counts": {"read": 49}})
    return Dataset.open(tmp_path / "known")


def test_labels_that_are_there_are_kept(
    known: Dataset, reader: AttributeReader, capsys: pytest.CaptureFixture[str]
) -> None:
    made = label(known.path, device="cpu")
    assert made.path == known.path.with_name("known-labelled")
    assert made.label_names == ("warm", "age", *reader.names[:-1])
    assert made.labels is not None
    assert known.labels is not None
    np.testing.assert_array_equal(made.labels[:, :2], known.labels)
    assert made.card["labels"]["note"] == "by hand"
    assert made.card["labels"]["machine_read"] == list(reader.names[:-1])
    assert made.card["counts"]["read"] == 49
    assert (made.path / "dropped.csv").read_text() == "name,reason,detail\n"
    said = capsys.readouterr().out
    assert "40 labels read" in said
    assert "not read: age." in said
    assert "`replace`" in said


def test_labels_are_read_anew_on_request(
    known: Dataset, reader: AttributeReader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = label(known.path, tmp_path / "new", replace=True, device="cpu")
    assert made.label_names == ("warm", "age", *reader.names[:-1])
    assert made.labels is not None
    assert known.labels is not None
    np.testing.assert_array_equal(made.labels[:, 0], known.labels[:, 0])
    read = reader.read(np.asarray(known.images))
    np.testing.assert_allclose(made.labels[:, 1], read[:, -1], rtol=1e-4)
    assert made.card["labels"]["machine_read"] == ["age", *reader.names[:-1]]
    assert f"Read anew in the place of what {known.path} has: age." in capsys.readouterr().out
    with pytest.raises(DataError, match="has every label") as caught:
        label(made.path, device="cpu")
    assert "`replace`" in caught.value.hint


def test_nothing_is_destroyed(known: Dataset, tmp_path: Path, dataset_path: Path) -> None:
    before = bytes_in(known.path)
    for overwrite in (False, True):
        with pytest.raises(DataError, match="is the dataset itself"):
            label(known.path, known.path / ".." / "known", overwrite=overwrite, device="cpu")
    taken = Path(shutil.copytree(dataset_path, tmp_path / "taken"))
    with pytest.raises(DataError, match="already holds a dataset"):
        label(known.path, taken, device="cpu")
    assert bytes_in(taken) == bytes_in(dataset_path)
    assert bytes_in(known.path) == before
    made = label(known.path, taken, overwrite=True, device="cpu")
    assert made.path == taken
    assert made.label_names[:2] == ("warm", "age")


def test_what_cannot_be_labelled_is_refused(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    small = make_dataset(tmp_path / "small", n=6, resolution=16)
    with pytest.raises(DataError, match="16 pixels a side: too few"):
        label(small, tmp_path / "new")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="is not a dataset"):
        label(tmp_path / "folder", tmp_path / "new")
    with pytest.raises(DataError, match="no dataset at"):
        label(tmp_path / "absent", tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "small"]


def test_a_full_disk_leaves_nothing_behind(
    dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facegan.data.append import GrowingArray

    def full(self: object, rows: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(GrowingArray, "append", full)
    with pytest.raises(StorageError):
        label(dataset_path, tmp_path / "new", device="cpu")
    assert list(tmp_path.iterdir()) == []
