"""Generators as they make pictures alone, in bfloat16: the same function in fewer operations.

- Batch normalisation with fixed statistics is a scale and a shift, which the convolution before
  it does as well: it takes them into its own weights and bias.
- Weights are rounded to bfloat16, laid out as their operator reads them, and divided by their
  spectral norms, once instead of for every group of pictures.

All of this changes the last bits of the results, so nothing of it is done in float32, where a
seed's picture is to stay what it is. In bfloat16 the convolutions round far more than it does.
"""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.networks.interfaces import Generator
from facegan.networks.kernels import winograd
from facegan.networks.kernels.strided import (
    THIN,
    ConvTranspose4x4,
    StridedConvTranspose2d,
    doubled,
    interleaved,
    phases,
)

# With fewer places than this, in all pictures of a group, Winograd's form does not pay.
_FEW_PLACES = 256


@torch.no_grad()
def for_inference(generator: Generator) -> Generator:
    """A copy that only makes pictures, under autocast to bfloat16: it cannot be trained.

    Args:
        generator: in evaluation mode, on its device; it stays as it is.
    """
    network = copy.deepcopy(generator)
    norms: dict[nn.Module, nn.BatchNorm2d] = {}
    for parent in list(network.modules()):
        for first, second in _normalised(parent):
            layer, norm = parent.get_submodule(first), parent.get_submodule(second)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(
                norm, nn.BatchNorm2d
            ):
                norms[layer] = norm
                parent.set_submodule(second, nn.Identity())
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                setattr(parent, name, _rebuilt(layer, norms.get(layer)))
    return network.eval().requires_grad_(False)


def _normalised(parent: nn.Module) -> list[tuple[str, str]]:
    """Names of children that follow each other, so that nothing else sees what is between them."""
    if isinstance(parent, nn.Sequential):
        return list(pairwise(name for name, _ in parent.named_children()))
    return list(getattr(parent, "normalised", ()))


def _rebuilt(
    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d | None
) -> nn.Module:
    """The same, its norm included, as a layer with plain weights in bfloat16."""
    weight, bias = layer.weight, layer.bias  # once: with a spectral norm, the weight is computed
    if norm is not None:
        weight, bias = _folded(weight, bias, norm, isinstance(layer, nn.ConvTranspose2d))
    weight, bias = weight.bfloat16(), None if bias is None else bias.bfloat16()
    if isinstance(layer, nn.Linear):
        return _filled(nn.Linear(1, 1, bias is not None, device="meta"), weight, bias)
    on_cpu = weight.device.type == "cpu"
    if isinstance(layer, StridedConvTranspose2d) and on_cpu:
        if weight.shape[1] <= THIN:
            return _ToPhases(weight, bias)
        if winograd.suits(weight):
            return _ByWinograd(weight, bias)
    if isinstance(layer, ConvTranspose4x4) and on_cpu:
        return _FromVector(weight, bias)
    kind = nn.ConvTranspose2d if isinstance(layer, nn.ConvTranspose2d) else nn.Conv2d
    plain = kind(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]  # as their constructors wrote it
        stride=layer.stride,  # type: ignore[arg-type]
        padding=layer.padding,  # type: ignore[arg-type]
        groups=layer.groups,
        bias=bias is not None,
        device="meta",
    )
    return _filled(plain, weight, bias)


def _folded(
    weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm2d, transposed: bool
) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution whose output is already normalised."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    mean = norm.running_mean if bias is None else norm.running_mean - bias
    places = scale[None, :, None, None] if transposed else scale[:, None, None, None]
    return weight * places, norm.bias - mean * scale


def _filled(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.register_parameter("weight", nn.Parameter(weight))
    layer.register_parameter("bias", None if bias is None else nn.Parameter(bias))
    return layer


class _FromVector(nn.Module):
    """`FromOnePlace` on the CPU as the matrix product that it is: [N, C, 1, 1] → [N, C', 4, 4]."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        # Rows in the order of the maps' memory: place by place, all channels of one together.
        self.weight = nn.Parameter(weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous())
        self.bias = None if bias is None else nn.Parameter(bias.repeat(weight.shape[2:].numel()))
        self._places = weight.shape[2:]

    def forward(self, x: Tensor) -> Tensor:
        rows = F.linear(x.flatten(1), self.weight, self.bias)
        return rows.unflatten(1, (*self._places, -1)).permute(0, 3, 1, 2)


class _ToPhases(nn.Module):
    """`StridedConvTranspose2d` to few channels on the CPU: [N, C, H, W] → [N, C', 2H, 2W]."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(phases(weight))
        self.bias = None if bias is None else nn.Parameter(bias.repeat(4))

    def forward(self, x: Tensor) -> Tensor:
        return interleaved(F.conv2d(x, self.weight, self.bias, 1, 1))


class _ByWinograd(nn.Module):
    """`StridedConvTranspose2d` on the CPU: [N, C, H, W] → [N, C', 2H, 2W].

    With its weights transformed once, it is faster than the direct form for fewer places than in
    training; still not for single pictures.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        weight = weight.contiguous(memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight)
        self.transformed = nn.Parameter(winograd.transformed_weight(weight))
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, y: Tensor) -> Tensor:
        if len(y) * y.shape[2:].numel() < _FEW_PLACES:
            return F.conv_transpose2d(y, self.weight, self.bias, 2, 1)
        y = y.to(self.weight.dtype).contiguous(memory_format=torch.channels_last)
        products = winograd.outputs_adjoint(y) @ self.transformed
        images = winograd.images_adjoint(products, doubled(y, self.weight))
        return images if self.bias is None else images.add_(self.bias[:, None, None])
