"""The zip of NVlabs' layout: written, and read again as the same."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from imagefiles import fill_folder, png

from facegan.data.dataset import Dataset
from facegan.data.export import export_zip
from facegan.data.importer import import_images
from facegan.errors import DataError, StorageError


def again(path: Path, tmp_path: Path, **options) -> Dataset:
    return import_images(path, tmp_path / "again", resolution=32, holdout=0, **options)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_come_back_to_the_byte(
    tmp_path: Path, make_dataset: Callable[..., Path], channels: int
) -> None:
    dataset = Dataset.open(make_dataset(tmp_path / "faces", channels=channels))
    path = export_zip(dataset, tmp_path / "faces.zip")
    back = again(path, tmp_path, channels=channels)
    assert np.array_equal(back.images, dataset.images)
    assert back.card["layout"] == "NVlabs dataset"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == "00000/img00000000.png"
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        described = json.loads(archive.read("dataset.json"))
    assert described["labels"] is None
    assert described["facegan"]["licence"] == "CC0-1.0"


def classes(tmp_path: Path, missing: bool = False) -> Dataset:
    words = ("sad", "glad", "angry")
    source = fill_folder(tmp_path / "in", {f"{n}.png": png(n) for n in range(9)})
    rows = "".join(f"{n}.png,{words[n % 3]}\n" for n in range(8 if missing else 9))
    (tmp_path / "l.csv").write_text(f"file,mood\n{rows}")
    return import_images(
        source, tmp_path / "faces", labels=tmp_path / "l.csv", resolution=32, holdout=0.3
    )


def test_classes_become_numbers_and_come_back(tmp_path: Path) -> None:
    dataset = classes(tmp_path)
    assert dataset.label_names == ("mood=angry", "mood=glad", "mood=sad")
    path = export_zip(dataset, tmp_path / "faces.zip")
    with zipfile.ZipFile(path) as archive:
        labels = json.loads(archive.read("dataset.json"))["labels"]
    assert [label for _, label in labels] == [(2, 1, 0)[n % 3] for n in range(9)]
    back = again(path, tmp_path)
    assert back.label_names == ("class_0", "class_1", "class_2")
    assert np.array_equal(back.labels, dataset.labels)
    second = export_zip(back, tmp_path / "second.zip")
    with zipfile.ZipFile(second) as archive:
        assert json.loads(archive.read("dataset.json"))["labels"] == labels


def test_other_labels_stay_vectors(tmp_path: Path, labelled_dataset_path: Path) -> None:
    dataset = Dataset.open(labelled_dataset_path)
    with pytest.raises(DataError, match="pictures lack labels"):
        export_zip(dataset, tmp_path / "faces.zip")
    assert not (tmp_path / "faces.zip").exists()
    export_zip(dataset, tmp_path / "faces.zip", labels=False)


def test_a_split_alone(tmp_path: Path) -> None:
    dataset = classes(tmp_path)
    back = again(export_zip(dataset, tmp_path / "a.zip", split="train"), tmp_path)
    assert np.array_equal(back.images, dataset.images[dataset.indices("train")])


def test_what_is_there_is_replaced_only_when_asked(tmp_path: Path, dataset_path: Path) -> None:
    dataset = Dataset.open(dataset_path)
    path = tmp_path / "a.zip"
    path.write_bytes(b"mine")
    with pytest.raises(DataError, match="is there already"):
        export_zip(dataset, path)
    assert path.read_bytes() == b"mine"
    export_zip(dataset, path, overwrite=True)
    first = path.read_bytes()
    export_zip(dataset, path, overwrite=True)
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["a.zip"]


def test_a_failure_leaves_nothing(tmp_path: Path, dataset_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        export_zip(Dataset.open(dataset_path), tmp_path / "file" / "a.zip")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_zip(Dataset.open(dataset_path), tmp_path / "a.zip", progress=stop)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
