"""Pictures kept as PNGs: the same values, however they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from imagefiles import fill_folder, png

from facegan.data import writer
from facegan.data.dataset import Dataset
from facegan.data.encoded import EncodedImages
from facegan.data.importer import import_images
from facegan.data.rewrite import rewrite
from facegan.data.verification import verified
from facegan.data.writer import DatasetWriter
from facegan.device import Execution
from facegan.errors import DataError
from facegan.training.batch_source import BatchSource


@pytest.fixture(scope="module", params=[1, 3])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The same pictures as an array and encoded."""
    folder = tmp_path_factory.mktemp("encoded")
    images = np.random.default_rng(0).integers(0, 256, (25, 16, 16, request.param), np.uint8)
    names = [f"{n}.png" for n in range(25)]
    splits = ["holdout" if n % 5 == 4 else "train" for n in range(25)]
    for name, encoded in (("raw", False), ("png", True)):
        with DatasetWriter(folder / name, 16, request.param, encoded=encoded) as making:
            for begin in range(0, 25, 10):
                part = slice(begin, begin + 10)
                making.add(images[part], names[part], names[part], splits[part], names[part])
            making.finish({"name": "noise", "licence": "CC0-1.0"})
    return Dataset.open(folder / "raw", verify=True), Dataset.open(folder / "png", verify=True)


@pytest.mark.parametrize(
    "key",
    [
        *(3, -1, slice(2, 9), slice(None, None, -3), np.array([7, 2, 2]), [1, 24]),
        *(np.arange(25) % 3 == 0, slice(0, 0), (slice(1, 4), slice(None), 2)),
        *((5, slice(2, 4)), np.int64(6), ...),
    ],
    ids=str,
)
def test_it_is_indexed_as_an_array_is(pair, key) -> None:
    raw, encoded = pair
    found = encoded.images[key]
    assert found.dtype == np.uint8
    assert np.array_equal(found, raw.images[key])


def test_it_is_the_same_dataset_in_all_but_its_files(pair) -> None:
    raw, encoded = pair
    assert encoded.encoded
    assert not raw.encoded
    assert encoded.spec == raw.spec
    assert len(encoded) == len(raw)
    assert encoded.images.shape == raw.images.shape
    assert encoded.images.nbytes == raw.images.nbytes
    assert np.array_equal(np.asarray(encoded.images), raw.images)
    rows = np.array([9, 0, 9, 24])
    assert np.array_equal(encoded.copied(rows), raw.copied(rows))
    same = ("mean", "std", "counts", "resolution", "channels")
    assert {k: encoded.card[k] for k in same} == {k: raw.card[k] for k in same}
    assert encoded.card["format"] == 2
    assert raw.card["format"] == 1
    assert encoded.fingerprint != raw.fingerprint
    assert verified(encoded) is encoded
    for wrong in (25, -26):
        with pytest.raises(IndexError):
            _ = encoded.images[wrong]


def test_training_sees_the_same_batches(pair, tiny: Callable) -> None:
    recipe = tiny("gan")
    sources = [BatchSource.of(recipe, each, Execution(torch.device("cpu"))) for each in pair]
    for position in range(0, 60, 6):
        first, second = (each.batch(position, 6)[0] for each in sources)
        assert torch.equal(first, second)


@pytest.mark.parametrize("part", ["images.bin", "offsets.npy"])
@pytest.mark.parametrize("damage", ["cut", "longer", "gone", "other"])
def test_damage_is_named(tmp_path: Path, part: str, damage: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    with DatasetWriter(tmp_path / "d", 8, 3, encoded=True) as making:
        making.add(images, "abcdef", "abcdef", ["train"] * 6, "abcdef")
        making.finish({"name": "x"})
    path = tmp_path / "d" / part
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "other":
        data[-60:-50] = bytes(10)
        path.write_bytes(data)
    else:
        path.write_bytes(data[:-9] if damage == "cut" else data + b"x")
    if damage == "longer" and part == "offsets.npy":
        return  # what is behind an array is not read
    with pytest.raises(DataError, match=r"images\.bin|offsets\.npy|has changed"):
        Dataset.open(tmp_path / "d", verify=True)


def test_a_damaged_picture_is_named_when_it_is_read(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    with DatasetWriter(tmp_path / "d", 8, 3, encoded=True) as making:
        making.add(images, "abcdef", "abcdef", ["train"] * 6, "abcdef")
        making.finish({"name": "x"})
    dataset = Dataset.open(tmp_path / "d")
    assert isinstance(dataset.images, EncodedImages)
    begin = int(dataset.images.offsets[2])
    data = bytearray((tmp_path / "d" / "images.bin").read_bytes())
    data[begin + 40 : begin + 60] = bytes(20)
    (tmp_path / "d" / "images.bin").write_bytes(data)
    with pytest.raises(DataError, match="row 2 is damaged"):
        dataset.copied(np.array([1, 2, 3]))
    assert np.array_equal(dataset.copied(np.array([5])), images[5:])


def test_large_pictures_are_encoded_unless_told_otherwise(tmp_path: Path) -> None:
    source = fill_folder(tmp_path / "in", {f"{n}.png": png(n, 600) for n in range(3)})
    large = import_images(source, tmp_path / "a", resolution=512, holdout=0)
    assert large.encoded
    assert {path.name for path in large.path.iterdir()} == {
        *("images.bin", "offsets.npy", "items.csv", "dataset.json", "dropped.csv"),
    }
    raw = import_images(source, tmp_path / "b", resolution=512, holdout=0, encoded=False)
    assert not raw.encoded
    assert np.array_equal(np.asarray(large.images), raw.images)
    size = sum(path.stat().st_size for path in large.path.iterdir())
    assert size < raw.images.nbytes / 2
    small = import_images(source, tmp_path / "c", resolution=64, holdout=0)
    assert not small.encoded
    assert import_images(
        source, tmp_path / "c", resolution=64, holdout=0, encoded=True, overwrite=True
    ).encoded


def test_rewritten_it_stays_encoded(pair, tmp_path: Path) -> None:
    raw, encoded = pair
    again = rewrite(encoded, tmp_path / "again", rows=np.arange(0, 25, 2))
    assert again.encoded
    assert np.array_equal(np.asarray(again.images), raw.images[::2])
    plain = rewrite(raw, tmp_path / "plain", rows=np.arange(0, 25, 2))
    assert not plain.encoded
    assert "encoding" not in json.loads((plain.path / "dataset.json").read_text())


def test_a_writer_that_was_killed_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_NOTE_EVERY", 1)
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), np.uint8)

    def writing(folder: Path) -> DatasetWriter:
        return DatasetWriter(folder / "d", 8, 3, resume="x", encoded=True)

    def add(making: DatasetWriter, begin: int, end: int) -> None:
        names = [str(n) for n in range(begin, end)]
        making.add(images[begin:end], names, names, ["train"] * len(names), names)

    with writing(tmp_path / "whole") as making:
        add(making, 0, 9)
        making.finish({"name": "x"})
    killed = writing(tmp_path / "cut")
    killed.__enter__()
    add(killed, 0, 4)
    killed.note("four")
    add(killed, 4, 6)
    assert killed._lock is not None
    killed._lock.release(remove=True)  # as the end of a process does
    killed._images.synced()
    with writing(tmp_path / "cut") as making:
        assert making.notes == ["four"]
        add(making, 4, 9)
        making.finish({"name": "x"})
    for file in ("images.bin", "offsets.npy", "items.csv", "dataset.json"):
        whole, cut = (tmp_path / which / "d" / file for which in ("whole", "cut"))
        assert cut.read_bytes() == whole.read_bytes()
