"""Pictures side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset


def grid(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Lay pictures out in rows.

    Args:
        images: uint8 [N, H, W, C], N ≥ 1.
        columns: pictures in a row; a square by default.
        gap: white pixels between pictures.

    Returns:
        uint8 [rows · (H + gap) − gap, columns · (W + gap) − gap, C].
    """
    n, height, width, channels = images.shape
    columns = min(columns or math.ceil(math.sqrt(n)), n)
    rows = math.ceil(n / columns)
    canvas = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8
    )
    for i, image in enumerate(images):
        y, x = (i // columns) * (height + gap), (i % columns) * (width + gap)
        canvas[y : y + height, x : x + width] = image
    return canvas


def contact_sheet(
    dataset: Dataset, rows: int = 8, columns: int = 12, split: str = "all", seed: int = 0
) -> npt.NDArray[np.uint8]:
    """Pictures of a dataset side by side: a random choice, in the dataset's order.

    Args:
        dataset: where from.
        rows: how many rows at most; fewer where the pictures do not fill them.
        columns: pictures in a row.
        split: "train", "holdout" or "all".
        seed: of the choice.

    Returns:
        uint8 [height,width,C], white between the pictures.

    Raises:
        DataError: the split is empty, or rows or columns are not positive.
    """
    if rows < 1 or columns < 1:
        raise DataError(f"A sheet of {rows} rows and {columns} columns.", "Ask for 1 or more.")
    if seed < 0:
        raise DataError(f"The sheet's seed is {seed}.", "Seeds are whole numbers from 0.")
    indices = dataset.indices(split)
    if not len(indices):
        raise DataError(f"{dataset.path} has no picture in {split!r}.", "Show another split.")
    count = min(rows * columns, len(indices))
    chosen = np.sort(np.random.default_rng(seed).choice(indices, count, replace=False))
    border = ((2, 2), (2, 2), (0, 0))
    return np.pad(grid(dataset.images[chosen], columns), border, constant_values=255)
