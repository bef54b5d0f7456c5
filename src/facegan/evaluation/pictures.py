"""What counts as pictures, wherever something looks at them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError


def require_pictures(images: npt.NDArray[np.uint8]) -> None:
    """Refuse, with a DataError, all but uint8 [N, H, W, C] with C = 3 (RGB) or 1 (grey)."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise DataError(
            f"Pictures of type {images.dtype} and shape {list(images.shape)} are none.",
            "Pass uint8 [N, H, W, C] with 3 channels (RGB) or 1 (grey).",
        )
