"""The portrait reader: what it reads, what it refuses, and how its weights are made."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from facegan import portraits
from facegan.errors import DataError, FaceganError
from facegan.evaluation import portrait_reader as reading
from facegan.evaluation.portrait_reader import ATTRIBUTES, KEY, SIZES, WEIGHTS, Reader, true_values

SHIPPED = Path(reading.__file__).parent / WEIGHTS
SCRIPT = Path(__file__).parents[2] / "scripts" / "train_reader.py"
# A series that the reader was neither trained nor measured on.
FRESH = 977


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.load()


@pytest.fixture(scope="module")
def people() -> portraits.Parameters:
    return portraits.sample(400, seed=FRESH)


@pytest.fixture(scope="module")
def pictures(people: portraits.Parameters) -> np.ndarray:
    return portraits.draw(people, 64)


def test_it_reads_fresh_portraits(
    reader: Reader, people: portraits.Parameters, pictures: np.ndarray
) -> None:
    found = reader.read(pictures)
    right = found.modes == portraits.mode_index(people)
    claimed = reader.accuracy(64, 3)
    assert claimed > 0.95
    # Four standard errors: what is claimed is what is found.
    assert abs(right.mean() - claimed) < 4 * np.sqrt(claimed * (1 - claimed) / len(right))
    assert found.readable.mean() > 0.98
    share = dict(zip(ATTRIBUTES, (found.values == true_values(people)).mean(0), strict=True))
    assert min(share.values()) > 0.85, share
    assert right[found.confidence > 0.9].mean() > 0.98


def test_the_true_values_are_the_parameters(people: portraits.Parameters) -> None:
    values = true_values(people)
    assert values.shape == (len(people), len(ATTRIBUTES))
    assert (values.max(0) == np.array(SIZES) - 1).all()
    names = list(ATTRIBUTES)
    assert (values[:, names.index("hair_style")] == people.hair_style).all()
    assert (values[:, names.index("glasses")] == (people.glasses > 0)).all()
    assert (values[:, names.index("sunglasses")] == (people.glasses == 2)).all()
    assert (values[:, names.index("grey_hair")] == (people.hair_grey > 0.5)).all()
    assert (values[people.skin_tone < 1 / 3][:, names.index("skin_tone")] == 0).all()
    perfect = reading.Readings(values, np.ones(len(values)), np.ones(len(values), bool))
    assert (perfect.modes == portraits.mode_index(people)).all()


@pytest.mark.parametrize(("resolution", "share"), [(32, 0.75), (128, 0.95)])
def test_it_reads_other_resolutions(reader: Reader, resolution: int, share: float) -> None:
    people = portraits.sample(100, seed=FRESH)
    found = reader.read(portraits.draw(people, resolution))
    assert (found.modes == portraits.mode_index(people)).mean() > share
    assert found.readable.mean() > 0.97


def test_grey_is_rgb_with_equal_channels(reader: Reader) -> None:
    grey = portraits.draw(portraits.sample(40, seed=FRESH), 64, channels=1)
    alone, thrice = reader.read(grey), reader.read(np.repeat(grey, 3, axis=3))
    assert (alone.values == thrice.values).all()
    np.testing.assert_allclose(alone.confidence, thrice.confidence, atol=1e-6)


def test_a_picture_is_read_alike_in_any_company(reader: Reader, pictures: np.ndarray) -> None:
    seen: list[tuple[int, int]] = []
    together = reader.read(pictures, lambda done, total: seen.append((done, total)))
    alone = reader.read(pictures[290:293])
    assert (alone.values == together.values[290:293]).all()
    np.testing.assert_allclose(alone.confidence, together.confidence[290:293], atol=1e-4)
    assert seen[-1] == (400, 400)


def nothings(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Pictures that show no portrait, most of kinds that the reader was not trained on."""
    random = np.random.default_rng(3)
    n, shape = 100, (100, 64, 64, 3)
    wide = random.integers(0, 256, (n, 64, 1, 3))
    checked = np.indices((64, 64)).sum(0)[None, :, :, None] // random.integers(1, 16, (n, 1, 1, 1))
    return {
        "noise": random.integers(0, 256, shape),
        "salt and pepper": 255 * random.integers(0, 2, (*shape[:3], 1)).repeat(3, 3),
        "flat": np.broadcast_to(random.integers(0, 256, (n, 1, 1, 3)), shape),
        "black": np.zeros(shape),
        "stripes": np.broadcast_to(wide, shape),
        "checks": np.broadcast_to(255 * (checked % 2), shape),
        "upside down": pictures[:n, ::-1],
        "all at once": np.broadcast_to(pictures.mean(0, keepdims=True), shape),
        "a quarter": pictures[:n, :32, :32].repeat(2, 1).repeat(2, 2),
    }


def test_what_is_no_portrait_cannot_be_read(reader: Reader, pictures: np.ndarray) -> None:
    read = {
        kind: float(reader.read(np.ascontiguousarray(some, np.uint8)).readable.mean())
        for kind, some in nothings(pictures).items()
    }
    assert max(read.values()) <= 0.1, read


@pytest.mark.filterwarnings("error")
def test_read_only_pictures_are_read(reader: Reader, pictures: np.ndarray) -> None:
    locked = pictures[:2].copy()
    locked.flags.writeable = False
    assert (reader.read(locked).values == reader.read(pictures[:2]).values).all()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((2, 64, 64, 2), np.uint8),
        np.zeros((0, 64, 64, 3), np.uint8),
    ],
    ids=["float", "one picture", "two channels", "no picture"],
)
def test_other_arrays_are_refused(reader: Reader, bad: np.ndarray) -> None:
    with pytest.raises(DataError, match="pictures to read"):
        reader.read(bad)


def about() -> dict[str, object]:
    from safetensors import safe_open

    with safe_open(SHIPPED, framework="pt") as file:
        return dict(json.loads(file.metadata()[KEY]))


def test_the_shipped_file(reader: Reader) -> None:
    assert SHIPPED.stat().st_size < 1_000_000
    assert about()["portraits"] == portraits.VERSION
    assert reader.accuracy(64, 3) == reader.accuracy(100, 3)
    assert reader.accuracy(128, 3) == reader.accuracy(2048, 3) > 0.95
    assert reader.accuracy(8, 3) == reader.accuracy(16, 3) < reader.accuracy(64, 3)
    assert reader.accuracy(64, 1) < reader.accuracy(64, 3)


def test_a_reader_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reader.safetensors"
    save_file(load_file(SHIPPED), path, {KEY: json.dumps(about() | {"portraits": 99})})
    with pytest.raises(FaceganError, match="version 99"):
        Reader.load(path)
    monkeypatch.setattr(reading, "VERSION", portraits.VERSION + 1)
    with pytest.raises(FaceganError, match=r"train_reader\.py"):
        Reader.load()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reader.safetensors"
    tensors = load_file(SHIPPED)
    first = next(name for name in tensors if tensors[name].ndim)
    for content, metadata in (
        (tensors, None),
        (tensors, {KEY: "not JSON"}),
        (tensors, {KEY: json.dumps({"portraits": portraits.VERSION})}),
        (tensors | {first: tensors[first][:1]}, {KEY: json.dumps(about())}),
        ({first: tensors[first]}, {KEY: json.dumps(about())}),
    ):
        save_file(content, path, metadata)
        with pytest.raises(FaceganError, match="does not hold a portrait reader"):
            Reader.load(path)
    path.write_bytes(SHIPPED.read_bytes()[:5000])
    with pytest.raises(FaceganError, match="does not hold a portrait reader"):
        Reader.load(path)
    with pytest.raises(FaceganError, match="does not hold a portrait reader"):
        Reader.load(tmp_path / "absent.safetensors")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_reader", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_training_is_deterministic_and_learns(
    script: ModuleType, people: portraits.Parameters, pictures: np.ndarray
) -> None:
    def weights() -> dict[str, torch.Tensor]:
        with script.torch_seed(0, script.READER):
            network = script.train(pictures[:100], true_values(people)[:100], steps=3)
        return dict(network.state_dict())

    first, second = weights(), weights()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_spoiled_pictures_stay_pictures(script: ModuleType, pictures: np.ndarray) -> None:
    x = script.prepared(pictures[:64])
    spoil = script.Spoiler(np.random.default_rng(0))
    slightly, beyond = spoil.slightly(x), spoil.beyond_reading(x)
    for spoiled in (slightly, beyond):
        assert spoiled.shape == x.shape
        assert 0 <= float(spoiled.min()) < float(spoiled.max()) <= 1
    change = (slightly - x).abs().mean(), (beyond - x).abs().mean()
    assert 0 < change[0] < change[1]
    shuffled = spoil._shuffled(x.clone())
    torch.testing.assert_close(shuffled.flatten(2).sort().values, x.flatten(2).sort().values)
