"""A look into a dataset."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.grid import grid
from facegan.errors import DataError

_GAP = 2


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
    border = ((_GAP, _GAP), (_GAP, _GAP), (0, 0))
    return np.pad(grid(dataset.images[chosen], columns, _GAP), border, constant_values=255)
