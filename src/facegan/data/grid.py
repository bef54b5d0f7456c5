"""Pictures side by side."""

from __future__ import annotations

import math

import numpy as np


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
