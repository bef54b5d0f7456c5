"""The doctor: what it measures, what it finds, and what conditions leave."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from imagefiles import encoded
from PIL import Image

from drawn_photographs import photograph
from facegan import portraits
from facegan.data import measures
from facegan.data.blocks import blockiness
from facegan.data.dataset import Dataset
from facegan.data.doctor import COPY, examine, filtered
from facegan.data.filtering import Condition, chosen
from facegan.data.measures import MEASURES, measure, measured
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError
from facegan.faces import Mesh, Square
from facegan.faces.alignment import wholeness

SIZE = 64


def portraits_of(n: int, seed: int = 2) -> np.ndarray:
    return portraits.draw(portraits.sample(n, seed=seed), SIZE)


def value(image: np.ndarray, name: str) -> float:
    return float(measure(image)[MEASURES.index(name)])


# What is done to some of the pictures, by the code of the finding that must see it.
def _turned(image: np.ndarray) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 24, 1)
    return cv2.warpAffine(image, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)


def _hidden(image: np.ndarray) -> np.ndarray:
    """A dark thing before mouth and nose, on a stick."""
    canvas = image.copy()
    cv2.circle(canvas, (32, 42), 11, (25, 25, 30), -1)
    cv2.line(canvas, (32, 42), (40, SIZE), (25, 25, 30), 5)
    return canvas


DAMAGE = {
    "blur": lambda image: cv2.GaussianBlur(image, (0, 0), 4),
    "dark": lambda image: (image * 0.2).astype(np.uint8),
    "bright": lambda image: (255 - (255 - image.astype(int)) * 0.15).astype(np.uint8),
    "contrast": lambda image: (128 + (image.astype(int) - 128) * 0.15).astype(np.uint8),
    "clipped": lambda image: np.clip((image.astype(int) - 128) * 8 + 128, 0, 255).astype(np.uint8),
    "grey": lambda image: np.repeat(image.mean(2, keepdims=True).astype(np.uint8), 3, 2),
    "no-face": lambda image: (
        image[::-1, ::-1].reshape(8, 8, 8, 8, 3).swapaxes(0, 1).reshape(SIZE, SIZE, 3)
    ),
    "tilt": _turned,
    "size": lambda image: photograph(SIZE, SIZE, (Square(32, 32, 30), 3)),
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, dict[str, int]]:
    """Sixty portraits, then one for each damage; and the row of each damage."""
    fine = portraits_of(60)
    images = [*fine, *(np.ascontiguousarray(hurt(fine[2])) for hurt in DAMAGE.values())]
    names = [f"{i:02}.png" for i in range(len(images))]
    splits = ["holdout" if i % 10 == 9 else "train" for i in range(len(images))]
    labels = np.zeros((len(images), 4), np.float32)
    labels[:, 0] = np.arange(len(images)) % 2
    labels[5, 1] = 1
    labels[::2, 2] = np.nan
    labels[1::4, 2] = 1
    path = tmp_path_factory.mktemp("damaged") / "faces"
    with DatasetWriter(path, SIZE, 3, ["even", "rare", "unknown", "never"]) as writer:
        writer.add(np.stack(images), names, names, splits, names, labels)
        writer.finish({"name": "drawn", "licence": "CC0-1.0"})
    return Dataset.open(path), {code: 60 + i for i, code in enumerate(DAMAGE)}


@pytest.mark.parametrize("code", DAMAGE)
def test_every_damage_is_found_as_what_it_is(
    damaged: tuple[Dataset, dict[str, int]], code: str
) -> None:
    dataset, rows = damaged
    before = (dataset.path / "items.csv").read_bytes()
    found = {each.code: each for each in examine(dataset, show=5).findings}
    finding = found[code]
    assert rows[code] in finding.rows
    assert rows[code] in finding.worst
    assert len(finding.worst) <= 5
    assert len(finding.rows) < 12
    stays = chosen(examine(dataset).columns, len(dataset), drop=finding.drop)
    assert sorted(finding.rows) == np.flatnonzero(~stays).tolist()
    assert (dataset.path / "items.csv").read_bytes() == before


def test_labels_that_a_network_hardly_sees(damaged: tuple[Dataset, dict[str, int]]) -> None:
    found = {each.name: each.said for each in examine(damaged[0]).labels}
    assert set(found) == {"rare", "unknown", "never"}
    assert "1 picture" in found["rare"]
    assert "%" in found["unknown"]
    assert "always 0" in found["never"]


def test_faces_that_are_cut_off_or_turned_away() -> None:
    whole = photograph(SIZE, SIZE, (Square(32, 32, 64), 3))
    aside = photograph(SIZE, SIZE, (Square(58, 32, 64), 3))
    assert value(whole, "cut") == 0
    assert value(aside, "cut") > 0.1
    drawn = portraits_of(12)
    there, back = (
        np.array([value(each, "yaw") for each in images]) for images in (drawn, drawn[:, :, ::-1])
    )
    found = np.isfinite(there + back)
    assert found.sum() >= 8
    assert abs(np.mean((there + back)[found])) < 3
    assert np.corrcoef(there[found], back[found])[0, 1] < -0.5
    small = photograph(SIZE, SIZE, (Square(32, 32, 48), 3))
    assert value(small, "eyes") == pytest.approx(0.75 * value(whole, "eyes"), rel=0.08)


def test_what_stands_before_a_face_makes_it_less_whole(
    damaged: tuple[Dataset, dict[str, int]],
) -> None:
    fine = portraits_of(24, seed=7)
    before, after = (
        np.array([value(each, "whole") for each in images])
        for images in (fine, [_hidden(each) for each in fine])
    )
    known = np.isfinite(before + after)
    assert known.sum() >= 12
    assert (after < before)[known].mean() >= 0.75
    assert np.median((before - after)[known]) > 3
    found = next(each for each in examine(damaged[0]).findings if each.code == "hidden")
    column = measured(damaged[0])["whole"]
    assert found.limits[0] == pytest.approx(0.6 * np.nanmedian(column), rel=0.01)
    assert sorted(found.rows) == np.flatnonzero(column < found.limits[0]).tolist()


def test_what_a_pose_takes_is_given_back() -> None:
    def turned(yaw: float) -> float:
        angle = np.radians(yaw)
        points = np.zeros((468, 3), np.float32)
        points[263] = points[33] + np.float32([np.cos(angle), 0, np.sin(angle)])
        points[152, 1] = 1
        return wholeness(Mesh(points, 1.0, 20.0))

    assert turned(0) == pytest.approx(20)
    assert turned(-30) == turned(30) == pytest.approx(29)
    assert turned(80) == turned(50) > turned(30)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    assert value(image, "sharpness") == 0
    image[::2, ::2] = image[1::2, 1::2] = 255  # a chessboard: ±4 · 255 everywhere but at the edge
    assert value(image, "sharpness") == pytest.approx((4 * 255) ** 2, rel=0.05)
    flat = portraits_of(1, seed=4)[0]
    blurred = [cv2.GaussianBlur(flat, (0, 0), s) for s in (0.5, 1, 2, 4)]
    values = [value(each, "sharpness") for each in (flat, *blurred)]
    assert values == sorted(values, reverse=True)


def test_exposure_and_colour_in_closed_form() -> None:
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[:, : SIZE // 4] = 255
    assert value(image, "brightness") == pytest.approx(0.25)
    assert value(image, "contrast") == pytest.approx(np.sqrt(0.25 * 0.75))
    assert value(image, "clipped") == 1
    assert value(image, "colour") == 0
    image[:] = (200, 100, 149)
    assert value(image, "clipped") == 0
    assert value(image, "colour") == pytest.approx(100 / 255)
    assert np.isnan(measure(image[:, :, :1])[MEASURES.index("colour")])


def test_blocks_grow_with_compression_and_go_with_resizing() -> None:
    smooth = cv2.resize(portraits_of(1, seed=4)[0], (256, 256), interpolation=cv2.INTER_CUBIC)
    smooth = cv2.GaussianBlur(smooth, (0, 0), 1.5)

    def compressed(quality: int) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(encoded(smooth, "JPEG", quality=quality))))

    def blocks(image: np.ndarray) -> float:
        return blockiness(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32))

    fine, bad, worse = blocks(smooth), blocks(compressed(20)), blocks(compressed(5))
    assert fine < 1.2 < bad < worse
    shifted = np.ascontiguousarray(compressed(5)[3:251, 5:253])
    assert blocks(shifted) == pytest.approx(worse, rel=0.15)
    shrunk = cv2.resize(compressed(5), (150, 150), interpolation=cv2.INTER_AREA)
    assert blocks(shrunk) < bad
    assert np.isnan(blockiness(np.zeros((12, 12), np.float32)))


def test_what_was_measured_once_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "faces"
    portraits.write(path, 70, 32)
    first = measured(Dataset.open(path), workers=3)
    said: list[int] = []
    monkeypatch.setattr(measures, "measure", lambda image: said.append(1))
    again = measured(Dataset.open(path))
    assert not said
    for name in MEASURES:
        assert np.array_equal(first[name], again[name], equal_nan=True)
    monkeypatch.undo()
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    kept = next((tmp_path / "cache" / "measures").iterdir())
    kept.write_bytes(b"damaged")
    mended = measured(Dataset.open(path), workers=1)
    assert all(np.array_equal(first[n], mended[n], equal_nan=True) for n in MEASURES)


def test_grey_datasets_and_small_ones(tmp_path: Path) -> None:
    portraits.write(tmp_path / "grey", 12, 32, channels=1)
    found = examine(Dataset.open(tmp_path / "grey"))
    assert "grey" not in {each.code for each in found.findings}
    assert np.isnan(found.columns["colour"]).all()
    with DatasetWriter(tmp_path / "tiny", 4, 3) as writer:
        writer.add(
            np.zeros((2, 4, 4, 3), np.uint8), ["a", "b"], ["a", "b"], ["train"] * 2, ["", ""]
        )
        writer.finish({})
    tiny = examine(Dataset.open(tmp_path / "tiny"))
    assert {each.code: len(each.rows) for each in tiny.findings}["no-face"] == 2


def test_identities_and_the_split(tmp_path: Path) -> None:
    drawn = portraits_of(30)
    twin = (drawn[4] * 0.8).astype(np.uint8)
    images = np.concatenate([drawn, twin[None]])
    names = [f"{i}.png" for i in range(31)]
    people = ["often"] * 22 + [f"p{i}" for i in range(9)]
    splits = ["train"] * 29 + ["holdout"] * 2
    people[28] = people[29] = "both"
    with DatasetWriter(tmp_path / "faces", SIZE, 3) as writer:
        writer.add(images, names, people, splits, names)
        writer.finish({})
    found = examine(Dataset.open(tmp_path / "faces"))
    assert found.duplicates.groups == ((4, 30),)
    assert found.across == ((4, 30),)
    assert found.several == ((4, 30),)
    assert found.moved == 1
    assert found.both_sides == ("both",)
    assert found.frequent == (("often", 22),)
    assert found.columns[COPY].tolist() == [0.0] * 30 + [1.0]


def test_a_filtered_dataset_has_what_the_conditions_leave(
    damaged: tuple[Dataset, dict[str, int]], tmp_path: Path
) -> None:
    dataset, rows = damaged
    made = filtered(
        dataset, tmp_path / "clean", drop=["brightness<0.2", "colour<0.02"], keep=["even=1"]
    )
    columns = examine(dataset).columns
    expected = [
        i
        for i in range(len(dataset))
        if i % 2 == 1 and columns["brightness"][i] >= 0.2 and columns["colour"][i] >= 0.02
    ]
    assert rows["dark"] not in expected
    assert made.names == [dataset.names[i] for i in expected]
    assert np.array_equal(made.images, dataset.images[expected])
    assert made.labels is not None
    assert dataset.labels is not None
    assert np.array_equal(made.labels, dataset.labels[expected], equal_nan=True)
    assert {*MEASURES, COPY} <= set(made.measures)
    assert made.measures["sharpness"] == pytest.approx(columns["sharpness"][expected], rel=1e-5)
    about = made.card["filtered"]
    assert about["from"] == dataset.fingerprint
    assert about["left_out"] == len(dataset) - len(expected)
    Dataset.open(made.path, verify=True)
    again = filtered(made, tmp_path / "cleaner", drop=["contrast<0.1"])
    assert again.card["filtered"]["before"] == about


def test_measures_can_become_labels(
    damaged: tuple[Dataset, dict[str, int]], tmp_path: Path
) -> None:
    dataset = damaged[0]
    made = filtered(dataset, tmp_path / "a", drop=["face<0.6"], as_labels=["yaw", "brightness"])
    assert made.label_names == (*dataset.label_names, "yaw", "brightness")
    assert made.labels is not None
    yaw = made.labels[:, -2]
    assert yaw == pytest.approx(made.measures["yaw"], rel=1e-4, nan_ok=True)
    assert made.card["labels"]["measured"] == ["yaw", "brightness"]
    assert [each["name"] for each in made.card["labels"]["columns"]] == [*made.label_names]
    for names, said in ((["yawn"], "'yaw'"), (["yaw", "yaw"], "there already")):
        with pytest.raises(DataError, match=said):
            filtered(dataset, tmp_path / "b", as_labels=names)
    with pytest.raises(DataError, match="there already"):
        filtered(made, tmp_path / "b", as_labels=["yaw"])
    assert not (tmp_path / "b").exists()


def test_duplicates_can_be_thinned_or_grouped(tmp_path: Path) -> None:
    drawn = portraits_of(6)
    images = np.concatenate([drawn, (drawn[:1] * 0.9).astype(np.uint8)])
    names = [str(i) for i in range(7)]
    with DatasetWriter(tmp_path / "faces", SIZE, 3) as writer:
        writer.add(images, names, names, ["train"] * 5 + ["holdout"] * 2, names)
        writer.finish({})
    dataset = Dataset.open(tmp_path / "faces")
    assert filtered(dataset, tmp_path / "thin", duplicates="thin").names == names[:6]
    grouped = filtered(dataset, tmp_path / "grouped", duplicates="group")
    assert grouped.splits == ["train"] * 5 + ["holdout", "train"]
    assert filtered(dataset, tmp_path / "kept").splits == dataset.splits


def test_wrong_conditions_are_said_and_write_nothing(
    damaged: tuple[Dataset, dict[str, int]], tmp_path: Path
) -> None:
    dataset = damaged[0]
    for drop, said in (
        ("sharpnes<3", "Did you mean 'sharpness'"),
        ("sharpness", "a comparison"),
        ("sharpness<many", "a number"),
        ("brightness<2", "fulfils the conditions"),
    ):
        with pytest.raises(DataError, match=said):
            filtered(dataset, tmp_path / "out", drop=[drop])
    with pytest.raises(DataError, match="is the dataset to filter"):
        filtered(dataset, dataset.path, overwrite=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<2", [True, False, False, False]),
        ("a <= 2", [True, True, False, False]),
        ("a>2", [False, False, True, False]),
        ("a>=2.0", [False, True, True, False]),
        ("a=2", [False, True, False, False]),
        ("a==2e0", [False, True, False, False]),
        ("a!=2", [True, False, True, False]),
        ("two words>-5", [False, False, True, True]),
    ],
)
def test_conditions(text: str, expected: list[bool]) -> None:
    columns = {
        "a": np.array([1.0, 2.0, 3.0, np.nan]),
        "two words": np.array([np.nan, -6.0, -4.0, 0.0]),
    }
    assert Condition.parse(text).holds(columns).tolist() == expected
    assert chosen(columns, 4, drop=[text]).tolist() == [not each for each in expected]
    assert chosen(columns, 4, keep=[text]).tolist() == expected


def test_damaged_measures_are_said_by_column(
    damaged: tuple[Dataset, dict[str, int]], tmp_path: Path
) -> None:
    made = filtered(damaged[0], tmp_path / "a")
    copy = Path(shutil.copytree(made.path, tmp_path / "b"))
    text = (copy / "items.csv").read_text("utf-8").splitlines()
    cells = text[3].split(",")
    cells[5] = "many"
    text[3] = ",".join(cells)
    (copy / "items.csv").write_text("\n".join(text) + "\n", "utf-8")
    with pytest.raises(DataError, match="column brightness"):
        _ = Dataset.open(copy).measures
