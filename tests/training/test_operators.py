"""What is recorded of operators, against arithmetic counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.training.speed.operators import Operator, Recorder
from facegan.training.speed.roofline import Roofline, measure_roofline

CPU = torch.device("cpu")


def flops(found: list[Operator]) -> float:
    return sum(each.flops for each in found)


def test_a_matrix_product_counts_two_for_each_pair() -> None:
    a, b = torch.randn(3, 5), torch.randn(5, 7)
    with Recorder(CPU) as recorder:
        c = a @ b
        a @ b
    assert torch.equal(c, a @ b)
    (product,) = recorder.operators
    assert (product.name, product.kind, product.calls) == ("aten.mm", "products", 2)
    assert product.flops == 2 * (2 * 3 * 5 * 7)
    assert product.bytes == 2 * 4 * (3 * 5 + 5 * 7 + 3 * 7)
    assert product.shapes == "fp32[3,5], fp32[5,7]"
    assert product.seconds > 0


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_convolution_counts_its_weights_at_each_place(transposed: bool, groups: int) -> None:
    layer: nn.Conv2d | nn.ConvTranspose2d
    if transposed:  # each input place meets every weight
        layer, places = nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=groups), 8 * 10
    else:  # each output place does
        layer, places = nn.Conv2d(4, 6, 3, 2, 1, groups=groups), 4 * 5
    x = torch.randn(2, 4, 8, 10, requires_grad=True)
    once = 2 * 2 * places * layer.weight.numel()
    with Recorder(CPU) as recorder:
        y = layer(x)
    assert flops(recorder.operators) == once
    with Recorder(CPU) as recorder:
        y.sum().backward()
    # Once for the gradient of the input, once for that of the weights.
    assert flops(recorder.operators) == 2 * once
    with Recorder(CPU) as recorder:
        layer(x.detach()).sum().backward()
    assert flops(recorder.operators) == 2 * once  # forward, and the weights alone


def test_kinds_are_told_apart_and_views_cost_nothing() -> None:
    x = torch.randn(2, 4, 3, 3, requires_grad=True)
    weights = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    adam = torch.optim.Adam(weights, fused=True)

    def work() -> Tensor:
        y = F.batch_norm(x, None, None, training=True).transpose(0, 1)
        return F.leaky_relu(y.contiguous(), 0.2).sum()

    with Recorder(CPU) as recorder:
        work().backward()
        adam.step()
        torch._foreach_norm(weights)
    kinds = {each.name: each.kind for each in recorder.operators}
    assert "aten.transpose" not in kinds
    assert kinds["aten.native_batch_norm_backward"] == "normalisation"
    assert kinds["aten.clone"] == "copies"
    assert kinds["aten.leaky_relu"] == kinds["aten.sum"] == "elementwise"
    assert kinds["aten._fused_adam_"] == kinds["aten._foreach_norm"] == "updates"
    assert flops(recorder.operators) == 0


def test_recording_changes_nothing_and_ends() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    x = torch.randn(2, 3, 6, 6)
    expected = net(x)
    with Recorder(CPU) as recorder:
        assert torch.equal(net(x), expected)
    before = len(recorder.operators)
    net(x)
    assert len(recorder.operators) == before


def test_the_least_time_is_that_of_what_takes_longer() -> None:
    roofline = Roofline(flops=100.0, bytes=10.0)
    assert roofline.seconds(flops=200.0, bytes=10.0) == 2.0
    assert roofline.seconds(flops=200.0, bytes=50.0) == 5.0


def test_ceilings_are_measured_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from facegan.training.speed import roofline as roofline

    monkeypatch.setattr(roofline, "_CPU_PRODUCTS", ((64, 64, 64),))
    monkeypatch.setattr(roofline, "_CPU_BYTES", 1 << 20)
    found = measure_roofline(CPU, "fp32")
    # From the slowest that could run this to more than any processor has.
    assert 1e7 < found.flops < 1e14
    assert 1e7 < found.bytes < 1e13
