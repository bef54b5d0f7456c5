"""The closest pairs as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError
from facegan.evaluation.results import Neighbour, Pair

Images = npt.NDArray[np.uint8]

COLUMNS = ("generated", "nearest in training", "nearest held out")
GAP = 2
# Cells are enlarged by whole factors up to this, so that every pixel stays visible.
_SMALLEST = 96
_WHITE, _GREY = 255, 160


def gallery(pairs: Sequence[Pair], generated: Images, images: Images, real: bool = True) -> Images:
    """A row for each pair: generated, nearest training picture, nearest held-out picture.

    A real picture is mirrored where its mirror image is what comes so close. There is no text
    in it.

    Args:
        pairs: P of them, from `find_copies`.
        generated: uint8 [P, H, W, C], the generated picture of each pair; C is 1 or 3.
        images: uint8 [N, H, W, C], all real pictures of the dataset, in memory or memory-mapped.
        real: whether to show them; otherwise grey cells stand in their place, so that the
            picture holds generated faces only.

    Returns:
        uint8 [P · (h + 2) − 2, 3 · (w + 2) − 2, 3], with h × w the size of a cell: H × W
        enlarged by the smallest whole factor that makes the shorter side 96 or more. White
        lines of 2 pixels separate the cells.

    Raises:
        FaceganError: there is no pair, or the pictures do not belong to the pairs.
    """
    if not pairs or generated.shape != (len(pairs), *images.shape[1:]):
        raise FaceganError(
            f"A gallery of {len(pairs)} pairs with generated pictures {list(generated.shape)} and "
            f"real ones {list(images.shape)}.",
            "Give at least one pair, one generated picture for each, and real ones of that size.",
        )
    height, width = images.shape[1:3]
    factor = max(1, -(-_SMALLEST // min(height, width)))
    height, width = factor * height, factor * width
    shape = (len(pairs) * (height + GAP) - GAP, len(COLUMNS) * (width + GAP) - GAP, 3)
    sheet = np.full(shape, _WHITE, np.uint8)
    for row, (pair, made) in enumerate(zip(pairs, generated, strict=True)):
        top = row * (height + GAP)
        found = [_real(images, near, real) for near in (pair.train, pair.holdout)]
        for column, image in enumerate((made, *found)):
            left = column * (width + GAP)
            cell = image.repeat(factor, axis=0).repeat(factor, axis=1)
            sheet[top : top + height, left : left + width] = cell
    return sheet


def _real(images: Images, neighbour: Neighbour, shown: bool) -> Images:
    if not shown:
        return np.full(images.shape[1:], _GREY, np.uint8)
    image = np.asarray(images[neighbour.index])
    return image[:, ::-1] if neighbour.mirrored else image
