"""Where pixels go: mirrored, shifted by whole pixels, or resampled."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_BILINEAR, _REFLECTION = 0, 2  # as PyTorch numbers them


def move(images: Tensor, offsets: Tensor) -> Tensor:
    """Mirror and shift by whole pixels; what leaves on one side comes back on the other.

    A permutation of the pixels: nothing is lost or computed, and its gradient is exact. Who
    wants no pixels from the other side hides them (`seen_after`).

    Args:
        images: [N, C, H, W].
        offsets: [N, 3]: pixels down and to the right, and 1 where to mirror before.
    """
    n, channels, height, width = images.shape
    down, right, mirrored = offsets.long()[:, :, None].unbind(1)
    rows = (torch.arange(height, device=images.device) - down) % height
    columns = (torch.arange(width, device=images.device) - right) % width
    columns = torch.where(mirrored > 0, width - 1 - columns, columns)
    index = (rows[:, :, None] * width + columns[:, None, :]).view(n, 1, height * width)
    return images.flatten(2).gather(2, index.expand(n, channels, -1)).view(images.shape)


def seen_after(offsets: Tensor, height: int, width: int) -> Tensor:
    """1 for each pixel that was in the picture before a shift, 0 elsewhere, [N, 1, H, W]."""
    down, right = offsets[:, :2, None].unbind(1)
    y = torch.arange(height, device=offsets.device) - down
    x = torch.arange(width, device=offsets.device) - right
    rows, columns = (y >= 0) & (y < height), (x >= 0) & (x < width)
    return rows[:, None, :, None].float() * columns[:, None, None, :].float()


def similarity(scale: Tensor, degrees: Tensor, shift: Tensor) -> Tensor:
    """Parameters of `resample`, [N, 4].

    Args:
        scale: [N], above 1 enlarges.
        degrees: [N], counter-clockwise as one sees it.
        shift: [N, 2], pixels down and to the right, after the rest.
    """
    angle = torch.deg2rad(degrees)
    turn = torch.stack((angle.cos() / scale, angle.sin() / scale), 1)
    return torch.cat((turn, shift), 1)


def resample(images: Tensor, similarities: Tensor) -> Tensor:
    """Scale and turn about the centre, then shift, with bilinear interpolation.

    Beyond its borders a picture is continued by its reflection.

    Args:
        images: [N, C, H, W].
        similarities: [N, 4] of `similarity`.
    """
    n, _, height, width = images.shape
    cos, sin, down, right = similarities.to(images.dtype)[:, :, None, None].unbind(1)
    y = torch.arange(height, device=images.device)[:, None] - (height - 1) / 2 - down
    x = torch.arange(width, device=images.device) - (width - 1) / 2 - right
    grid = images.new_empty(n, height, width, 2)
    # From where each pixel comes: the inverse of the picture's movement, in half sides.
    torch.sub(cos * x * (2 / width), sin * y * (2 / width), out=grid[..., 0])
    torch.add(sin * x * (2 / height), cos * y * (2 / height), out=grid[..., 1])
    return sample(images, grid)


def sample(images: Tensor, grid: Tensor) -> Tensor:
    """The images' values at other places, bilinear; beyond the borders, their reflection.

    Differentiable in the images, any number of times.

    Args:
        images: [N, C, H, W].
        grid: [N, H, W, 2]: x and y of where each pixel comes from; −1 and 1 are the edges.
    """
    sampled: Tensor = _Sample.apply(images, grid)
    return sampled


# PyTorch 2.0 cannot differentiate the gradient of grid_sample, 2.13 can; we support versions
# between. With a fixed grid, sampling is linear in the image: it and its transpose are each
# other's gradient, which holds in every version.
class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Tensor, grid: Tensor) -> Tensor:
        context.save_for_backward(grid)
        return F.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = context.saved_tensors
        return _Spread.apply(gradients[0], grid), None


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, gradient: Tensor, grid: Tensor) -> Tensor:
        context.save_for_backward(grid)
        # Of the sampled images, the operation reads the shape alone: it is that of the gradient.
        spread: Tensor = torch.ops.aten.grid_sampler_2d_backward(
            gradient, gradient, grid, _BILINEAR, _REFLECTION, False, (True, False)
        )[0]
        return spread

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = context.saved_tensors
        return _Sample.apply(gradients[0], grid), None
