"""The gallery of pairs, cell by cell."""

from __future__ import annotations

import numpy as np
import pytest

from facegan.errors import FaceganError
from facegan.evaluation.gallery import gallery
from facegan.evaluation.results import Neighbour, Pair


def pictures(n: int, side: int, channels: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def pair(train: int, holdout: int, mirrored: bool = False) -> Pair:
    def near(index: int, turned: bool) -> Neighbour:
        return Neighbour(index=index, name=f"{index}.png", distance=0.5, mirrored=turned)

    return Pair(
        seed=7,
        embedding="pixels",
        closeness=0.0,
        train=near(train, mirrored),
        holdout=near(holdout, not mirrored),
    )


def cell(sheet: np.ndarray, row: int, column: int, side: int) -> np.ndarray:
    top, left = row * (side + 2), column * (side + 2)
    return sheet[top : top + side, left : left + side]


def test_rows_of_generated_training_and_held_out() -> None:
    real, made = pictures(6, 32, 3), pictures(2, 32, 3, seed=9)
    sheet = gallery([pair(1, 4), pair(5, 0, mirrored=True)], made, real)
    assert sheet.shape == (2 * 98 - 2, 3 * 98 - 2, 3)
    assert sheet.dtype == np.uint8
    shown = [[made[0], real[1], real[4][:, ::-1]], [made[1], real[5][:, ::-1], real[0]]]
    for row, images in enumerate(shown):
        for column, image in enumerate(images):
            np.testing.assert_array_equal(cell(sheet, row, column, 96)[1::3, 1::3], image)
            np.testing.assert_array_equal(
                cell(sheet, row, column, 96), image.repeat(3, axis=0).repeat(3, axis=1)
            )
    assert (sheet[96:98] == 255).all()
    assert (sheet[:, 96:98] == 255).all()
    assert (sheet[:, 194:196] == 255).all()


@pytest.mark.parametrize(
    ("resolution", "side"), [(16, 96), (64, 128), (95, 190), (96, 96), (125, 125)]
)
def test_cells_are_enlarged_by_whole_factors(resolution: int, side: int) -> None:
    images = pictures(2, resolution, 3)
    assert gallery([pair(0, 1)], images[:1], images).shape == (side, 3 * side + 4, 3)


def test_real_faces_can_stay_out() -> None:
    real, made = pictures(4, 96, 3), pictures(1, 96, 3, seed=9)
    sheet = gallery([pair(1, 2)], made, real, real=False)
    np.testing.assert_array_equal(cell(sheet, 0, 0, 96), made[0])
    for column in (1, 2):
        assert len(np.unique(cell(sheet, 0, column, 96))) == 1
    assert sheet.shape == gallery([pair(1, 2)], made, real).shape
    # Nothing of them shows: other real faces give the same picture.
    np.testing.assert_array_equal(sheet, gallery([pair(1, 2)], made, real[::-1], real=False))


def test_grey_pictures_give_a_colour_sheet() -> None:
    images = pictures(3, 96, 1)
    sheet = gallery([pair(1, 2, mirrored=True)], images[:1], images)
    assert sheet.shape == (96, 292, 3)
    np.testing.assert_array_equal(sheet[:, 98:194, 2], images[1, :, ::-1, 0])


def test_pictures_that_do_not_belong_to_the_pairs() -> None:
    images = pictures(3, 32, 3)
    for pairs, made in (
        ([], images[:0]),
        ([pair(0, 1)], images[:2]),
        ([pair(0, 1)], images[:1, 1:]),
    ):
        with pytest.raises(FaceganError, match="A gallery of"):
            gallery(pairs, made, images)
