"""Winograd's form of the strided convolutions: the published operator, in other arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.networks.kernels import winograd
from facegan.networks.kernels.strided import StridedConv2d, StridedConvTranspose2d

SHAPES = [(2, 5, 4, 4), (3, 2, 8, 8), (1, 3, 4, 12), (2, 4, 16, 8)]  # of images
OUTPUTS = 6


def drawn(*shape: int) -> Tensor:
    values = torch.randn(*shape, dtype=torch.float64)
    return values.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "pays", lambda weight, shape: True)


@pytest.mark.parametrize("shape", SHAPES)
def test_nine_products_are_the_convolution_its_adjoint_and_its_weights_gradient(
    shape: tuple[int, int, int, int],
) -> None:
    torch.manual_seed(0)
    n, channels, height, width = shape
    x, weight = drawn(*shape), drawn(OUTPUTS, channels, 4, 4)
    y = drawn(n, OUTPUTS, height // 2, width // 2)
    v, u = winograd.transformed_images(x), winograd.transformed_weight(weight)
    d = winograd.outputs_adjoint(y)
    assert v.shape == (9, n * height * width // 16, 4 * channels)
    assert u.shape == (9, OUTPUTS, 4 * channels)
    found = (
        winograd.outputs(v @ u.mT, shape),
        winograd.images_adjoint(d @ u, shape),
        winograd.weight_adjoint(d.mT @ v),
    )
    expected = (
        F.conv2d(x, weight, None, 2, 1),
        F.conv_transpose2d(y, weight, None, 2, 1),
        torch.nn.grad.conv2d_weight(x, weight.shape, y, 2, 1),
    )
    for a, b in zip(found, expected, strict=True):
        assert a.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_transform_has_its_adjoint(shape: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    n, channels, height, width = shape
    tiles = n * height * width // 16

    def agree(forward: Tensor, other: Tensor, value: Tensor, back: Tensor) -> None:
        torch.testing.assert_close((forward * other).sum(), (value * back).sum())

    x, v = drawn(*shape), torch.randn(9, tiles, 4 * channels, dtype=torch.float64)
    agree(winograd.transformed_images(x), v, x, winograd.images_adjoint(v, shape))
    w, u = drawn(OUTPUTS, channels, 4, 4), torch.randn(9, OUTPUTS, 4 * channels).double()
    agree(winograd.transformed_weight(w), u, w, winograd.weight_adjoint(u))
    y, m = drawn(n, OUTPUTS, height // 2, width // 2), torch.randn(9, tiles, OUTPUTS).double()
    agree(winograd.outputs_adjoint(y), m, y, winograd.outputs(m, shape))


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("kind", [StridedConv2d, StridedConvTranspose2d])
def test_layers_are_the_same_up_to_the_second_derivative(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    layer = kind(3, OUTPUTS).double().to(memory_format=torch.channels_last)
    x = drawn(2, 3, 4, 8).requires_grad_()
    operator = F.conv2d if kind is StridedConv2d else F.conv_transpose2d

    def derivatives(forward: Callable[[Tensor], Tensor]) -> list[Tensor]:
        wanted = [x, *layer.parameters()]
        output = forward(x)
        first = torch.autograd.grad(output.tanh().sum(), wanted)
        again = torch.autograd.grad(forward(x).tanh().sum(), wanted, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in again), wanted)
        return [output, *first, *again, *second]

    found = derivatives(layer)
    expected = derivatives(lambda x: operator(x, layer.weight, layer.bias, 2, 1))
    assert len(found) == 10
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("kind", "to_input"),
    [(StridedConv2d, "images_adjoint"), (StridedConvTranspose2d, "outputs")],
)
def test_only_the_gradients_asked_for_are_computed(
    kind: type[nn.Module], to_input: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = kind(3, OUTPUTS).double().to(memory_format=torch.channels_last)
    for learns, unused in ((True, to_input), (False, "weight_adjoint")):
        layer.requires_grad_(learns)
        x = drawn(1, 3, 4, 4).requires_grad_(not learns)
        output = layer(x)
        with monkeypatch.context() as without:
            without.setattr(winograd, unused, None)  # calling it would fail
            output.sum().backward()
        assert (layer.weight if learns else x).grad is not None


def error(found: Tensor, exact: Tensor) -> float:
    return ((found.double() - exact).square().mean().sqrt() / exact.std()).item()


def test_what_bfloat16_loses_is_within_what_is_stated() -> None:
    """0.3 % of the results' spread directly, 0.7 % in this form; and neither is biased."""
    torch.manual_seed(0)
    x, weight = drawn(16, 128, 16, 16), drawn(256, 128, 4, 4)
    exact = F.conv2d(x, weight, None, 2, 1)
    low, small = x.bfloat16(), weight.bfloat16()
    direct = F.conv2d(low, small, None, 2, 1)
    v, u = winograd.transformed_images(low), winograd.transformed_weight(small)
    found = winograd.outputs(v @ u.mT, x.shape)
    assert error(direct, exact) < 0.004
    assert error(found, exact) < 0.009
    assert abs((found.double() - exact).mean() / exact.std()) < 1e-4


def test_it_is_taken_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    deep = torch.empty(512, 256, 4, 4, dtype=torch.bfloat16)
    assert winograd.pays(deep, (64, 256, 8, 8))
    assert not winograd.pays(deep.float(), (64, 256, 8, 8)), "in float32 it loses"
    assert not winograd.pays(deep, (8, 256, 8, 8)), "few places"
    assert not winograd.pays(deep, (64, 256, 32, 32)), "beyond the caches"
    assert not winograd.pays(deep, (64, 256, 10, 8)), "no whole number of tiles"
    assert not winograd.pays(deep[:128], (64, 256, 8, 8)), "few outputs"
    assert not winograd.pays(deep[:, :64], (64, 64, 8, 8)), "few channels"
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert not winograd.pays(deep, (64, 256, 8, 8)), "AMX is faster than memory"


def test_training_takes_it_and_stays_within_bfloat16s_digits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    torch.manual_seed(0)
    layers = [StridedConv2d(96, 192), nn.LeakyReLU(0.2), StridedConvTranspose2d(192, 96)]
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    x = torch.randn(16, 96, 16, 16).contiguous(memory_format=torch.channels_last)

    def gradients(bf16: bool) -> tuple[Tensor, str]:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = network(x)
        output.float().square().mean().backward()
        return torch.cat([p.grad.flatten() for p in network.parameters()]), graph(output)

    exact, _ = gradients(bf16=False)
    found, taken = gradients(bf16=True)
    assert "_WinogradDown" in taken
    assert "_WinogradUp" in taken
    assert (found - exact).norm() < 0.02 * exact.norm()


def graph(output: Tensor) -> str:
    """The names of the operators that a result was computed with."""
    names, nodes = [], [output.grad_fn]
    while nodes:
        node = nodes.pop()
        if node is not None:
            names.append(node.name())
            nodes += [before for before, _ in node.next_functions]
    return " ".join(names)
