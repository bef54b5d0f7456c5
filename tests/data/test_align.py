"""Alignment: photographs of drawn faces, of which it is known where their eyes are."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from imagefiles import encoded, fill_folder
from PIL import Image

from drawn_photographs import photograph, portrait
from facegan.data.align import MEASURES, Alignment, align, aligned
from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.errors import DataError
from facegan.faces import Mesh, Square
from facegan.faces.alignment import aligned_square, pose
from facegan.faces.face_mesh import CHIN, FOREHEAD, LEFT_EYE, MOUTH, POINTS, RIGHT_EYE

PLACE = Square(330, 200, 220)


def made_up(
    left: complex, right: complex, mouth: complex, turn: Callable[[complex], complex] = lambda p: p
) -> Mesh:
    """A mesh with the middles of its eyes and its mouth in these places, x + iy."""
    points = np.zeros((POINTS, 3), np.float32)
    for numbers, place in ((LEFT_EYE, left), (RIGHT_EYE, right), (MOUTH, mouth)):
        points[list(numbers), :2] = turn(place).real, turn(place).imag
    return Mesh(points, 1.0)


def test_the_square_follows_ffhqs_formula() -> None:
    # Eyes 40 apart, the mouth 50 below: by the eyes 2·2·40 = 160, by the mouth 2·1.8·50 = 180.
    square = aligned_square(made_up(80 + 100j, 120 + 100j, 100 + 150j))
    assert (square.x, square.y) == pytest.approx((100, 105))
    assert square.side == pytest.approx(180)
    assert square.angle == pytest.approx(0)
    assert aligned_square(made_up(80 + 100j, 120 + 100j, 100 + 130j)).side == pytest.approx(160)
    nearer = aligned_square(made_up(80 + 100j, 120 + 100j, 100 + 150j), zoom=1.5)
    assert nearer.side == pytest.approx(120)
    assert (nearer.x, nearer.y) == pytest.approx((100, 105))


@pytest.mark.parametrize("degrees", [-170, -90, -20, 35, 120])
def test_the_square_turns_grows_and_moves_with_the_face(degrees: float) -> None:
    def turn(place: complex) -> complex:
        return 2.5 * place * np.exp(1j * math.radians(degrees)) + (7 - 3j)

    points = (80 + 100j, 120 + 104j, 98 + 150j)
    still, moved = aligned_square(made_up(*points)), aligned_square(made_up(*points, turn=turn))
    middle = turn(still.x + 1j * still.y)
    assert (moved.x, moved.y) == pytest.approx((middle.real, middle.imag), abs=1e-3)
    assert moved.side == pytest.approx(2.5 * still.side, rel=1e-5)
    turned = math.remainder(moved.angle - still.angle - math.radians(degrees), math.tau)
    assert turned == pytest.approx(0, abs=1e-5)


def test_the_pose_is_that_of_its_depths() -> None:
    points = np.zeros((POINTS, 3), np.float32)
    points[RIGHT_EYE[0]] = 40, 0, 40 * math.tan(math.radians(25))
    points[CHIN] = 0, 100, 100 * math.tan(math.radians(-10))
    points[FOREHEAD] = points[LEFT_EYE[0]] = 0
    looks = pose(Mesh(points, 1.0))
    assert (looks.yaw, looks.pitch, looks.roll) == pytest.approx((25, -10, 0), abs=1e-4)


def test_a_mirrored_face_looks_the_other_way() -> None:
    picture = photograph(640, 400, (PLACE, 3))
    (face,), _ = aligned(picture, 64)
    (mirrored,), _ = aligned(np.ascontiguousarray(picture[:, ::-1]), 64)
    assert pose(mirrored.mesh).yaw == pytest.approx(-pose(face.mesh).yaw, abs=4)
    assert pose(mirrored.mesh).pitch == pytest.approx(pose(face.mesh).pitch, abs=4)
    assert mirrored.square.x == pytest.approx(640 - face.square.x, abs=3)


@pytest.mark.parametrize("degrees", [-30, 25])
@pytest.mark.parametrize("side", [120, 300])
def test_a_face_is_cut_alike_however_it_lies(degrees: float, side: int) -> None:
    upright = align(photograph(640, 400, (PLACE, 0)), 64)
    turned = align(photograph(800, 640, (Square(380, 320, side, math.radians(degrees)), 0)), 64)
    inner = np.s_[8:56, 8:56]
    difference = np.abs(upright[inner].astype(int) - turned[inner]).mean()
    other = np.abs(upright[inner].astype(int) - align(portrait(4), 64)[inner]).mean()
    assert difference < other / 10


def test_a_photograph_of_any_size_gives_the_same_face() -> None:
    small = photograph(640, 400, (PLACE, 3))
    large = small.repeat(6, axis=0).repeat(6, axis=1)
    difference = align(small, 64).astype(int) - align(large, 64)
    assert np.abs(difference).mean() < 2


def test_small_faces_in_large_photographs_are_found() -> None:
    picture = photograph(3000, 2200, (Square(1500, 1100, 1200), 3), (Square(400, 300, 110), 0))
    found, left_out = aligned(picture, 32)
    assert not left_out
    assert [round(face.square.x, -2) for face in found] == [1500, 400]
    assert len(aligned(picture, 32, Alignment(faces="main"))[0]) == 1
    alone = photograph(3000, 2200, (Square(400, 300, 110), 0))
    assert len(aligned(alone, 32, Alignment(faces="main"))[0]) == 1


def test_the_main_face_is_first() -> None:
    picture = photograph(
        900, 400, (Square(120, 200, 150), 0), (Square(450, 200, 260), 3), (Square(760, 190, 170), 1)
    )
    found, left_out = aligned(picture, 32)
    assert not left_out
    assert [face.number for face in found] == [0, 1, 2]
    assert found[0].square.x == pytest.approx(450, abs=30)
    assert np.array_equal(align(picture, 32), found[0].pixels)
    (main,), others = aligned(picture, 32, Alignment(faces="main"))
    assert np.array_equal(main.pixels, found[0].pixels)
    assert [why.reason for why in others] == ["not the main face"] * 2


@pytest.mark.parametrize(
    ("reason", "picture", "options"),
    [
        ("no face found", np.full((300, 300, 3), 90, np.uint8), Alignment()),
        (
            "face too small",
            photograph(640, 400, (Square(330, 200, 110), 3)),
            Alignment(min_eyes=40),
        ),
        ("face cut off", photograph(640, 400, (Square(40, 200, 220), 3)), Alignment()),
        ("face cut off", photograph(640, 400, (Square(330, 330, 240), 3)), Alignment()),
        ("square beyond the photograph", portrait(3), Alignment(border="refuse", zoom=0.5)),
        ("face in profile", photograph(640, 400, (PLACE, 3)), Alignment(max_yaw=1e-6)),
    ],
)
def test_why_faces_are_left_out(reason: str, picture: np.ndarray, options: Alignment) -> None:
    found, left_out = aligned(picture, 64, options)
    assert not found
    assert {why.reason for why in left_out} == {reason}
    with pytest.raises(DataError, match=reason):
        align(picture, 64, options)


def test_borders_differ_where_the_square_reaches_beyond() -> None:
    picture = portrait(3)
    reflected, repeated = (
        align(picture, 64, Alignment(0.5, border)) for border in ("reflect", "edge")
    )
    inner = np.s_[20:44, 20:44]
    assert np.array_equal(reflected[inner], repeated[inner])
    assert not np.array_equal(reflected, repeated)
    whole = photograph(640, 400, (PLACE, 3))
    kept = [align(whole, 64, Alignment(border=b)) for b in ("reflect", "edge", "refuse")]
    assert np.array_equal(kept[0], kept[1])
    assert np.array_equal(kept[0], kept[2])


@pytest.mark.parametrize(
    "wrong",
    [
        {"zoom": 0.0},
        {"zoom": math.nan},
        {"border": "black"},
        {"faces": "two"},
        {"max_yaw": 0},
        {"min_eyes": -1},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError, match=next(iter(wrong)).replace("_", "-")):
        Alignment(**wrong)  # type: ignore[arg-type]


TWO = photograph(720, 400, (Square(200, 200, 260), 3), (Square(560, 210, 200), 1))
FILES = {
    "one.png": encoded(photograph(640, 400, (PLACE, 0))),
    "two.png": encoded(TWO),
    "landscape.png": encoded(np.full((200, 300, 3), 120, np.uint8)),
    "text.png": b"not a picture",
    "far.png": encoded(photograph(640, 400, (Square(300, 200, 240), 2), (Square(560, 80, 40), 4))),
}


def test_a_folder_of_photographs_becomes_aligned_faces(tmp_path: Path) -> None:
    source = fill_folder(tmp_path / "photographs", FILES)
    labels = tmp_path / "labels.csv"
    labels.write_text("file,age\none.png,30\ntwo.png,40\nfar.png,50\n", "utf-8")
    made = import_images(
        source, tmp_path / "faces", resolution=96, align=Alignment(), labels=labels, holdout=0.4
    )
    assert made.names == ["far.png", "one.png", "two.png", "two.png#2"]
    assert made.sources == ["far.png", "one.png", "two.png", "two.png"]
    assert made.identities == ["far.png", "one.png", "two.png", "two.png#2"]
    assert made.splits[2] == made.splits[3]
    assert made.labels is not None
    assert made.labels[:, 0].tolist()[:3] == [50, 30, 40]
    assert np.isnan(made.labels[3, 0])
    assert np.array_equal(made.images[2], aligned(TWO, 96)[0][0].pixels)

    assert tuple(made.measures) == MEASURES
    known = aligned(TWO, 96)[0]
    for row, face in ((2, known[0]), (3, known[1])):
        values = [column[row] for column in made.measures.values()]
        assert values == pytest.approx(face.measures, rel=1e-4, abs=1e-4)

    with (made.path / "dropped.csv").open(encoding="utf-8", newline="") as file:
        dropped = {(row["name"], row["reason"]) for row in csv.DictReader(file)}
    assert dropped == {
        ("landscape.png", "no face found"),
        ("text.png", "not an image"),
        ("far.png", "face too small"),
    }
    assert made.card["counts"]["read"] == 5
    assert made.card["counts"]["dropped"] == 2
    assert made.card["labels"]["matched"] == 3
    assert made.card["crop"] == "aligned"
    assert made.card["alignment"]["min_eyes"] == 12
    Dataset.open(made.path, verify=True)


def test_an_import_is_repeatable_and_later_photographs_change_nothing(tmp_path: Path) -> None:
    some = {name: FILES[name] for name in ("two.png", "far.png")}
    first = import_images(
        fill_folder(tmp_path / "a", some), tmp_path / "first", align=Alignment(), workers=1
    )
    again = import_images(
        fill_folder(tmp_path / "b", some), tmp_path / "again", align=Alignment(), workers=3
    )
    assert again.fingerprint == first.fingerprint
    more = import_images(
        fill_folder(tmp_path / "c", FILES), tmp_path / "more", align=Alignment(), workers=2
    )
    rows = [more.names.index(name) for name in first.names]
    assert np.array_equal(more.images[rows], first.images)
    assert [more.splits[row] for row in rows] == first.splits


def test_orientation_and_grey(tmp_path: Path) -> None:
    photograph_ = photograph(640, 400, (PLACE, 3))
    turned = Image.fromarray(np.rot90(photograph_).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    made = import_images(tmp_path, tmp_path.with_name("grey"), channels=1, align=Alignment())
    assert made.images.shape == (1, 64, 64, 1)
    assert made.card["conversions"]["turned upright"] == 1
    upright = cv2.cvtColor(align(photograph_, 64), cv2.COLOR_RGB2GRAY)
    assert np.abs(made.images[0, :, :, 0].astype(int) - upright).mean() < 1


def test_compression_is_seen_in_the_photograph() -> None:
    picture = cv2.GaussianBlur(photograph(640, 400, (PLACE, 3)), (0, 0), 1.5)
    found = []
    for quality in (95, 20, 8):
        data = encoded(picture, "JPEG", quality=quality)
        with Image.open(io.BytesIO(data)) as image:
            (face,), _ = aligned(np.asarray(image), 32)
        found.append(face.blocks)
    assert found[0] < 1.2 < found[1] < found[2]
    assert dict(zip(MEASURES, face.measures, strict=True))["photo_blocks"] == face.blocks


def test_a_crop_and_an_alignment_exclude_each_other(tmp_path: Path) -> None:
    fill_folder(tmp_path / "a", {"one.png": FILES["one.png"]})
    with pytest.raises(DataError, match="crop"):
        import_images(tmp_path / "a", tmp_path / "b", crop=100, align=Alignment())
    assert not (tmp_path / "b").exists()


def test_without_a_face_there_is_no_dataset(tmp_path: Path) -> None:
    fill_folder(tmp_path / "a", {"landscape.png": FILES["landscape.png"]})
    with pytest.raises(DataError, match="no face found"):
        import_images(tmp_path / "a", tmp_path / "b", align=Alignment())
    assert not (tmp_path / "b").exists()
