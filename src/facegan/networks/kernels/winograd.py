"""Winograd's minimal filtering for convolutions of kernel 4, stride 2, padding 1.

Seen in its phases (odd and even rows, odd and even columns), such a convolution has a kernel of
2×2 and no stride, with four times as many channels. Two neighbouring outputs of two taps then
need three multiplications instead of four (Winograd 1980; Lavin & Gray 2016, arXiv:1509.09308,
F(2, 2)):

    y₀ = d₀ g₀ + d₁ g₁ = (d₀ − d₁) g₀ + d₁ (g₀ + g₁)
    y₁ = d₁ g₀ + d₂ g₁ = d₁ (g₀ + g₁) + (d₂ − d₁) g₁

in both directions nine instead of sixteen. The convolution, its adjoint and the gradient of its
weights become nine matrix products each, between transforms that only add: 1.78 times less
arithmetic for the same function, and an update needs each transform once for all three.

In exact arithmetic it is the same. In bfloat16 what was added is rounded once more: results
differ from float32's by 0.7 % of their spread where the direct form's differ by 0.3 %, most of
it from the rounding of inputs and weights.

Images and maps lie in memory as [N, H, W, C]. T is the number of 2×2 tiles of outputs in all
images, N · H/4 · W/4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# Where this is faster in bfloat16 than the direct form, measured: it adds for each pixel what it
# saves for each output channel, it transforms weights for whatever number of places, and
# transforms of many leave the caches.
_CHANNELS, _OUTPUTS = 96, 192
_PLACES = range(1024, 8193)

# The three values of a tile, as pairs of neighbours in memory, begin this far from each other.
_STEP = 2
_TILE = 4


def suits(weight: Tensor) -> bool:
    """Whether this form can be the faster one, on a processor.

    Where tiles of AMX multiply several times as fast as the memory delivers, it never is.

    Args:
        weight: [C', C, 4, 4], as it is multiplied.
    """
    narrow, channels = weight.shape[:2]
    return (
        weight.dtype == torch.bfloat16
        and channels >= _CHANNELS
        and narrow >= _OUTPUTS
        and not torch.cpu._is_amx_tile_supported()
    )


def pays(weight: Tensor, shape: Sequence[int]) -> bool:
    """Whether it is, in training.

    Args:
        weight: [C', C, 4, 4], as it is multiplied.
        shape: of the images, [N, C, H, W].
    """
    n, _, height, width = shape
    divides = height % _TILE == width % _TILE == 0
    return divides and n * height * width // 4 in _PLACES and suits(weight)


def transformed_images(x: Tensor) -> Tensor:
    """[N, C, H, W], channels last, H and W multiples of 4 → [9, T, 4C]."""
    n, channels, height, width = x.shape
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    out = x.new_empty(3, 3, n, height // 4, width // 4, 2, 2, channels)
    d0, d1, d2 = (_pairs(padded, 1, _STEP * i, height // _TILE) for i in range(3))
    for row, rows in enumerate((d0 - d1, d1, d2 - d1)):
        e0, e1, e2 = (_pairs(rows, 3, _STEP * i, width // _TILE) for i in range(3))
        into = out[row].transpose(3, 4)  # [3, N, H/4, 2, W/4, 2, C]
        torch.sub(e0, e1, out=into[0])
        into[1].copy_(e1)
        torch.sub(e2, e1, out=into[2])
    return out.view(9, -1, 4 * channels)


def images_adjoint(v: Tensor, shape: Sequence[int]) -> Tensor:
    """The adjoint of `transformed_images`: [9, T, 4C] → images of the shape [N, C, H, W]."""
    n, channels, height, width = shape
    tiles = v.view(3, 3, n, height // 4, width // 4, 2, 2, channels).transpose(5, 4)
    # [row, column, N, H/4, 2, W/4, 2, C] → [row, N, H/4, 2, W + 2, C]
    rows = v.new_empty(3, n, height // 4, 2, width + 2, channels)
    count = width // _TILE
    inner = _pairs(rows, 4, _STEP, count)
    torch.sub(tiles[:, 1], tiles[:, 0], out=inner)
    inner.sub_(tiles[:, 2])
    rows[..., :2, :].copy_(tiles[:, 0, ..., 0, :, :])
    rows[..., width:, :].copy_(tiles[:, 2, ..., count - 1, :, :])
    shared = _pairs(rows, 4, _TILE, count - 1)
    torch.add(tiles[:, 0, ..., 1:, :, :], tiles[:, 2, ..., :-1, :, :], out=shared)
    # The same with rows, whose padding falls away.
    v0, v1, v2 = rows[..., 1 : width + 1, :]
    out = v.new_empty(n, height, width, channels)
    inner = _pairs(out, 1, 1, height // _TILE)
    torch.sub(v1, v0, out=inner)
    inner.sub_(v2)
    out[:, 0].copy_(v0[:, 0, 1])
    out[:, -1].copy_(v2[:, -1, 0])
    torch.add(v0[:, 1:], v2[:, :-1], out=_pairs(out, 1, 3, height // _TILE - 1))
    return out.permute(0, 3, 1, 2)


def transformed_weight(weight: Tensor) -> Tensor:
    """[C', C, 4, 4], channels last → [9, C', 4C]."""
    narrow, channels = weight.shape[:2]
    # Rows and columns of the kernel by tap and phase.
    g = weight.permute(0, 2, 3, 1).view(narrow, 2, 2, 2, 2, channels)
    out = weight.new_empty(3, 3, narrow, 2, 2, channels)
    for row, y in enumerate((g[:, 0], g[:, 0] + g[:, 1], g[:, 1])):
        out[row, 0].copy_(y[:, :, 0])
        torch.add(y[:, :, 0], y[:, :, 1], out=out[row, 1])
        out[row, 2].copy_(y[:, :, 1])
    return out.view(9, narrow, 4 * channels)


def weight_adjoint(u: Tensor) -> Tensor:
    """The adjoint of `transformed_weight`: [9, C', 4C] → [C', C, 4, 4], channels last."""
    narrow, wide = u.shape[1:]
    u = u.view(3, 3, narrow, 2, 2, wide // 4)
    out = u.new_empty(narrow, 2, 2, 2, 2, wide // 4)
    for tap in (0, 1):
        y = u[tap] + u[tap + 1]
        torch.add(y[0], y[1], out=out[:, tap, :, 0])
        torch.add(y[1], y[2], out=out[:, tap, :, 1])
    return out.view(narrow, 4, 4, wide // 4).permute(0, 3, 1, 2)


def outputs(products: Tensor, shape: Sequence[int]) -> Tensor:
    """What the products of images [N, C, H, W] add up to: [9, T, C'] → [N, C', H/2, W/2]."""
    n, _, height, width = shape
    down, across, narrow = height // _TILE, width // _TILE, products.shape[2]
    m = products.view(3, 3, n, down, across, narrow)
    out = m.new_empty(n, down, 2, across, 2, narrow)
    for row in (0, 1):
        y = m[row] + m[row + 1]
        torch.add(y[0], y[1], out=out[:, :, row, :, 0])
        torch.add(y[1], y[2], out=out[:, :, row, :, 1])
    return out.view(n, 2 * down, 2 * across, narrow).permute(0, 3, 1, 2)


def outputs_adjoint(y: Tensor) -> Tensor:
    """The adjoint of `outputs`: [N, C', H/2, W/2], channels last → [9, T, C']."""
    n, narrow, height, width = y.shape
    t = y.permute(0, 2, 3, 1).view(n, height // 2, 2, width // 2, 2, narrow)
    out = y.new_empty(3, 3, n, height // 2, width // 2, narrow)
    for row, z in enumerate((t[:, :, 0], t[:, :, 0] + t[:, :, 1], t[:, :, 1])):
        out[row, 0].copy_(z[:, :, :, 0])
        torch.add(z[:, :, :, 0], z[:, :, :, 1], out=out[row, 1])
        out[row, 2].copy_(z[:, :, :, 1])
    return out.view(9, -1, narrow)


def _pairs(values: Tensor, axis: int, first: int, count: int) -> Tensor:
    """Two neighbours of every four on an axis, from the `first` on: a view [..., count, 2, ...]."""
    size, stride = list(values.shape), list(values.stride())
    size[axis : axis + 1] = [count, 2]
    stride[axis : axis + 1] = [_TILE * stride[axis], stride[axis]]
    start = values.storage_offset() + first * values.stride(axis)
    return values.as_strided(size, stride, start)
