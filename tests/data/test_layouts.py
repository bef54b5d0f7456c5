"""Known datasets bring their identities, splits and labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from imagefiles import fill_folder, fill_tar, fill_zip, lfw_files, png

from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.data.layouts import Layout
from facegan.errors import DataError


def load(source: Path, tmp_path: Path, **options) -> Dataset:
    return import_images(source, tmp_path / "dataset", resolution=16, overwrite=True, **options)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_lfw_names_give_identities(tmp_path: Path, kind: str):
    fill = {"folder": fill_folder, "zip": fill_zip, "tar": fill_tar}[kind]
    source = fill(tmp_path / "lfw", lfw_files() | {"README.txt": b"hello"})
    dataset = load(source, tmp_path)
    assert dataset.card["layout"] == "LFW"
    assert dataset.card["counts"]["identities"] == 12
    assert dataset.card["dropped"] == {"text, not used": 1}
    for name, identity in zip(dataset.names, dataset.identities, strict=True):
        assert name.startswith(identity + "_")


def test_an_lfw_folder_may_be_given_from_inside(tmp_path: Path):
    fill_folder(tmp_path, lfw_files())
    assert load(tmp_path / "lfw-drawn", tmp_path).card["layout"] == "LFW"


def test_nobody_is_on_both_sides(tmp_path: Path):
    # The pictures are much alike, and people alone shall decide.
    source = fill_tar(tmp_path / "lfw.tgz", lfw_files(people=30))
    dataset = load(source, tmp_path, holdout=0.4, duplicates="keep")
    sides = {}
    for identity, split in zip(dataset.identities, dataset.splits, strict=True):
        sides.setdefault(identity, set()).add(split)
    assert all(len(side) == 1 for side in sides.values())
    assert {"train"} in sides.values()
    assert {"holdout"} in sides.values()


def test_added_pictures_change_nobodys_split():
    layout = Layout("images")
    splits = {f"{i}.png": layout.split(f"{i}.png", 0.1, seed=0) for i in range(5000)}
    share = list(splits.values()).count("holdout") / 5000
    assert 0.08 < share < 0.12
    more = Layout("images", identities={"new.png": "7.png"})
    assert more.split("new.png", 0.1, seed=0) == splits["7.png"]
    wider = {path: layout.split(path, 0.3, seed=0) for path in splits}
    assert all(wider[path] == "holdout" for path, side in splits.items() if side == "holdout")
    other = {path: layout.split(path, 0.1, seed=1) for path in splits}
    assert other != splits
    assert all(layout.split(path, 0, seed=0) == "train" for path in splits)


def test_one_folder_named_alike_is_no_person(tmp_path: Path):
    files = {f"img/img_{i:04}.png": png(i) for i in range(5)}
    assert load(fill_folder(tmp_path / "in", files), tmp_path).card["counts"]["identities"] == 5


NVLABS = {f"00000/img{i:08}.png": png(i) for i in range(4)}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_nvlabs_classes_become_columns(tmp_path: Path, kind: str):
    labels = [[name, i % 3] for i, name in enumerate(NVLABS)][:3]
    files = NVLABS | {"dataset.json": json.dumps({"labels": labels}).encode()}
    fill = {"folder": fill_folder, "zip": fill_zip, "tar": fill_tar}[kind]
    dataset = load(fill(tmp_path / "data", files), tmp_path, holdout=0)
    assert dataset.card["layout"] == "NVlabs dataset"
    assert dataset.label_names == ("class_0", "class_1", "class_2")
    assert dataset.labels is not None
    assert dataset.labels[:3].tolist() == np.eye(3).tolist()
    assert np.isnan(dataset.labels[3]).all()
    assert dataset.card["dropped"] == {}
    assert dataset.card["counts"]["read"] == 4


def test_nvlabs_vectors_stay(tmp_path: Path):
    labels = [[name, [i / 4, -i]] for i, name in enumerate(NVLABS)]
    files = NVLABS | {"dataset.json": json.dumps({"labels": labels}).encode()}
    dataset = load(fill_zip(tmp_path / "data.zip", files), tmp_path)
    assert dataset.label_names == ("label_0", "label_1")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [[i / 4, -i] for i in range(4)]


def test_nvlabs_without_labels(tmp_path: Path):
    files = NVLABS | {"dataset.json": b'{"labels": null}'}
    dataset = load(fill_zip(tmp_path / "data.zip", files), tmp_path)
    assert dataset.labels is None
    assert dataset.card["layout"] == "NVlabs dataset"


def test_a_csv_replaces_the_labels_of_the_dataset(tmp_path: Path):
    files = NVLABS | {"dataset.json": b'{"labels": [["00000/img00000000.png", 1]]}'}
    (tmp_path / "labels.csv").write_text("file,a\nimg00000002,5\n")
    source = fill_zip(tmp_path / "data.zip", files)
    dataset = load(source, tmp_path, labels=tmp_path / "labels.csv")
    assert dataset.label_names == ("a",)
    assert dataset.card["labels"]["source"] == "labels.csv"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ('{"labels": 5}', "label 0"),
        ('{"labels": [["a.png"]]}', "label 0"),
        ('{"labels": [["a.png", -1]]}', "label 0"),
        ('{"labels": [["a.png", 1000000]]}', "label 0"),
        ('{"labels": [["a.png", true]]}', "truth value"),
        ('{"labels": [["a.png", 1], ["b.png", "x"]]}', "label 1"),
        ('{"labels": [["a.png", []]]}', "label 0"),
        ('{"labels": [["a.png", [1, null]]]}', "label 0"),
        ('{"labels": [["a.png", [1, NaN]]]}', "label 0"),
        ('{"labels": [["a.png", 1], ["b.png", [1]]]}', "mixes"),
        ('{"labels": [["a.png", [1, 2]], ["b.png", [1]]]}', "different lengths"),
        ('{"labels": [["elsewhere.png", 1]]}', "none of its 1 rows"),
    ],
)
def test_wrong_descriptions_are_named(tmp_path: Path, content: str, message: str):
    source = fill_zip(tmp_path / "data.zip", NVLABS | {"dataset.json": content.encode()})
    with pytest.raises(DataError) as caught:
        load(source, tmp_path)
    assert message in caught.value.message
    assert caught.value.hint
    assert not (tmp_path / "dataset").exists()


def test_another_dataset_json_is_just_a_file(tmp_path: Path):
    files = NVLABS | {"dataset.json": b'{"images": []}'}
    dataset = load(fill_zip(tmp_path / "data.zip", files), tmp_path)
    assert dataset.card["layout"] == "images"
    assert dataset.card["dropped"] == {"a table, not used": 1}


def test_a_pack_is_no_source(tmp_path: Path):
    source = load(fill_zip(tmp_path / "data.zip", NVLABS), tmp_path).path
    with pytest.raises(DataError, match="is a dataset already"):
        import_images(source, tmp_path / "again")


LISTS = {
    "list_attr_celeba.txt": b"3\nSmiling Male\n000001.jpg 1 -1\n000002.jpg -1 -1\n000003.jpg 1 1\n",
    "identity_CelebA.txt": b"000001.jpg 7\n000002.jpg 9\n000003.jpg 7\n",
    "list_eval_partition.txt": b"000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n",
}
PICTURES = {f"img_align_celeba/{i:06}.jpg": png(i) for i in (1, 2, 3)}


@pytest.mark.parametrize("arrangement", ["around", "beside the folder", "beside the zip"])
def test_celeba_brings_its_lists(tmp_path: Path, arrangement: str):
    base = fill_folder(tmp_path / "celeba", LISTS)
    if arrangement == "beside the zip":
        source = fill_zip(base / "img_align_celeba.zip", PICTURES)
    else:
        fill_folder(base, PICTURES)
        source = base if arrangement == "around" else base / "img_align_celeba"
    dataset = load(source, tmp_path)
    assert dataset.card["layout"] == "CelebA"
    assert dataset.card["split"] == "official"
    assert dataset.identities == ["7", "9", "7"]
    assert dataset.splits == ["train", "holdout", "holdout"]
    assert dataset.label_names == ("Smiling", "Male")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert dataset.card["dropped"] == {}


def test_celeba_without_some_lists(tmp_path: Path):
    name = "identity_CelebA.txt"
    source = fill_folder(tmp_path / "in", PICTURES | {name: LISTS[name]})
    dataset = load(source, tmp_path, holdout=0)
    assert dataset.identities == ["7", "9", "7"]
    assert dataset.labels is None
    assert dataset.splits == ["train"] * 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list_attr_celeba.txt", b"1\n", "names no attributes"),
        (
            "list_attr_celeba.txt",
            b"1\nA B\n000001.jpg 1\n",
            "line 3: 2 values, but the header has 3",
        ),
        ("list_attr_celeba.txt", b"1\nA\n000001.jpg 0\n", "line 3"),
        ("identity_CelebA.txt", b"000001.jpg 7 7\n", "line 1"),
        ("list_eval_partition.txt", b"000001.jpg 5\n", "'5' is no part"),
        ("identity_CelebA.txt", b"\xff\xfe", "cannot be read"),
    ],
)
def test_wrong_lists_are_named(tmp_path: Path, name: str, content: bytes, message: str):
    source = fill_folder(tmp_path / "in", PICTURES | {name: content})
    with pytest.raises(DataError) as caught:
        load(source, tmp_path)
    assert message in caught.value.message
    assert name in caught.value.message
