"""The one resizer in front of feature networks: the same for real and generated pictures.

Measuring with a resizer that aliases, or with one for the real and another for the
generated pictures, changes a Fréchet distance more than years of research did (Parmar et
al. 2022, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

DESCRIPTION = "antialiased bicubic (a = −0.5), rounded to whole levels"


def resize(images: npt.NDArray[np.uint8], side: int) -> torch.Tensor:
    """Pictures of any size as RGB squares.

    The filter is Pillow's, in integer arithmetic on the CPU: to the last bit the same on
    every machine, and a small part of what the network after it costs. A picture that has
    the size already stays as it is; one that is no square is stretched to it.

    Args:
        images: uint8 [N, H, W, C], C = 3 (RGB) or 1 (grey).
        side: of the result, in pixels.

    Returns:
        uint8 [N, 3, side, side] on the CPU; in memory [N, side, side, 3], channels_last.
        Grey has three equal channels.
    """
    import torch
    from torch.nn import functional

    pictures = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    if pictures.shape[2:] != (side, side):
        pictures = functional.interpolate(
            pictures, size=(side, side), mode="bicubic", antialias=True
        )
    return pictures.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
