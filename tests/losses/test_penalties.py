"""Penalties against closed forms: a linear critic w·x and a quadratic one ½xᵀAx."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegan.data.spec import ImageSpec
from facegan.losses.gradient_norm import Exact, FiniteDifference, Judged, input_gradient
from facegan.losses.penalties import R1, R1R2, R2, GradientPenalty
from facegan.networks.dcgan import DcganDiscriminatorConfig
from facegan.schedule import Linear
from facegan.seeding import Random

N, SHAPE = 5, (2, 3, 3)
EXACT = {
    "r1": R1(kind="r1", gamma=3.0),
    "r2": R2(kind="r2", gamma=3.0),
    "r1r2": R1R2(kind="r1r2", gamma=3.0),
    "gradient_penalty": GradientPenalty(kind="gradient_penalty", weight=7.0),
}
SIGMA = 0.25
BY_DIFFERENCE = {
    kind: penalty.model_copy(
        update={"estimate": FiniteDifference(kind="finite_difference", sigma=SIGMA)}
    )
    for kind, penalty in EXACT.items()
}
ALL = [
    pytest.param(penalty, id=f"{kind}-{penalty.estimate.kind}")
    for penalties in (EXACT, BY_DIFFERENCE)
    for kind, penalty in penalties.items()
]
Pair = tuple[Tensor, Tensor]


def random(seed: int = 0) -> Random:
    return Random(np.random.default_rng(seed))


def applied(
    penalty: Any, critic: Callable[[Tensor], Tensor], images: Pair, seed: int = 0
) -> Tensor:
    """The penalty, on logits from a pass of its own as a method has them."""
    real, fake = (Judged(x, critic(x.detach())) for x in images)
    return penalty(critic, real, fake, random(seed))


@pytest.fixture
def images() -> Pair:
    generator = torch.Generator().manual_seed(1)
    real, fake = torch.randn(2, N, *SHAPE, generator=generator, dtype=torch.float64)
    return real, fake


@pytest.fixture
def w() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(18, generator=generator, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def matrix() -> Tensor:
    a = torch.randn(18, 18, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return (a + a.T).requires_grad_()


def linear(w: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: x.flatten(1) @ w


def quadratic(a: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: 0.5 * torch.einsum("ni,ij,nj->n", x.flatten(1), a, x.flatten(1))


def test_linear_critic(images: Pair, w: Tensor) -> None:
    """R1 = R2 = γ/2 ‖w‖², with gradient γw; R1R2 twice that; GP = λ(‖w‖ − 1)²."""
    length = w.detach().norm()
    one = (1.5 * length**2, 3.0 * w.detach())
    expected = {
        "r1": one,
        "r2": one,
        "r1r2": (2 * one[0], 2 * one[1]),
        "gradient_penalty": (7 * (length - 1) ** 2, 14 * (length - 1) * w.detach() / length),
    }
    for kind, penalty in EXACT.items():
        value, slope = expected[kind]
        found = applied(penalty, linear(w), images)
        assert found.shape == (N,)
        torch.testing.assert_close(found.detach(), value.expand(N).to(found.dtype))
        (gradient,) = torch.autograd.grad(found.mean(), w)
        torch.testing.assert_close(gradient, slope)


def test_zero_centred_penalties_of_a_quadratic_critic(images: Pair, matrix: Tensor) -> None:
    """∇D = Ax, so R1 = γ/2 ‖Ax‖² and ∂R1/∂A = γ/2 (Axxᵀ + xxᵀA)."""
    x, y = (part.flatten(1) for part in images)
    a = matrix.detach()
    found = applied(EXACT["r1"], quadratic(matrix), images)
    torch.testing.assert_close(found.detach(), 1.5 * (x @ a).square().sum(1))
    (gradient,) = torch.autograd.grad(found.sum(), matrix)
    # D sees only A's symmetric part: half of the slope goes to each of A and its transpose.
    outer = x.T @ x
    torch.testing.assert_close(gradient, 1.5 * (a @ outer + outer @ a))
    r2 = applied(EXACT["r2"], quadratic(matrix), images)
    torch.testing.assert_close(r2.detach(), 1.5 * (y @ a).square().sum(1))
    both = applied(EXACT["r1r2"], quadratic(matrix), images)
    torch.testing.assert_close(both, found + r2)


def test_gradient_penalty_is_taken_between_real_and_fake(images: Pair, matrix: Tensor) -> None:
    real, fake = images
    penalty = EXACT["gradient_penalty"]
    found = applied(penalty, quadratic(matrix), images, seed=8)
    epsilon = random(8).uniform(N, 1, 1, 1)
    assert epsilon.unique().numel() == N
    between = (epsilon * real + (1 - epsilon) * fake).flatten(1)
    expected = 7 * ((between @ matrix.detach()).norm(dim=1) - 1) ** 2
    torch.testing.assert_close(found.detach(), expected)
    # At a real image equal to the generated one, the point does not matter.
    same = applied(penalty, quadratic(matrix), (real, real), seed=8)
    expected = 7 * ((real.flatten(1) @ matrix.detach()).norm(dim=1) - 1) ** 2
    torch.testing.assert_close(same.detach(), expected)


class Smooth(nn.Module):
    """A small critic with curvature everywhere, in float64."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(18, 6), nn.Tanh(), nn.Linear(6, 1))
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


@pytest.mark.parametrize("penalty", ALL)
def test_gradient_in_the_weights(penalty: Any, images: Pair) -> None:
    """Against differences of the penalty itself, one weight after the other."""
    critic = Smooth()

    def value(*weights: Tensor) -> Tensor:
        names = [name for name, _ in critic.named_parameters()]
        given = dict(zip(names, weights, strict=True))
        return applied(penalty, lambda x: torch.func.functional_call(critic, given, (x,)), images)

    weights = tuple(p.detach().requires_grad_() for p in critic.parameters())
    assert torch.autograd.gradcheck(value, weights, eps=1e-6, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("penalty", ALL)
def test_a_flat_critic_has_a_finite_slope(penalty: Any) -> None:
    w = torch.zeros(18, requires_grad=True)
    x = torch.ones(N, *SHAPE)
    found = applied(penalty, linear(w), (x, 2 * x))
    (gradient,) = torch.autograd.grad(found.mean(), w)
    assert torch.isfinite(found).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("penalty", ALL)
def test_the_images_are_left_alone(penalty: Any) -> None:
    """Nothing flows back to the generator, and the caller's tensors keep their settings."""
    scale = torch.ones((), requires_grad=True)
    w = torch.ones(18, requires_grad=True)
    real = torch.ones(N, *SHAPE)
    images = (real, scale * real)
    applied(penalty, lambda x: x.flatten(1).square() @ w, images).sum().backward()
    assert scale.grad is None
    assert not real.requires_grad
    assert torch.equal(real, torch.ones(N, *SHAPE))
    assert w.grad is not None


def test_strengths_must_be_positive() -> None:
    for wrong in (0.0, -1.0):
        with pytest.raises(ValueError, match="greater than 0"):
            R1(kind="r1", gamma=wrong)
    for start, end in ((-1.0, 1.0), (1.0, -1.0), (0.0, 0.0)):
        with pytest.raises(ValueError, match="greater than 0"):
            R1(kind="r1", gamma=Linear(kind="linear", start=start, end=end))
    R1(kind="r1", gamma=Linear(kind="linear", start=1.0, end=0.0))
    with pytest.raises(ValueError, match="greater than 0"):
        FiniteDifference(kind="finite_difference", sigma=0.0)
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        R1(kind="r1", every=0)


def test_a_schedule_that_nobody_resolved_is_never_computed_with(images: Pair, w: Tensor) -> None:
    penalty = R1(kind="r1", gamma=Linear(kind="linear", start=1.0, end=0.5))
    with pytest.raises(TypeError, match="not resolved"):
        applied(penalty, linear(w), images)


def test_by_default_it_is_exact_and_taken_on_every_update() -> None:
    for kind in ("r1", "r2", "r1r2"):
        assert type(EXACT[kind])(kind=kind) == type(EXACT[kind])(
            kind=kind, gamma=1.0, estimate=Exact(kind="exact"), every=1
        )


def dtypes_of(critic: nn.Module) -> set[torch.dtype]:
    """The dtypes that its convolutions give from now on."""
    seen: set[torch.dtype] = set()
    for module in critic.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, i, o: seen.add(o.dtype))
    return seen


@pytest.mark.parametrize("kind", EXACT)
def test_under_bf16_autocast_the_exact_one_is_computed_in_float32(kind: str) -> None:
    """Also for images that a generator made in bfloat16, as it does under autocast."""
    torch.manual_seed(0)
    critic = DcganDiscriminatorConfig(kind="dcgan", channels=2).build(ImageSpec(32), "unit")
    real, fake = torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32).bfloat16()
    seen = dtypes_of(critic)
    nothing = torch.zeros(4)  # it does not ask for the logits
    judged = Judged(real, nothing), Judged(fake, nothing)
    with torch.autocast("cpu", torch.bfloat16):
        critic(real)
        assert torch.bfloat16 in seen
        seen.clear()
        found = EXACT[kind](critic, *judged, random())
    assert seen == {torch.float32}
    assert found.dtype == torch.float32
    wide = judged[0], Judged(fake.float(), nothing)
    torch.testing.assert_close(found, EXACT[kind](critic, *wide, random()))


@pytest.mark.parametrize("kind", BY_DIFFERENCE)
def test_finite_differences_are_computed_as_the_logits_were(kind: str) -> None:
    """In bfloat16 where the run is; the noise itself keeps its digits."""
    torch.manual_seed(0)
    critic = DcganDiscriminatorConfig(kind="dcgan", channels=2).build(ImageSpec(32), "unit")
    images = torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32).bfloat16()
    seen = dtypes_of(critic)
    given: list[torch.dtype] = []
    critic.register_forward_pre_hook(lambda m, i: given.append(i[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        logits = [critic(x).float() for x in images]
        given.clear()
        judged = [Judged(x, y) for x, y in zip(images, logits, strict=True)]
        found = BY_DIFFERENCE[kind](critic, *judged, random())
    assert seen == {torch.bfloat16}
    assert set(given) == {torch.float32}
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()


def test_input_gradient_is_each_images_own() -> None:
    """D's logit of one image must not depend on another for the penalty to be per sample."""
    x = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(4))
    gradient = input_gradient(lambda y: y.flatten(1).square().sum(1), x)
    torch.testing.assert_close(gradient, 2 * x)


# Finite differences: what they are for a given v, and in expectation over v.


def test_slopes_of_a_linear_critic_do_not_depend_on_sigma(images: Pair, w: Tensor) -> None:
    """d = w·v: R1 = γ/2 d², GP = λ(d² − √(2π)|d| + 1)."""
    found = applied(BY_DIFFERENCE["r1"], linear(w), images, seed=3)
    d = random(3).normal(N, *SHAPE).double().flatten(1) @ w.detach()
    torch.testing.assert_close(found.detach(), 1.5 * d.square(), rtol=1e-5, atol=1e-5)
    found = applied(BY_DIFFERENCE["gradient_penalty"], linear(w), images, seed=3)
    draws = random(3)
    draws.uniform(N, 1, 1, 1)
    d = draws.normal(N, *SHAPE).double().flatten(1) @ w.detach()
    expected = 7 * (d.square() - math.sqrt(2 * math.pi) * d.abs() + 1)
    torch.testing.assert_close(found.detach(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [0.3, 1.0, 2.5])
def test_expectation_for_a_linear_critic(length: float) -> None:
    """E d² = ‖w‖² and E[d² − √(2π)|d| + 1] = (‖w‖ − 1)², with their gradients in w."""
    w = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) * length / 3
    w.requires_grad_()
    x = torch.zeros(100_000, 3, 1, 1, dtype=torch.float64)
    for kind, value, slope in (
        ("r1", 1.5 * length**2, 3 * length),
        ("gradient_penalty", 7 * (length - 1) ** 2, 14 * (length - 1)),
    ):
        found = applied(BY_DIFFERENCE[kind], linear(w), (x, x)).mean()
        (gradient,) = torch.autograd.grad(found, w)
        # Five standard errors of a mean of 100,000; the largest belongs to λd².
        slack = 5 * 7 * 1.5 * (1 + length) ** 2 / math.sqrt(100_000)
        assert found.item() == pytest.approx(value, abs=slack)
        torch.testing.assert_close(gradient, slope * w.detach() / length, rtol=0, atol=2 * slack)


@pytest.mark.parametrize("sigma", [0.01, 1.0])
def test_expectation_for_a_quadratic_critic(sigma: float) -> None:
    """E d² = ‖Ax‖² + σ²/4 (tr(A)² + 2‖A‖²): the forward difference sees the curvature too."""
    a = torch.tensor([[2.0, 0.5, 0.0], [0.5, -1.0, 1.0], [0.0, 1.0, 1.5]], dtype=torch.float64)
    x = torch.tensor([0.5, -1.0, 0.25], dtype=torch.float64)
    penalty = R1(
        kind="r1",
        gamma=2.0,
        estimate=FiniteDifference(kind="finite_difference", sigma=sigma),
    )
    many = x.view(1, 3, 1, 1).expand(200_000, 3, 1, 1)
    found = applied(penalty, quadratic(a), (many, many))
    bias = sigma**2 / 4 * (a.trace() ** 2 + 2 * a.square().sum())
    expected = (a @ x).square().sum() + bias
    error = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - expected) < 4 * error
    if sigma == 1.0:
        assert bias > 20 * error  # or else the test could not tell


def test_central_differences_are_not_bent_by_curvature(images: Pair, matrix: Tensor) -> None:
    """For a quadratic critic, (D(x + σv/2) − D(x − σv/2))/σ is v·∇D whatever σ is."""
    real, fake = images
    found = applied(BY_DIFFERENCE["gradient_penalty"], quadratic(matrix), images, seed=8)
    draws = random(8)
    epsilon = draws.uniform(N, 1, 1, 1)
    between = (epsilon * real + (1 - epsilon) * fake).flatten(1)
    v = draws.normal(N, *SHAPE).double().flatten(1)
    d = (v * (between @ matrix.detach())).sum(1)
    expected = 7 * (d.square() - math.sqrt(2 * math.pi) * d.abs() + 1)
    torch.testing.assert_close(found.detach(), expected, rtol=1e-5, atol=1e-4)


def test_differences_become_derivatives_as_sigma_shrinks(images: Pair) -> None:
    """The error for a given v falls as σ in R1 (forward), as σ² in GP (central)."""
    critic = Smooth()
    real, _ = images
    v = random(4).normal(N, *SHAPE).double()
    slope = (v * input_gradient(critic, real)).flatten(1).sum(1)
    limits = {"r1": slope.square(), "gp": slope.square() - math.sqrt(2 * math.pi) * slope.abs() + 1}
    errors = {}
    for sigma in (1e-2, 1e-3):
        estimate = FiniteDifference(kind="finite_difference", sigma=sigma)
        judged = Judged(real, critic(real))
        found = {
            "r1": estimate.squared_norm(critic, judged, random(4)),
            "gp": estimate.distance_from_one(critic, real, random(4)),
        }
        for name, limit in limits.items():
            errors[name, sigma] = (found[name] - limit).abs().max().item()
    assert errors["r1", 1e-2] / errors["r1", 1e-3] == pytest.approx(10, rel=0.3)
    assert errors["gp", 1e-2] / errors["gp", 1e-3] == pytest.approx(100, rel=0.3)


def test_the_approximated_r1_is_the_exact_one_in_expectation(images: Pair) -> None:
    """On a critic with curvature, at a small σ, with its gradient in the weights."""
    critic = Smooth()
    real = images[0][:1]
    exact = applied(EXACT["r1"], critic, (real, real)).mean()
    near = R1(kind="r1", gamma=3.0, estimate=FiniteDifference(kind="finite_difference", sigma=1e-3))
    many = real.expand(100_000, *SHAPE)
    found = applied(near, critic, (many, many)).mean()
    assert found.item() == pytest.approx(exact.item(), rel=0.03)
    weights = [critic.layers[1].weight, critic.layers[3].weight]
    for a, b in zip(
        torch.autograd.grad(found, weights), torch.autograd.grad(exact, weights), strict=True
    ):
        assert (a - b).norm() < 0.05 * b.norm()


PASSES = {"r1": 1, "r2": 1, "r1r2": 2, "gradient_penalty": 2}


@pytest.mark.parametrize("kind", PASSES)
def test_no_pass_is_done_twice(kind: str, images: Pair, w: Tensor) -> None:
    """The logits of the update serve the difference: one pass more for each kind of image."""
    passes: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        passes.append(x)
        return linear(w)(x)

    judged = [Judged(x, linear(w)(x)) for x in images]
    BY_DIFFERENCE[kind](critic, *judged, random())
    assert len(passes) == PASSES[kind]
    for x in passes:
        assert all(not torch.equal(x, known) for known in images)
