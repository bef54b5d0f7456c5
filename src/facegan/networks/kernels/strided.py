"""Convolutions of kernel 4, stride 2, padding 1, in the forms that processors run fastest.

The published operators with the usual parameters; only the order of the arithmetic differs.
On the CPU, measured on a processor with AVX512-BF16 (benchmarks/train_speed.py):

- a convolution from few channels, or to few, wastes most of a vector register in oneDNN's
  general kernels; the transposed one to RGB is three times as fast as a 2×2 convolution to
  four phases, which are then interleaved;
- with many channels and few pixels, bfloat16 runs faster as one matrix product of patches
  (forward from 256 channels, or from 128 at few places; weight gradient from 128). In float32
  it never does;
- from one place to 4×4, as at the beginning of a generator, it is a matrix product, and in
  bfloat16 faster as one. In float32 the convolution is kept: its results for a picture do not
  depend on how many others are computed with it.

Elsewhere than on the CPU, PyTorch's own operators are called. Each operator's gradient is
made of differentiable parts, so gradient penalties work through both forms.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from facegan.networks.kernels import winograd

# Where the matrix product of patches is faster in bfloat16, in input channels.
_PATCHES_FORWARD = 256
_PATCHES_WEIGHT = 128
# With so few places of the output, in all images together, already from the lower number on.
_FEW_PLACES = 512
# Up to this many channels on the image's side, phases are faster than the general kernel.
THIN = 4


class StridedConv2d(nn.Conv2d):
    """Convolution that halves the resolution: kernel 4, stride 2, padding 1.

    Args:
        wide: input channels.
        narrow: output channels.
        bias: whether a bias is added.
    """

    def __init__(self, wide: int, narrow: int, bias: bool = True) -> None:
        super().__init__(wide, narrow, 4, stride=2, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C', H/2, W/2]."""
        weight = self.weight  # once: it may be computed, as with a spectral norm
        if not _on_cpu(input, weight):
            return self._conv_forward(input, weight, self.bias)
        x, weight = _prepared(input, weight)
        form = _WinogradDown if winograd.pays(weight, x.shape) else _Down
        return _with_bias(form.apply(x, weight), self.bias)


class StridedConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution that doubles the resolution: kernel 4, stride 2, padding 1.

    Args:
        wide: input channels.
        narrow: output channels.
        bias: whether a bias is added.
    """

    def __init__(self, wide: int, narrow: int, bias: bool = True) -> None:
        super().__init__(wide, narrow, 4, stride=2, padding=1, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[N, C, H, W] → [N, C', 2H, 2W]."""
        weight = self.weight
        if not _on_cpu(input, weight):
            return F.conv_transpose2d(input, weight, self.bias, 2, 1)
        y, weight = _prepared(input, weight)
        form = _WinogradUp if winograd.pays(weight, doubled(y, weight)) else _Up
        return _with_bias(form.apply(y, weight), self.bias)


class ConvTranspose4x4(nn.ConvTranspose2d):
    """Transposed convolution of a single place to 4×4: kernel 4, without bias.

    Args:
        wide: input channels.
        narrow: output channels.
    """

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__(wide, narrow, 4, bias=False)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[N, C, 1, 1] → [N, C', 4, 4]."""
        weight = self.weight
        if not _on_cpu(input, weight) or not torch.is_autocast_enabled("cpu"):
            return F.conv_transpose2d(input, weight)
        # As they lie in memory, the weights are a matrix already, and the maps come out right.
        matrix = weight.permute(0, 2, 3, 1).flatten(1)
        rows = F.linear(input.flatten(1), matrix.t())
        return rows.unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)


def _on_cpu(input: Tensor, weight: Tensor) -> bool:
    """Whether the forms here apply: on the CPU, with the weights laid out channels_last."""
    return input.device.type == "cpu" and weight.is_contiguous(memory_format=torch.channels_last)


def _prepared(input: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """As autocast would: a custom function decides its own precision."""
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        input, weight = input.to(dtype), weight.to(dtype)
    return input.contiguous(memory_format=torch.channels_last), weight


def doubled(y: Tensor, weight: Tensor) -> tuple[int, int, int, int]:
    """The shape of what `_up` makes of y [N, C', H, W] with a weight [C', C, 4, 4]."""
    n, _, height, width = y.shape
    return n, weight.shape[1], 2 * height, 2 * width


def _with_bias(output: Tensor, bias: Tensor | None) -> Tensor:
    return output if bias is None else output + bias.to(output.dtype)[:, None, None]


def _down(x: Tensor, weight: Tensor) -> Tensor:
    """The convolution. x [N, C, H, W], weight [C', C, 4, 4] → [N, C', H/2, W/2]."""
    n, channels, height, width = x.shape
    few = channels >= _PATCHES_WEIGHT and n * height * width // 4 <= _FEW_PLACES
    if x.dtype == torch.bfloat16 and (few or channels >= _PATCHES_FORWARD):
        rows = _patches(x) @ weight.permute(0, 2, 3, 1).flatten(1).t()
        return rows.view(n, height // 2, width // 2, -1).permute(0, 3, 1, 2)
    return F.conv2d(x, weight, None, 2, 1)


def _up(y: Tensor, weight: Tensor) -> Tensor:
    """Its adjoint. y [N, C', H, W], weight [C', C, 4, 4] → [N, C, 2H, 2W]."""
    if weight.shape[1] > THIN:
        return F.conv_transpose2d(y, weight, None, 2, 1)
    return interleaved(F.conv2d(y, phases(weight), None, 1, 1))


def phases(weight: Tensor) -> Tensor:
    """The kernel of `_up` as that of a 2×2 convolution to four phases of its output.

    Output pixels of one parity of row and column see a 2×2 part of the kernel each: four small
    convolutions in one, whose results interleave. [C', C, 4, 4] → [4 C, C', 2, 2].
    """
    wide, narrow = weight.shape[:2]
    parts = weight.view(wide, narrow, 2, 2, 2, 2).flip(2, 4).permute(3, 5, 1, 0, 2, 4)
    kernel = parts.reshape(4 * narrow, wide, 2, 2)
    return kernel.contiguous(memory_format=torch.channels_last)


def interleaved(z: Tensor) -> Tensor:
    """The output of the convolution with `phases`, padded by 1, as one image.

    [N, 4 C, H+1, W+1] → [N, C, 2H, 2W].
    """
    n, channels, height, width = z.shape
    narrow = channels // 4
    z = z.permute(0, 2, 3, 1).view(n, height, width, 2, 2, narrow).permute(0, 1, 3, 2, 4, 5)
    z = z.reshape(n, 2 * height, 2 * width, narrow)
    return z[:, 1:-1, 1:-1].contiguous().permute(0, 3, 1, 2)


def _weight_gradient(x: Tensor, y: Tensor) -> Tensor:
    """Gradient of ⟨down(x, w), y⟩ in w: x [N, C, H, W], y [N, C', H/2, W/2] → [C', C, 4, 4]."""
    wide, narrow = x.shape[1], y.shape[1]
    if x.dtype == torch.bfloat16 and wide >= _PATCHES_WEIGHT:
        rows = y.permute(0, 2, 3, 1).reshape(-1, narrow)
        return (rows.t() @ _patches(x)).view(narrow, 4, 4, wide).permute(0, 3, 1, 2)
    shape = x.new_empty(narrow, wide, 4, 4).to(memory_format=torch.channels_last)
    mask = [False, True, False]
    return torch.ops.aten.convolution_backward(
        y, x, shape, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1, mask
    )[1]


def _patches(x: Tensor) -> Tensor:
    """The 4×4 patches under a stride of 2: [N, C, H, W] → [N · H/2 · W/2, 16 C]."""
    n, channels, height, width = x.shape
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    windows = padded.unfold(1, 4, 2).unfold(2, 4, 2).permute(0, 1, 2, 4, 5, 3)
    return windows.reshape(n * height * width // 4, 16 * channels)


Gradients = tuple[Tensor | None, Tensor | None]


def _down_gradients(ctx: Any, x: Tensor, weight: Tensor, gradient: Tensor) -> Gradients:
    """Of `_down` in x and weight, those that are wanted, themselves differentiable."""
    return (
        _up(gradient, weight) if ctx.needs_input_grad[0] else None,
        _weight_gradient(x, gradient) if ctx.needs_input_grad[1] else None,
    )


def _up_gradients(ctx: Any, y: Tensor, weight: Tensor, gradient: Tensor) -> Gradients:
    """Of `_up` in y and weight, those that are wanted, themselves differentiable."""
    return (
        _down(gradient, weight) if ctx.needs_input_grad[0] else None,
        _weight_gradient(gradient, y) if ctx.needs_input_grad[1] else None,
    )


class _Down(Function):
    """`_down` with gradients in the same forms."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _down(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        return _down_gradients(ctx, x, weight, gradient)


class _Up(Function):
    """`_up` with gradients in the same forms."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(y, weight)
        return _up(y, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        y, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        return _up_gradients(ctx, y, weight, gradient)


class _WinogradDown(Function):
    """`_down` in Winograd's form. To be differentiated again, gradients take the direct ones."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        v, u = winograd.transformed_images(x), winograd.transformed_weight(weight)
        ctx.save_for_backward(x, weight, v, u)
        return winograd.outputs(v @ u.mT, x.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        x, weight, v, u = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if torch.is_grad_enabled():
            return _down_gradients(ctx, x, weight, gradient)
        d = winograd.outputs_adjoint(gradient)
        return (
            winograd.images_adjoint(d @ u, x.shape) if ctx.needs_input_grad[0] else None,
            winograd.weight_adjoint(d.mT @ v) if ctx.needs_input_grad[1] else None,
        )


class _WinogradUp(Function):
    """`_up` in Winograd's form. To be differentiated again, gradients take the direct ones."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor) -> Tensor:
        d, u = winograd.outputs_adjoint(y), winograd.transformed_weight(weight)
        ctx.save_for_backward(y, weight, d, u)
        return winograd.images_adjoint(d @ u, doubled(y, weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        y, weight, d, u = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if torch.is_grad_enabled():
            return _up_gradients(ctx, y, weight, gradient)
        v = winograd.transformed_images(gradient)
        return (
            winograd.outputs(v @ u.mT, gradient.shape) if ctx.needs_input_grad[0] else None,
            winograd.weight_adjoint(d.mT @ v) if ctx.needs_input_grad[1] else None,
        )
