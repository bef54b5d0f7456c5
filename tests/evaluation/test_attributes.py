"""The attribute reader: what it reads, what it refuses, and how its weights are made.

The real LFW archive is looked for in the folder that FACEGAN_DATA names, or in ../shared/data
beside the checkout: pictures of real people, so never in the project.
"""

from __future__ import annotations

import importlib.util
import os
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.data.layouts import Layout
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError, FaceganError
from facegan.evaluation import attributes as reading
from facegan.evaluation.agreement import auc
from facegan.evaluation.attribute_card import AttributeCard
from facegan.evaluation.attributes import AGE, DIMENSION, KEY, WEIGHTS, AttributeReader
from facegan.evaluation.cache import FeatureCache

SHIPPED = Path(reading.__file__).parent / WEIGHTS
SCRIPT = Path(__file__).parents[2] / "scripts" / "train_attribute_reader.py"
DATA = Path(os.environ.get("FACEGAN_DATA", Path(__file__).parents[3] / "shared" / "data"))
ARCHIVE, ATTRIBUTES = DATA / "lfw-deepfunneled.tgz", DATA / "lfw-attributes.csv"


@pytest.fixture(scope="module")
def reader() -> AttributeReader:
    return AttributeReader.open()


@pytest.fixture(scope="module")
def people() -> portraits.Parameters:
    return portraits.sample(200, seed=5)


@pytest.fixture(scope="module")
def pictures(people: portraits.Parameters) -> np.ndarray:
    return portraits.draw(people, 64)


@pytest.fixture(scope="module")
def read(reader: AttributeReader, pictures: np.ndarray) -> np.ndarray:
    return reader.read(pictures)


# What it reads


def test_forty_probabilities_and_an_age(reader: AttributeReader, read: np.ndarray) -> None:
    assert read.shape == (200, 41)
    assert read.dtype == np.float32
    assert len(reader.names) == 41
    assert reader.names[-1] == AGE
    assert reader.names[:-1] == tuple(sorted(reader.names[:-1]))  # as CelebA has them
    assert {"Eyeglasses", "Male", "Smiling", "Young"} < set(reader.names)
    assert (read[:, :-1] > 0).all()
    assert (read[:, :-1] < 1).all()
    low, high = reader.about.ages
    assert (read[:, -1] >= low).all()
    assert (read[:, -1] <= high).all()


def test_a_picture_is_read_alike_in_any_company(
    reader: AttributeReader, pictures: np.ndarray, read: np.ndarray
) -> None:
    seen: list[tuple[int, int]] = []
    again = reader.read(pictures, lambda done, total: seen.append((done, total)))
    assert (again == read).all()
    assert seen[-1] == (200, 200)
    np.testing.assert_allclose(reader.read(pictures[70:73]), read[70:73], rtol=1e-4, atol=1e-5)
    assert reader.read(pictures[:0]).shape == (0, 41)


@pytest.mark.parametrize("side", [32, 47, 128, 150])
def test_pictures_of_any_size_are_read(
    reader: AttributeReader, people: portraits.Parameters, read: np.ndarray, side: int
) -> None:
    some = portraits.Parameters(**{k: v[:24] for k, v in vars(people).items()})
    found = reader.read(portraits.draw(some, side))
    assert found.shape == (24, 41)
    if side > 64:  # what the larger picture adds is little
        assert np.abs(found[:, :-1] - read[:24, :-1]).mean() < 0.05


def test_grey_is_rgb_with_equal_channels(reader: AttributeReader, pictures: np.ndarray) -> None:
    grey = pictures[:24, :, :, 1:2]
    np.testing.assert_allclose(
        reader.read(grey), reader.read(grey.repeat(3, axis=3)), rtol=1e-4, atol=1e-5
    )


def test_it_sees_the_glasses_of_drawn_people(
    reader: AttributeReader, people: portraits.Parameters, read: np.ndarray
) -> None:
    """They look nothing like photographs; what is plain to see is seen nevertheless."""
    truth = dict(zip(portraits.LABEL_NAMES, people.labels().T, strict=True))
    for name, least in (("Eyeglasses", 0.85), ("Mustache", 0.75), ("Smiling", 0.6)):
        area = auc(read[:, reader.names.index(name)], truth[name] > 0.5)
        assert area is not None
        assert area > least, name


def test_what_is_read_is_kept_with_a_pack(
    reader: AttributeReader, dataset_path: Path, tmp_path: Path
) -> None:
    dataset, cache = Dataset.open(dataset_path), FeatureCache(tmp_path)
    first = cache.features(reader, dataset, dataset.indices())
    np.testing.assert_array_equal(first, reader.read(np.asarray(dataset.images)))
    formatted: list[int] = []
    cache.features(
        reader, dataset, dataset.indices(), progress=lambda done, _: formatted.append(done)
    )
    assert formatted == []


# What it refuses


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros((2, 31, 31, 3), np.uint8), "31×31 pixels are too small"),
        (np.zeros((2, 64, 31, 3), np.uint8), "31×64 pixels are too small"),
        (np.zeros((2, 64, 64, 3), np.float32), "are none"),
        (np.zeros((2, 64, 64, 2), np.uint8), "are none"),
        (np.zeros((64, 64, 3), np.uint8), "are none"),
    ],
)
def test_other_arrays_are_refused(reader: AttributeReader, bad: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        reader.read(bad)


def metadata() -> str:
    with safe_open(SHIPPED, framework="pt") as file:
        return str(file.metadata()[KEY])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path, tensors, about = tmp_path / "reader.safetensors", load_file(SHIPPED), metadata()
    other = about.replace(AttributeReader.open().about.network, "0" * 64)
    for content, kept in (
        (tensors, None),
        (tensors, {KEY: "not JSON"}),
        (tensors, {KEY: "{}"}),
        (tensors, {KEY: about.replace('"Age"', '"Years"')}),
        (tensors, {KEY: other}),
        (tensors | {"bias": tensors["bias"][:3]}, {KEY: about}),
        ({"bias": tensors["bias"]}, {KEY: about}),
    ):
        save_file(content, path, kept)
        with pytest.raises(FaceganError, match="does not hold an attribute reader"):
            AttributeReader.open(path=path)
    path.write_bytes(SHIPPED.read_bytes()[:5000])
    for broken in (path, tmp_path / "absent.safetensors"):
        with pytest.raises(FaceganError, match="does not hold an attribute reader"):
            AttributeReader.open(path=broken)


# What is said of it


def test_the_shipped_file_and_its_card(reader: AttributeReader) -> None:
    assert SHIPPED.stat().st_size < 1_000_000
    about, card = reader.about, reader.card()
    conditions = [each.condition for each in about.measured]
    assert conditions[:3] == ["32 px", "64 px", "125 px"]
    for each in about.measured:
        assert about.mean_auc(each) >= 0.85, each.condition
        assert f"{about.mean_auc(each):.3f}" in card
    assert len(about.prevalent) == 28
    assert about.held_out > 1000
    for said in (*reader.names[:-1], "not human labels", "research use", "## Limits", "judging"):
        assert said in card, said
    assert AttributeCard.model_validate_json(about.model_dump_json()) == about


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 400 pictures of people that the reader was not trained on."""
    if not ARCHIVE.exists():
        pytest.skip(f"the LFW archive is not at {ARCHIVE}; set FACEGAN_DATA to its folder")
    folder, count = tmp_path_factory.mktemp("lfw") / "faces", 0
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            person = Path(member.name).parent.name
            mine = Layout("LFW", identities={member.name: person})
            if not member.isfile() or mine.split(member.name, 0.1, 0) != "holdout":
                continue
            content = archive.extractfile(member)
            assert content is not None
            place = folder / person / Path(member.name).name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.read())
            count += 1
            if count == 400:
                break
    return folder


@pytest.mark.parametrize(("side", "least"), [(32, 0.92), (64, 0.93)])
def test_real_faces_are_read_as_the_card_says(
    reader: AttributeReader, held_out: Path, tmp_path: Path, side: int, least: float
) -> None:
    dataset = import_images(
        held_out, tmp_path / "dataset", resolution=side, crop=152, labels=ATTRIBUTES, holdout=0.0
    )
    assert dataset.labels is not None
    known = np.isfinite(dataset.labels).all(1)
    found, labels = reader.read(np.asarray(dataset.images[known])), dataset.labels[known]
    assert dataset.label_names == reader.names
    areas = {
        name: auc(found[:, column], labels[:, column] > 0.5)
        for column, name in enumerate(reader.names)
        if name in reader.about.prevalent and (labels[:, column] > 0.5).sum() >= 5
    }
    assert len(areas) > 20
    assert np.mean([area for area in areas.values() if area is not None]) > least, areas
    assert np.abs(found[:, -1] - labels[:, -1]).mean() < 6
    # What it calls a probability is as frequent as that.
    assert np.abs(found[:, :-1].mean(0) - (labels[:, :-1] > 0.5).mean(0)).max() < 0.1


# How it is made


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_attribute_reader", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_faces(path: Path, side: int, names: tuple[str, ...]) -> Path:
    """Drawn people as a dataset with all labels: some that can be seen, all others noise."""
    n = 60
    people = portraits.sample(n, seed=8)
    truth = dict(zip(portraits.LABEL_NAMES, people.labels().T, strict=True))
    values = np.random.default_rng(0).random((n, len(names)), np.float32)
    for name in ("Eyeglasses", "Bangs"):
        values[:, names.index(name)] = truth[name]
    values[:, names.index(AGE)] = 20 + 50 * (truth["Young"] < 0.5)
    files = [f"{number:02}.png" for number in range(n)]
    splits = ["holdout" if number % 3 == 2 else "train" for number in range(n)]
    with DatasetWriter(path, side, 3, names) as writer:
        writer.add(portraits.draw(people, side), files, files, splits, files, values)
        writer.finish({"name": "drawn", "licence": "CC0-1.0"})
    return path


def test_the_script_makes_a_reader_again(
    script: ModuleType,
    reader: AttributeReader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(script, "_BATCH", 16)
    threads = torch.get_num_threads()
    packs = [str(write_faces(tmp_path / f"p{side}", side, reader.names)) for side in (32, 40)]
    files = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for file in files:
        monkeypatch.setattr("sys.argv", ["train", *packs, "--out", str(file)])
        script.main()
    assert files[0].read_bytes() == files[1].read_bytes()
    made = AttributeReader.open(path=files[0])
    assert made.about.command == "python scripts/train_attribute_reader.py p32 p40"
    assert (made.about.pictures, made.about.held_out) == (40, 20)
    assert [each.condition for each in made.about.measured[:2]] == ["32 px", "40 px"]
    # The measuring reads as the reader does, from weights rounded alike.
    dataset = Dataset.open(packs[0])
    rows = dataset.indices("holdout")
    found = made.read(np.asarray(dataset.images[rows]))
    assert dataset.labels is not None
    glasses = made.names.index("Eyeglasses")
    area = auc(found[:, glasses], dataset.labels[rows, glasses] > 0.5)
    assert area == pytest.approx(made.about.measured[0].auc["Eyeglasses"], abs=0.02)
    monkeypatch.setattr("sys.argv", ["train", *packs, "--folds", "2"])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    script.main()
    assert "cross-validation" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    torch.set_num_threads(threads)


def test_the_script_learns(script: ModuleType) -> None:
    random = np.random.default_rng(0)
    features = torch.from_numpy(random.standard_normal((600, DIMENSION), np.float32)).half()
    signs = features[:, :3].float() @ torch.ones(3)
    labels = torch.stack(((signs > 0).float(), torch.full((600,), 0.03), 40 + 5 * signs), 1)
    head = script.train(features, labels, ("Yes", "Rare", AGE))
    found = script.read(features, head)
    assert auc(found[:, 0], labels[:, 0].numpy() > 0.5) > 0.9  # type: ignore[operator]
    assert 1 / (1 + np.exp(-found[:, 1])).mean() == pytest.approx(0.03, abs=0.01)
    assert found[:, 2].mean() == pytest.approx(labels[:, 2].mean().item(), abs=1.0)
    assert np.corrcoef(found[:, 2], labels[:, 2])[0, 1] > 0.5


def test_packs_that_do_not_fit_are_refused(
    script: ModuleType, reader: AttributeReader, tmp_path: Path, dataset_path: Path
) -> None:
    with pytest.raises(DataError, match="no label Age"):
        script.open_packs([dataset_path])
    faces = write_faces(tmp_path / "faces", 32, reader.names)
    with pytest.raises(DataError, match="does not hold the pictures"):
        script.open_packs([faces, dataset_path])


def test_spoilt_pictures_stay_pictures(script: ModuleType, pictures: np.ndarray) -> None:
    rows = np.arange(24)
    spoilt = script.spoiling(0)(pictures[:24], rows)
    assert spoilt.shape == (24, 64, 64, 3)
    assert spoilt.dtype == np.uint8
    change = np.abs(spoilt.astype(int) - pictures[:24]).mean((1, 2, 3))
    assert (change > 0.5).all()
    assert change.mean() < 40
    # Each row has its own spoiling, in whatever company.
    np.testing.assert_array_equal(script.spoiling(0)(pictures[5:7], rows[5:7]), spoilt[5:7])
    grey = script.grey(pictures[:4], rows[:4])
    assert grey.shape == (4, 64, 64, 1)
