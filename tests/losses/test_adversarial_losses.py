from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from facegan.losses.adversarial import ADVERSARIAL, Adversarial, Logits, Loss, direction

REAL = torch.tensor([-30.0, -2.5, -1.0, -0.3, 0.0, 0.7, 1.0, 4.0, 30.0], dtype=torch.float64)
FAKE = torch.tensor([3.0, -0.4, 1.0, 0.0, 0.0, -1.0, -7.0, 2.0, -30.0], dtype=torch.float64)


def log_d(logits: torch.Tensor) -> torch.Tensor:
    """log D(x)."""
    return logsigmoid(logits)


def log_not_d(logits: torch.Tensor) -> torch.Tensor:
    """log(1 − D(x))."""
    return logsigmoid(-logits)


# As the papers write them, with D = σ(logit) where they speak of probabilities.
FORMULAS = {
    "minimax": (lambda r, f: -log_d(r) - log_not_d(f), lambda r, f: log_not_d(f)),
    "non_saturating": (lambda r, f: -log_d(r) - log_not_d(f), lambda r, f: -log_d(f)),
    "least_squares": (lambda r, f: ((r - 1) ** 2 + f**2) / 2, lambda r, f: (f - 1) ** 2 / 2),
    "hinge": (
        lambda r, f: -torch.minimum(r - 1, 0 * r) - torch.minimum(-f - 1, 0 * f),
        lambda r, f: -f,
    ),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -f),
    "relativistic": (lambda r, f: -log_d(r - f), lambda r, f: -log_d(f - r)),
    "relativistic_average": (
        lambda r, f: -log_d(r - f.mean()) - log_not_d(f - r.mean()),
        lambda r, f: -log_d(f - r.mean()) - log_not_d(r - f.mean()),
    ),
}
RELATIVISTIC = ("relativistic", "relativistic_average")


def pair(name: str) -> Adversarial:
    """A loss as it is computed: with the batch's mean logits, where it wants them."""
    loss = ADVERSARIAL[name]

    def with_means(function: Loss) -> Loss:
        return lambda real, fake: function(real, fake, real.mean(0), fake.mean(0))

    if not loss.averaged:
        return loss
    return loss._replace(
        discriminator=with_means(loss.discriminator), generator=with_means(loss.generator)
    )


def test_every_loss_has_its_formula_here() -> None:
    assert FORMULAS.keys() == ADVERSARIAL.keys()


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_formula(name: str) -> None:
    for function, formula in zip(pair(name)[:2], FORMULAS[name], strict=True):
        found = function(REAL, FAKE)
        assert found.shape == REAL.shape
        torch.testing.assert_close(found, formula(REAL, FAKE), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_votes_are_games_side_by_side(name: str) -> None:
    real, fake = torch.stack([REAL, FAKE + 1, 2 * REAL], 1), torch.stack([FAKE, REAL, FAKE], 1)
    for function in pair(name)[:2]:
        apart = [function(real[:, place], fake[:, place]) for place in range(3)]
        torch.testing.assert_close(function(real, fake), torch.stack(apart, 1))


def test_undecided_discriminator_loses_two_bits() -> None:
    """At D = ½ everywhere: 2 log 2 for D, and the value of the game, −2 log 2."""
    zero = torch.zeros(3)
    loss = pair("minimax")
    assert loss.discriminator(zero, zero).tolist() == pytest.approx([2 * math.log(2)] * 3)
    assert loss.generator(zero, zero).tolist() == pytest.approx([-math.log(2)] * 3)
    assert pair("non_saturating").generator(zero, zero)[0] == pytest.approx(math.log(2))


def test_non_saturating_is_binary_cross_entropy() -> None:
    real, fake = REAL.float(), FAKE.float()
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    loss = pair("non_saturating")
    expected = binary_cross_entropy_with_logits(real, ones, reduction="none")
    expected += binary_cross_entropy_with_logits(fake, zeros, reduction="none")
    torch.testing.assert_close(loss.discriminator(real, fake), expected)
    expected = binary_cross_entropy_with_logits(fake, ones, reduction="none")
    torch.testing.assert_close(loss.generator(real, fake), expected)


def test_hinge_ignores_what_is_beyond_the_margins() -> None:
    real = torch.tensor([1.0, 1.5, 0.5], requires_grad=True)
    fake = torch.tensor([-1.0, -1.5, -0.5], requires_grad=True)
    values = pair("hinge").discriminator(real, fake)
    assert values.tolist() == [0, 0, 1]
    values.sum().backward()
    assert real.grad.tolist()[1:] == [0, -1]
    assert fake.grad.tolist()[1:] == [0, 1]


@pytest.mark.parametrize("name", RELATIVISTIC)
def test_relativistic_players_are_mirror_images(name: str) -> None:
    """Exchanging real and generated exchanges the players, in values and in gradients."""
    loss = pair(name)
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), loss.generator(FAKE, REAL))
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    d = torch.autograd.grad(loss.discriminator(real, fake).mean(), (real, fake))
    g = torch.autograd.grad(loss.generator(fake, real).mean(), (real, fake))
    torch.testing.assert_close(d, g)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_only_relativistic_losses_do_not_see_a_shift(name: str) -> None:
    """Wasserstein's discriminator does not see one either, but its generator does."""
    loss = pair(name)
    for side in ("discriminator", "generator"):
        function = getattr(loss, side)
        same = torch.allclose(function(REAL + 5, FAKE + 5), function(REAL, FAKE))
        assert same == (name in RELATIVISTIC or (name, side) == ("wasserstein", "discriminator"))
    assert loss.relativistic == (name in RELATIVISTIC)


@pytest.mark.parametrize("name", RELATIVISTIC)
def test_a_shift_has_no_gradient(name: str) -> None:
    """Nothing holds the logits' level: only their differences are trained."""
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    loss = pair(name).discriminator(real, fake).mean()
    on_real, on_fake = torch.autograd.grad(loss, (real, fake))
    assert on_real.sum() + on_fake.sum() == pytest.approx(0, abs=1e-12)


def test_the_relativistic_average_is_paired_against_means() -> None:
    """With one sample of each kind, twice the paired loss; means are differentiated too."""
    paired, average = pair("relativistic"), pair("relativistic_average")
    one = (REAL[3:4], FAKE[3:4])
    torch.testing.assert_close(average.discriminator(*one), 2 * paired.discriminator(*one))
    inputs = (REAL.clone().requires_grad_(), FAKE.clone().requires_grad_())
    assert torch.autograd.gradcheck(average.discriminator, inputs)
    assert torch.autograd.gradcheck(average.generator, inputs)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits_stay_finite(name: str, dtype: torch.dtype) -> None:
    extreme = torch.tensor([-1e4, 1e4, 0.0], dtype=dtype)
    real = extreme.repeat(3).requires_grad_()
    fake = extreme.repeat_interleave(3).clone().requires_grad_()
    for function in pair(name)[:2]:
        values = function(real, fake)
        gradients = torch.autograd.grad(values.sum(), (real, fake), allow_unused=True)
        assert torch.isfinite(values).all()
        assert all(torch.isfinite(g).all() for g in gradients if g is not None)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_players_pull_in_opposite_directions(name: str) -> None:
    """At undecided logits, D raises real and lowers fake; G raises fake."""
    real, fake = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    loss = pair(name)
    on_real, on_fake = torch.autograd.grad(
        loss.discriminator(real, fake), (real, fake), materialize_grads=True
    )
    (g_on_fake,) = torch.autograd.grad(loss.generator(real, fake), fake)
    assert on_real < 0
    # Least squares rests at its target for fakes, 0.
    assert on_fake > 0 or (name == "least_squares" and on_fake == 0)
    assert g_on_fake < 0


# −∂L_G/∂f, by hand.
STEEPNESS = {
    "minimax": torch.sigmoid,
    "non_saturating": lambda f: torch.sigmoid(-f),
    "least_squares": lambda f: 1 - f,
    "hinge": torch.ones_like,
    "wasserstein": torch.ones_like,
}


@pytest.mark.parametrize("name", STEEPNESS)
def test_a_direction_goes_from_generated_to_real_where_the_generator_learns(name: str) -> None:
    real, fake = torch.linspace(-0.5, 2.0, 6).double(), torch.linspace(-2.0, 0.5, 6).double()
    along = [torch.randn(6, generator=torch.Generator().manual_seed(k)).double() for k in (1, 2)]
    along = [each.requires_grad_() for each in along]
    logits = [each.clone().requires_grad_() for each in (real, fake)]
    found = direction(ADVERSARIAL[name], *map(Logits, logits, along))
    weights = [STEEPNESS[name](f) for f in (real, fake)]
    weights = [w / w.mean() for w in weights]
    expected = weights[1] * along[1] - weights[0] * along[0]
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    torch.testing.assert_close(along[0].grad, -weights[0])
    assert logits[0].grad is None, "only the direction learns from it"
