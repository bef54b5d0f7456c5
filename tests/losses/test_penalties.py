"""Gradient penalties against closed forms: a linear critic w·x and a quadratic one ½xᵀAx."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegan.data.spec import ImageSpec
from facegan.losses.penalties import R1, R1R2, GradientPenalty, input_gradient
from facegan.models.dcgan import DcganDiscriminatorConfig
from facegan.seeding import Random

N, SHAPE = 5, (2, 3, 3)
PENALTIES = [
    R1(kind="r1", gamma=3.0),
    R1R2(kind="r1r2", gamma=3.0),
    GradientPenalty(kind="gradient_penalty", weight=7.0),
]


def random(seed: int = 0) -> Random:
    return Random(np.random.default_rng(seed))


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
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


def test_linear_critic(images: tuple[Tensor, Tensor], w: Tensor) -> None:
    """R1 = γ/2 ‖w‖², with gradient γw; R1R2 twice that; GP = λ(‖w‖ − 1)²."""
    length = w.detach().norm()
    expected = {
        "r1": (1.5 * length**2, 3.0 * w.detach()),
        "r1r2": (3.0 * length**2, 6.0 * w.detach()),
        "gradient_penalty": (7 * (length - 1) ** 2, 14 * (length - 1) * w.detach() / length),
    }
    for penalty in PENALTIES:
        value, slope = expected[penalty.kind]
        found = penalty(linear(w), *images, random())
        assert found.shape == (N,)
        torch.testing.assert_close(found.detach(), value.expand(N).to(found.dtype))
        (gradient,) = torch.autograd.grad(found.mean(), w)
        torch.testing.assert_close(gradient, slope)


def test_r1_of_a_quadratic_critic(images: tuple[Tensor, Tensor], matrix: Tensor) -> None:
    """∇D = Ax, so R1 = γ/2 ‖Ax‖² and ∂R1/∂A = γ/2 (Axxᵀ + xxᵀA)."""
    real, fake = images
    x, y, a = real.flatten(1), fake.flatten(1), matrix.detach()
    found = R1(kind="r1", gamma=3.0)(quadratic(matrix), real, fake, random())
    torch.testing.assert_close(found.detach(), 1.5 * (x @ a).square().sum(1))
    (gradient,) = torch.autograd.grad(found.sum(), matrix)
    # D sees only A's symmetric part: half of the slope goes to each of A and its transpose.
    outer = x.T @ x
    torch.testing.assert_close(gradient, 1.5 * (a @ outer + outer @ a))
    both = R1R2(kind="r1r2", gamma=3.0)(quadratic(matrix), real, fake, random())
    torch.testing.assert_close(both.detach() - found.detach(), 1.5 * (y @ a).square().sum(1))


def test_gradient_penalty_is_taken_between_real_and_fake(
    images: tuple[Tensor, Tensor], matrix: Tensor
) -> None:
    real, fake = images
    found = PENALTIES[2](quadratic(matrix), real, fake, random(8))
    epsilon = random(8).uniform(N, 1, 1, 1)
    assert epsilon.unique().numel() == N
    between = (epsilon * real + (1 - epsilon) * fake).flatten(1)
    expected = 7 * ((between @ matrix.detach()).norm(dim=1) - 1) ** 2
    torch.testing.assert_close(found.detach(), expected)
    # At a real image equal to the generated one, the point does not matter.
    same = PENALTIES[2](quadratic(matrix), real, real, random(8))
    expected = 7 * ((real.flatten(1) @ matrix.detach()).norm(dim=1) - 1) ** 2
    torch.testing.assert_close(same.detach(), expected)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: p.kind)
def test_a_flat_critic_has_a_finite_slope(penalty: R1 | R1R2 | GradientPenalty) -> None:
    w = torch.zeros(18, requires_grad=True)
    x = torch.ones(N, *SHAPE)
    found = penalty(linear(w), x, 2 * x, random())
    (gradient,) = torch.autograd.grad(found.mean(), w)
    assert torch.isfinite(found).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: p.kind)
def test_the_images_are_left_alone(penalty: R1 | R1R2 | GradientPenalty) -> None:
    """Nothing flows back to the generator, and the caller's tensors keep their settings."""
    scale = torch.ones((), requires_grad=True)
    w = torch.ones(18, requires_grad=True)
    real = torch.ones(N, *SHAPE)
    penalty(lambda x: x.flatten(1).square() @ w, real, scale * real, random()).sum().backward()
    assert scale.grad is None
    assert not real.requires_grad
    assert w.grad is not None


def test_weights_must_be_positive() -> None:
    for wrong in (0.0, -1.0):
        with pytest.raises(ValueError, match="greater than 0"):
            R1(kind="r1", gamma=wrong)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: p.kind)
def test_under_bf16_autocast_it_is_computed_in_float32(
    penalty: R1 | R1R2 | GradientPenalty,
) -> None:
    """Also for images that a generator made in bfloat16, as it does under autocast."""
    torch.manual_seed(0)
    critic = DcganDiscriminatorConfig(kind="dcgan", channels=2).build(ImageSpec(32))
    real = torch.rand(4, 3, 32, 32)
    fake = torch.rand(4, 3, 32, 32).bfloat16()
    seen: set[torch.dtype] = set()
    for module in critic.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, i, o: seen.add(o.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        critic(real)
        assert torch.bfloat16 in seen
        seen.clear()
        found = penalty(critic, real, fake, random())
    assert seen == {torch.float32}
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, penalty(critic, real, fake.float(), random()))


def test_input_gradient_is_each_images_own() -> None:
    """D's logit of one image must not depend on another for the penalty to be per sample."""
    x = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(4))
    gradient = input_gradient(lambda y: y.flatten(1).square().sum(1), x)
    torch.testing.assert_close(gradient, 2 * x)
