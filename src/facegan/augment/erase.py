"""What is missing from a picture: the border that a shift leaves, and a square cut out.

It is mid-grey, in every pixel range. D sees it in real and in generated images alike.
"""

from __future__ import annotations

import torch
from torch import Tensor


def outside(corners: Tensor, side: int, height: int, width: int) -> Tensor:
    """1 for each pixel that is not in a square, 0 for the others, [N, 1, H, W].

    Args:
        corners: [N, 2]: the square's first row and column, anywhere.
        side: of the square in pixels.
        height: of the pictures.
        width: of the pictures.
    """
    top, left = corners[:, :, None].unbind(1)
    y = torch.arange(height, device=corners.device) - top
    x = torch.arange(width, device=corners.device) - left
    rows, columns = (y >= 0) & (y < side), (x >= 0) & (x < side)
    return 1 - rows[:, None, :, None].float() * columns[:, None, None, :].float()


def hide(images: Tensor, seen: Tensor, grey: Tensor) -> Tensor:
    """The images where `seen` is 1, and grey where it is 0.

    Args:
        images: [N, C, H, W].
        seen: [N, 1, H, W], 0 or 1.
        grey: [C, 1, 1] or [1, 1, 1].
    """
    # A product is several times as fast as `where` on a CPU.
    seen = seen.to(images.dtype)
    return torch.addcmul(grey * (1 - seen), images, seen)
