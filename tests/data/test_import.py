"""Importing from end to end: the dataset, its card, and nothing left when it fails."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagefiles import (
    encoded,
    fill_folder,
    fill_tar,
    fill_zip,
    jpeg,
    lfw_files,
    png,
    png_bomb,
    scene,
)
from PIL import Image

from facegan.data import importer
from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.data.layouts import Layout
from facegan.errors import DataError


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


MIXED = {
    "a.png": png(1),
    "copy of a.png": png(1),
    "b.jpg": jpeg(2),
    "grey.png": encoded(scene()[:, :, 0]),
    "wide.png": encoded(scene(80, 50)),
    "cmyk.jpg": encoded(Image.fromarray(scene()).convert("CMYK"), "JPEG"),
    "tiny.png": png(side=8),
    "text.jpg": b"not a picture",
    "cut.jpg": jpeg(3, side=90)[:-500],
    "bomb.png": png_bomb(),
    "empty.png": b"",
    ".DS_Store": b"junk",
    "no extension": png(4),
}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_a_mixed_source_is_sorted_out(tmp_path: Path, kind: str):
    fill = {"folder": fill_folder, "zip": fill_zip, "tar": fill_tar}[kind]
    source = fill(tmp_path / f"faces.{kind}", MIXED)
    dataset = import_images(source, tmp_path / "dataset", resolution=32, holdout=0, licence="mine")
    assert sorted(dataset.names) == sorted(
        ["a.png", "copy of a.png", "b.jpg", "grey.png", "wide.png", "cmyk.jpg", "no extension"]
    )
    counts = dataset.card["counts"]
    assert (counts["read"], counts["kept"], counts["dropped"], counts["junk"]) == (12, 7, 5, 1)
    assert (counts["duplicates"], counts["identities"], counts["holdout"]) == (1, 7, 0)
    assert dataset.card["dropped"] == {
        "damaged image": 1,
        "empty file": 1,
        "not an image": 1,
        "too many pixels": 1,
        "too small": 1,
    }
    assert dataset.card["conversions"] == {"CMYK": 1, "grey repeated as colour": 1}
    assert dataset.card["licence"] == "mine"
    assert dataset.card["source"] == source.name
    assert str(tmp_path) not in (dataset.path / "dataset.json").read_text()
    with (dataset.path / "dropped.csv").open(newline="") as file:
        dropped = {row["name"]: row["reason"] for row in csv.DictReader(file)}
    assert dropped["cut.jpg"] == "damaged image"
    assert dropped["text.jpg"] == "not an image"
    assert len(dropped) == 5


def test_pictures_are_cropped_and_resized_as_said(tmp_path: Path):
    source = fill_folder(tmp_path / "in", {"a.png": encoded(scene(100, 90))})
    dataset = import_images(source, tmp_path / "dataset", resolution=20, crop=60, holdout=0)
    wanted = cv2.resize(scene(100, 90)[15:75, 20:80], (20, 20), interpolation=cv2.INTER_AREA)
    assert np.array_equal(dataset.images[0], wanted)
    assert dataset.card["crop"] == 60
    assert "area" in dataset.card["filter"]


def test_grey_packs(tmp_path: Path):
    source = fill_folder(tmp_path / "in", {f"{i}.png": png(i) for i in range(5)})
    dataset = import_images(source, tmp_path / "dataset", channels=1, holdout=0)
    assert dataset.images.shape == (5, 64, 64, 1)
    assert len(dataset.card["mean"]) == len(dataset.card["std"]) == 1
    assert dataset.card["conversions"] == {"enlarged": 5}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_the_result_depends_on_source_and_options_alone(tmp_path: Path, kind: str):
    fill = {"folder": fill_folder, "zip": fill_zip, "tar": fill_tar}[kind]
    source = fill(tmp_path / "lfw", lfw_files(people=90, most=3))
    datasets = [
        import_images(source, tmp_path / f"dataset{workers}", resolution=16, workers=workers).path
        for workers in (1, 4)
    ]
    for file in datasets[0].iterdir():
        assert file.read_bytes() == (datasets[1] / file.name).read_bytes()


def test_archives_are_hashed(tmp_path: Path):
    import hashlib

    for fill, name in ((fill_zip, "a.zip"), (fill_tar, "a.tar.gz")):
        source = fill(tmp_path / name, {"1.png": png()})
        dataset = import_images(source, tmp_path / "dataset", holdout=0, overwrite=True)
        assert dataset.card["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert dataset.card["name"] == "a"


def test_labels_are_joined(tmp_path: Path):
    source = fill_tar(tmp_path / "lfw.tgz", lfw_files(people=4) | {"Person_00_0001.txt": b"notes"})
    (tmp_path / "l.csv").write_text("image,smile\nPerson_01_0002.jpg,0.5\nPerson_00_0001,1\nX,1\n")
    dataset = import_images(
        source, tmp_path / "dataset", holdout=0, labels=tmp_path / "l.csv", labels_note="guessed"
    )
    assert dataset.labels is not None
    by_name = dict(zip(dataset.names, dataset.labels[:, 0].tolist(), strict=True))
    assert by_name.pop("Person_01_0002.jpg") == 0.5
    assert by_name.pop("Person_00_0001.jpg") == 1
    assert np.isnan(list(by_name.values())).all()
    labels = dataset.card["labels"]
    assert (labels["matched"], labels["unused_rows"], labels["note"]) == (2, 1, "guessed")
    assert labels["columns"][0]["missing"] == len(dataset) - 2


def test_progress_reaches_the_end(tmp_path: Path):
    source = fill_folder(tmp_path / "in", MIXED)
    seen: list[tuple[int, int]] = []
    import_images(source, tmp_path / "dataset", holdout=0, progress=lambda *at: seen.append(at))
    assert seen[-1] == (11, 11)
    assert seen == sorted(seen)


FAILING = {
    "nothing": ({}, {}, "no usable picture: it is empty"),
    "only junk": ({".DS_Store": b"x"}, {}, "1 hidden"),
    "only text": ({"a.txt": b"x", "b.txt": b"y"}, {}, "2 × text, not used"),
    "all too small": ({"a.png": png()}, {"min_size": 99}, "1 × too small"),
    "all below the crop": ({"a.png": png()}, {"crop": 99}, "1 × smaller than the crop"),
    "resolution": ({"a.png": png()}, {"resolution": 2}, "resolution is 2"),
    "huge resolution": ({"a.png": png()}, {"resolution": 5000}, "resolution is 5000"),
    "crop": ({"a.png": png()}, {"crop": 0}, "crop is 0"),
    "channels": ({"a.png": png()}, {"channels": 2}, "channels is 2"),
    "holdout of all": ({"a.png": png()}, {"holdout": 1.0}, "holdout is 1.0"),
    "negative holdout": ({"a.png": png()}, {"holdout": -0.1}, "holdout is -0.1"),
    "holdout unknown": ({"a.png": png()}, {"holdout": float("nan")}, "holdout is nan"),
    "everything held out": ({"a.png": png()}, {"holdout": 0.9999999}, "train split"),
    "workers": ({"a.png": png()}, {"workers": 0}, "workers is 0"),
    "min size": ({"a.png": png()}, {"min_size": 0}, "min-size is 0"),
    "no labels file": ({"a.png": png()}, {"labels": "nothing.csv"}, "no labels file"),
}


@pytest.mark.parametrize("case", FAILING)
def test_failures_are_explained_and_leave_nothing(tmp_path: Path, case: str):
    files, options, message = FAILING[case]
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError) as caught:
        import_images(fill_folder(tmp_path / "in", files), tmp_path / "dataset", **options)
    assert message in caught.value.message
    assert caught.value.hint
    assert listing(tmp_path) == ["in"]


def test_a_folder_of_links_is_told_what_to_do(tmp_path: Path):
    fill_folder(tmp_path / "elsewhere", {"a.png": png(), "b.png": png(1)})
    folder = fill_folder(tmp_path / "in", {})
    folder.mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        (folder / name).symlink_to(tmp_path / "elsewhere" / name)
    with pytest.raises(DataError, match="2 × link") as caught:
        import_images(folder, tmp_path / "dataset")
    assert "not followed" in caught.value.hint


def test_a_source_is_never_replaced_by_its_pack(tmp_path: Path):
    source = fill_folder(tmp_path / "in", {"deep/a.png": png()})
    for dataset in (source, source / "dataset", tmp_path):
        with pytest.raises(DataError):
            import_images(source, dataset, overwrite=True, holdout=0)
    assert listing(source) == ["deep"]


def test_an_interruption_leaves_the_old_pack(tmp_path: Path):
    source = fill_folder(tmp_path / "in", {f"{i}.png": png(i) for i in range(70)})
    old = import_images(source, tmp_path / "dataset", resolution=8, holdout=0).fingerprint

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_images(source, tmp_path / "dataset", overwrite=True, progress=interrupt)
    assert Dataset.open(tmp_path / "dataset", verify=True).fingerprint == old
    assert listing(tmp_path) == ["dataset", "in"]


KILLED = """
import sys, time
from facegan.data.importer import import_images
from facegan.data.layouts import Layout
def wait(done, total):
    print("working", flush=True)
    time.sleep(60)
import_images(sys.argv[1], sys.argv[2], holdout=0, progress=wait)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_import_leaves_no_pack_and_can_be_repeated(tmp_path: Path):
    source = fill_folder(tmp_path / "in", {f"{i}.png": png(i) for i in range(5)})
    command = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "dataset")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"working\n"
        process.kill()
    assert not (tmp_path / "dataset").exists()
    import_images(source, tmp_path / "dataset", holdout=0)
    assert listing(tmp_path) == ["dataset", "in"]


def test_a_truncated_archive_leaves_nothing(tmp_path: Path):
    source = fill_tar(tmp_path / "lfw.tgz", lfw_files())
    source.write_bytes(source.read_bytes()[:-2000])
    with pytest.raises(DataError, match="damaged or cut short"):
        import_images(source, tmp_path / "dataset")
    assert listing(tmp_path) == ["lfw.tgz"]


def test_look_ahead_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importer, "_BATCH", 2)
    read, written = [], []

    class Slow(importer.DatasetWriter):
        def add(self, images, *rest):
            written.extend(images)
            assert len(read) - len(written) <= 2 * (2 * 1 + 2)
            super().add(images, *rest)

    reading = importer._batches

    def counted(source, shape):
        for batch in reading(source, shape):
            read.extend(batch)
            yield batch

    monkeypatch.setattr(importer, "DatasetWriter", Slow)
    monkeypatch.setattr(importer, "_batches", counted)
    source = fill_folder(tmp_path / "in", {f"{i}.png": png(i) for i in range(40)})
    assert len(import_images(source, tmp_path / "dataset", holdout=0, workers=1)) == 40


@settings(max_examples=15, deadline=None)
@given(
    people=st.lists(st.integers(1, 3), min_size=2, max_size=8),
    holdout=st.sampled_from([0.0, 0.2, 0.5]),
    seed=st.integers(0, 5),
)
def test_any_collection_of_people_is_kept_apart(tmp_path_factory, people, holdout, seed):
    folder = tmp_path_factory.mktemp("any")
    picture = png()
    files = {
        f"P{k}/P{k}_{i:04}.png": picture for k, count in enumerate(people) for i in range(count)
    }
    source = fill_folder(folder / "in", files)
    layout = Layout("LFW")
    if all(layout.split(f"P{k}", holdout, seed) == "holdout" for k in range(len(people))):
        return
    dataset = import_images(
        # All show the same picture, so that people alone decide.
        source,
        folder / "p",
        resolution=4,
        holdout=holdout,
        seed=seed,
        duplicates="keep",
    )
    assert sorted(dataset.sources) == sorted(files)
    train, held = (
        {dataset.identities[i] for i in dataset.indices(s)} for s in ("train", "holdout")
    )
    assert not train & held
    assert len(train | held) == len(people)
    if holdout == 0:
        assert not held
