"""Spectral normalisation against singular values and against PyTorch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from facegan.networks.kernels.strided import StridedConv2d, StridedConvTranspose2d
from facegan.networks.layers.norm import BatchNorm2d
from facegan.networks.layers.spectral import SpectralNorm, follow, spectral_norm
from facegan.training import ema

# Layer → (how to make one, something to put into it, which dimension counts outputs).
LAYERS = {
    "linear": (lambda: nn.Linear(6, 9), torch.randn(4, 6), 0),
    "embedding": (lambda: nn.Embedding(7, 5), torch.tensor([0, 3, 6]), 0),
    "conv": (lambda: nn.Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 8, 8), 0),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), torch.randn(2, 4, 8, 8), 0),
    "transposed": (lambda: nn.ConvTranspose2d(6, 3, 4), torch.randn(2, 6, 2, 2), 1),
    "down": (lambda: StridedConv2d(3, 5), torch.randn(2, 3, 8, 8), 0),
    "up": (lambda: StridedConvTranspose2d(6, 3), torch.randn(2, 6, 4, 4), 1),
}


def made(kind: str, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LAYERS[kind][0]()


def normalised(kind: str, seed: int = 0) -> nn.Module:
    layer = made(kind, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        return spectral_norm(layer)


def largest_singular_value(weight: Tensor, outputs: int) -> float:
    matrix = weight.detach().movedim(outputs, 0).flatten(1).double()
    return torch.linalg.matrix_norm(matrix, 2).item()


def followed(network: nn.Module, times: int) -> None:
    for _ in range(times):
        follow(network)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_the_largest_singular_value_becomes_one(kind: str, channels_last: bool) -> None:
    layer = normalised(kind)
    if channels_last:
        layer.to(memory_format=torch.channels_last)
    outputs = LAYERS[kind][2]
    assert largest_singular_value(layer.weight, outputs) == pytest.approx(1, abs=0.1)
    followed(layer, 300)
    assert largest_singular_value(layer.weight, outputs) == pytest.approx(1, abs=1e-5)
    # And nothing but the scale has changed.
    ratio = layer.weight / made(kind).weight
    torch.testing.assert_close(ratio, ratio.flatten()[0].expand_as(ratio), rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", LAYERS)
def test_after_many_iterations_it_is_pytorchs_own(kind: str) -> None:
    """Outputs, and gradients in weights, biases and inputs."""
    ours, theirs = normalised(kind), parametrizations.spectral_norm(made(kind))
    followed(ours, 300)
    with torch.no_grad():
        for _ in range(300):
            theirs.weight  # noqa: B018  each look is an iteration
    results = []
    for layer in (ours, theirs):
        given = LAYERS[kind][1].clone().requires_grad_(kind != "embedding")
        output = layer(given)
        inputs = [given] if given.requires_grad else []
        weights = sorted(dict(layer.named_parameters()).items())
        gradients = torch.autograd.grad(output.square().sum(), [*inputs, *(p for _, p in weights)])
        results.append([output, *gradients])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_the_weight() -> None:
    """Equation 10 of the paper, by differences: σ moves with W, u as it is."""
    layer = spectral_norm(nn.Linear(4, 3).double())
    step = layer.parametrizations.weight[0]
    assert isinstance(step, SpectralNorm)
    followed(layer, 1000)  # only at the singular vector is the slope of σ that of ‖Wᵀu‖
    weight = layer.parametrizations.weight.original.detach().requires_grad_()
    assert torch.autograd.gradcheck(step, (weight,))
    u, s, v = torch.linalg.svd(weight.detach(), full_matrices=False)
    (gradient,) = torch.autograd.grad(step(weight)[1, 2], weight)
    unit = torch.zeros(3, 4, dtype=torch.float64)
    unit[1, 2] = 1
    expected = (unit - (weight.detach() / s[0])[1, 2] * torch.outer(u[:, 0], v[0])) / s[0]
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_pass_changes_nothing(kind: str, training: bool) -> None:
    """So two passes before one backward, as of real and generated images, fit together."""
    layer = normalised(kind).train(training)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    given = LAYERS[kind][1]
    first, second = layer(given), layer(given)
    assert torch.equal(first, second)
    (first.sum() - 2 * second.square().sum()).backward()
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    follow(layer)
    changed = [n for n, value in layer.state_dict().items() if not torch.equal(value, before[n])]
    assert changed == ["parametrizations.weight.0.u"]


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return spectral_norm(
            nn.Sequential(
                StridedConv2d(3, 8),
                BatchNorm2d(8),
                nn.LeakyReLU(0.2),
                StridedConv2d(8, 16, bias=False),
                nn.Flatten(),
                nn.Linear(64, 1),
            )
        )


def test_a_whole_network_at_once() -> None:
    """Layers with a matrix, and no others: batch normalisation keeps its scales."""
    names = [name for name, m in network().named_modules() if isinstance(m, SpectralNorm)]
    assert names == [f"{i}.parametrizations.weight.0" for i in (0, 3, 5)]


def trained(model: nn.Module, steps: int, start: int = 0) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    for step in range(start, start + steps):
        x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (model(x).sum() - model(-x).sum()).backward()
        optimizer.step()
        follow(model)


def test_one_iteration_an_update_keeps_up_with_the_weights() -> None:
    model = network()
    before = model[3].weight.detach().clone()
    trained(model, 50)
    assert (model[3].weight - before).norm() > 0.5
    for i in (0, 3, 5):
        assert largest_singular_value(model[i].weight, 0) == pytest.approx(1, abs=0.02)


def test_equal_weights_have_equal_vectors_and_a_state_goes_on_exactly() -> None:
    """As two processes need, and a resumed run."""
    whole, again, resumed = network(), network(), network()
    trained(whole, 8)
    trained(again, 4)
    state = copy.deepcopy(again.state_dict())
    assert {name for name in state if name.endswith(".u")}
    resumed.load_state_dict(state)
    for model in (again, resumed):
        trained(model, 4, start=4)
        for name, value in whole.state_dict().items():
            assert torch.equal(model.state_dict()[name], value), name


def test_an_averaged_network_is_normalised_too() -> None:
    """The average of vectors of length 1 is shorter; σ must not be."""
    model = network()
    average = copy.deepcopy(model).eval()
    for step in range(30):
        trained(model, 1, start=step)
        ema.update(average, model, 0.9)
    for i in (0, 3):  # the last layer has one output, and u = ±1
        length = average[i].parametrizations.weight[0].u.norm()
        assert length < 0.999
        assert largest_singular_value(average[i].weight, 0) == pytest.approx(1, abs=0.05)


def test_under_autocast_the_norm_is_not_rounded() -> None:
    layer = normalised("linear")
    expected = layer.weight
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(LAYERS["linear"][1]).dtype == torch.bfloat16
        assert torch.equal(layer.weight, expected)


def test_it_can_be_planned_without_memory() -> None:
    with torch.device("meta"):
        layer = spectral_norm(nn.Linear(5, 4))
    assert layer.parametrizations.weight[0].u.is_meta


def test_weights_of_one_output_or_input() -> None:
    """A last layer has one row: its norm is the row's length, from the first moment on."""
    for shape in ((6, 1), (1, 6)):
        layer = spectral_norm(nn.Linear(*shape))
        assert layer.weight.norm().item() == pytest.approx(1, abs=1e-6)
