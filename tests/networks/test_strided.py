"""The fast forms of the strided convolutions against PyTorch's own operators."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.networks.kernels.strided import ConvTranspose4x4, StridedConv2d, StridedConvTranspose2d

SHAPES = [(3, 6), (6, 3), (1, 5), (5, 1), (5, 7), (1, 1), (4, 4)]
PATCHES = [(256, 4), (128, 5), (128, 132), (256, 260)]  # where bfloat16 becomes one matrix product


def theirs(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    function = F.conv2d if isinstance(layer, nn.Conv2d) else F.conv_transpose2d
    return lambda x: function(x, layer.weight, layer.bias, 2, 1)


def derivatives(
    layer: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor
) -> dict[str, Tensor]:
    """Output, gradients, and the gradients of a gradient penalty."""
    x = x.clone().requires_grad_()
    parameters = dict(layer.named_parameters())
    output = forward(x)
    wanted = [x, *parameters.values()]
    first = torch.autograd.grad(output.tanh().sum(), wanted, create_graph=True)
    penalty = sum(g.square().sum() for g in first)
    second = torch.autograd.grad(penalty, wanted)
    names = ["x", *parameters]
    found = {"output": output} | {f"first.{n}": g for n, g in zip(names, first, strict=True)}
    return found | {f"second.{n}": g for n, g in zip(names, second, strict=True)}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [StridedConv2d, StridedConvTranspose2d])
def test_equals_pytorch_up_to_the_second_derivative(
    kind: type[nn.Module], shape: tuple[int, int], bias: bool, channels_last: bool
) -> None:
    torch.manual_seed(0)
    layer = kind(*shape, bias=bias).double()
    if channels_last:
        layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(2, shape[0], 6, 8, dtype=torch.float64)
    found, expected = (derivatives(layer, f, x) for f in (layer, theirs(layer)))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("shape", [*SHAPES, *PATCHES])
@pytest.mark.parametrize("kind", [StridedConv2d, StridedConvTranspose2d])
def test_under_autocast_it_is_pytorch_to_bfloat16s_digits(
    kind: type[nn.Module], shape: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    layer = kind(*shape).to(memory_format=torch.channels_last)
    x = torch.randn(2, shape[0], 4, 4)
    exact, found = [], []
    for results, forward, enabled in ((exact, theirs(layer), False), (found, layer, True)):
        inputs = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = forward(inputs)
        assert output.dtype == (torch.bfloat16 if enabled else torch.float32)
        loss = output.float().sin().sum()
        results += [output.float(), *torch.autograd.grad(loss, [inputs, *layer.parameters()])]
    assert [r.dtype for r in found] == [torch.float32] * 4
    for a, b in zip(found, exact, strict=True):
        assert (a - b).norm() <= 0.02 * b.norm() + 1e-3


def test_the_layout_of_the_weights_decides_the_form_but_not_the_values() -> None:
    torch.manual_seed(0)
    layer = StridedConvTranspose2d(8, 3)
    x = torch.randn(2, 8, 4, 4)
    plain = layer(x)
    fast = layer.to(memory_format=torch.channels_last)(x)
    assert not plain.is_contiguous(memory_format=torch.channels_last)
    assert fast.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(plain, fast)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("shape", [(5, 7), (1, 3), (4, 1)])
def test_from_one_place_equals_pytorch_up_to_the_second_derivative(
    shape: tuple[int, int], autocast: bool, channels_last: bool
) -> None:
    """Autocast decides the form, and leaves float64 as it is."""
    torch.manual_seed(0)
    layer = ConvTranspose4x4(*shape).double()
    if channels_last:
        layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(3, shape[0], 1, 1, dtype=torch.float64)
    expected = derivatives(layer, lambda z: F.conv_transpose2d(z, layer.weight), x)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = derivatives(layer, layer, x)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("shape", [(5, 7), (64, 48)])
def test_from_one_place_in_bfloat16(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = ConvTranspose4x4(*shape).to(memory_format=torch.channels_last)
    x = torch.randn(3, shape[0], 1, 1)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.bfloat16
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert (found.float() - exact).norm() <= 0.01 * exact.norm()
