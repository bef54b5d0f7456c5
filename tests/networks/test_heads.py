"""Labels in networks, and what a discriminator says of images besides real or generated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from facegan.data.spec import ImageSpec, Label
from facegan.errors import RecipeError
from facegan.networks.interfaces import LABEL_ROWS, Discriminator, Generator
from facegan.networks.layers.heads import Heads, HeadsConfig, Places
from facegan.networks.layers.labels import LabelEmbedding
from facegan.recipe import Recipe, recipe_names
from facegan.seeding import image_random

PLAIN = ImageSpec(32)
LABELS = (Label("male", binary=True), Label("age", False, 40.0, 10.0))
SPEC = replace(PLAIN, labels=LABELS)
# One recipe of each network; the others differ in what does not matter here.
OTHERS = ("tanh-gan", "dcgan-staged", "r3gan-cpu", "portraits-demo")
NAMES = [name for name in recipe_names() if name not in OTHERS]
ALL_HEADS = {"hidden": 9, "projection": 5, "auxiliary": True, "code": 6}

Make = Callable[..., Any]


def build(recipe: Recipe, spec: ImageSpec, **heads: Any) -> tuple[Generator, Discriminator]:
    """Both networks, with weights of which none is zero: some branches begin closed."""
    torch.manual_seed(0)
    config = recipe.discriminator.model_copy(update={"heads": HeadsConfig(**heads)})
    generator = recipe.generator.build(spec, recipe.data.range)
    discriminator = config.build(spec, recipe.data.range)
    with torch.no_grad():
        for parameter in (*generator.parameters(), *discriminator.parameters()):
            if not parameter.any():
                parameter.normal_(0, 0.1)
    return generator, discriminator


def random_(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_labels_reach_pictures_and_logits(tiny: Make, name: str) -> None:
    """Each label by itself; and one that is missing is not the same as one that is 0."""
    generator, discriminator = build(tiny(name), SPEC)
    z, images = random_(4, generator.latent.size), random_(4, 3, 32, 32)
    known = torch.zeros(4, 2)
    nan = torch.full((4, 2), math.nan)
    with torch.no_grad():
        picture, logit = generator(z, known), discriminator(images, known)
        for column in (0, 1):
            for value in (1.0, math.nan):
                changed = known.clone()
                changed[:, column] = value
                found, judged = generator(z, changed), discriminator(images, changed)
                assert found.isfinite().all()
                assert ((found - picture).abs().flatten(1).amax(1) > 1e-5).all()
                assert judged.isfinite().all()
                assert ((judged - logit).abs() > 1e-6).all()
        assert torch.equal(generator(z), generator(z, nan))
        torch.testing.assert_close(discriminator(images), discriminator(images, nan))


@pytest.mark.parametrize("missing", ["none", "some", "all"])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_and_reach_every_parameter(
    tiny: Make, name: str, missing: str
) -> None:
    generator, discriminator = build(tiny(name), SPEC, **ALL_HEADS)
    labels = random_(8, 2)
    if missing == "some":
        labels[::2, 0] = labels[1::3, 1] = math.nan
    if missing == "all":
        labels[:] = math.nan
    images = generator(random_(8, 6), labels)
    assessed = discriminator.assess(images, labels)
    assert assessed.labels is not None
    loss = assessed.logits.square().sum() + assessed.labels.square().sum()
    (loss + discriminator.encode(images).square().sum()).backward()
    for network in (generator, discriminator):
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key
            assert parameter.grad.any(), key


@pytest.mark.parametrize("name", NAMES)
def test_without_labels_nothing_is_left_of_them(tiny: Make, name: str) -> None:
    generator, discriminator = build(tiny(name), PLAIN)
    keys = [*generator.state_dict(), *discriminator.state_dict()]
    assert not [key for key in keys if "label" in key or "embed" in key or "project" in key]
    assert generator.inputs == generator.latent.size
    assert generator.draw_labels(image_random(0), 2) is None
    z, images = random_(4, generator.latent.size), random_(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(generator(z, torch.zeros(4, 2)), generator(z))
        assert torch.equal(discriminator(images, torch.zeros(4, 2)), discriminator(images))
    assert discriminator.assess(images).labels is None


@pytest.mark.parametrize("name", NAMES)
def test_labels_only_add_to_a_network(tiny: Make, name: str) -> None:
    """So that one trained without labels warm-starts one with them."""
    for plain, conditional in zip(build(tiny(name), PLAIN), build(tiny(name), SPEC), strict=True):
        before, after = plain.state_dict(), conditional.state_dict()
        assert before.keys() < after.keys()
        wider = [key for key in before if before[key].shape != after[key].shape]
        assert len(wider) <= (1 if isinstance(plain, Generator) else 0)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_projection_the_logit_knows_nothing_of_labels(tiny: Make, name: str) -> None:
    _, network = build(tiny(name), SPEC, projection=0)
    images = random_(4, 3, 32, 32)
    with torch.no_grad():
        found = network(images, random_(4, 2))
        assert torch.equal(found, network(images, random_(4, 2, seed=2)))
    assert not [key for key in network.state_dict() if "project" in key or "embed" in key]


def test_the_projection_is_bilinear() -> None:
    """logit = w·f + b + ⟨P f, e(y)⟩ / √E, and nothing else."""
    heads = Heads(HeadsConfig(projection=7), SPEC, 11)
    features, labels = random_(5, 11), random_(5, 2, seed=2)
    assert heads.project is not None
    found = heads(features, labels)
    assert found.labels is None
    dense = heads.embed.dense
    embedded = F.leaky_relu(
        torch.cat((labels, torch.zeros(5, 2)), 1) @ dense.weight.T + dense.bias, 0.2
    )
    linear = features @ heads.logit.weight[0] + heads.logit.bias
    fit = torch.einsum("nf,ef,ne->n", features, heads.project.weight, embedded)
    torch.testing.assert_close(found.logits, linear + fit / math.sqrt(7))
    # Linear in the features, given the labels.
    twice = heads(2 * features, labels).logits
    torch.testing.assert_close(twice - heads.logit.bias, 2 * (found.logits - heads.logit.bias))


def test_a_missing_label_is_marked_beside_the_others() -> None:
    embedding = LabelEmbedding(2, 6)
    dense = embedding.dense
    found = embedding(torch.tensor([[0.5, math.nan]]))
    expected = F.leaky_relu(dense(torch.tensor([[0.5, 0.0, 0.0, 1.0]])), 0.2)
    assert torch.equal(found, expected)


def test_auxiliary_heads_say_a_number_for_each_label() -> None:
    heads = Heads(HeadsConfig(auxiliary=True), SPEC, 11)
    features = random_(5, 11)
    found = heads(features, torch.zeros(5, 2))
    assert found.logits.shape == (5,)
    assert found.labels is not None
    assert found.labels.shape == (5, 2)
    # What it predicts cannot depend on what it is asked to predict.
    assert torch.equal(found.labels, heads(features, torch.ones(5, 2)).labels)


def test_a_hidden_layer_stands_before_all_heads() -> None:
    heads = Heads(HeadsConfig(hidden=4, projection=3, auxiliary=True, code=2), SPEC, 11)
    features, labels = random_(5, 11), torch.zeros(5, 2)
    assert isinstance(heads.hidden, nn.Linear)
    hidden = F.leaky_relu(features @ heads.hidden.weight.T + heads.hidden.bias, 0.2)
    heads_alone = Heads(HeadsConfig(projection=3, auxiliary=True, code=2), SPEC, 4)
    own = {k: v for k, v in heads.state_dict().items() if not k.startswith("hidden")}
    heads_alone.load_state_dict(own)
    found, expected = heads(features, labels), heads_alone(hidden, labels)
    torch.testing.assert_close(found.logits, expected.logits)
    torch.testing.assert_close(found.labels, expected.labels)
    torch.testing.assert_close(heads.encode(features), heads_alone.encode(hidden))


def test_votes_are_linear_at_each_place_and_labels_add_to_all() -> None:
    """vote_hp = w_h·f_hp + b_h + ⟨P f, e(y)⟩ / √E; the logit is their mean."""
    parts = [Places(channels=3, places=4), Places(channels=5, places=1)]
    plain = Heads(HeadsConfig(hidden=6), PLAIN, parts)
    conditional = Heads(HeadsConfig(hidden=6, projection=7, auxiliary=True), SPEC, parts)
    assert plain.patch_logits
    assert conditional.patch_logits
    features, labels = random_(2, 17), random_(2, 2, seed=2)
    conditional.load_state_dict(plain.state_dict(), strict=False)
    found = plain(features, None).patch_logits
    assert found.shape == (2, 5)
    wide, narrow = plain.logit.parts
    for place in range(4):
        seen = features[:, [place, 4 + place, 8 + place]]
        torch.testing.assert_close(found[:, place], wide(seen)[:, 0])
    torch.testing.assert_close(found[:, 4], narrow(features[:, 12:])[:, 0])
    assessed = conditional(features, labels)
    fit = conditional.project(conditional._hidden(features)) * conditional.embed(labels)
    torch.testing.assert_close(
        assessed.patch_logits - found, fit.sum(1, True).expand(2, 5) / 7**0.5
    )
    torch.testing.assert_close(assessed.logits, assessed.patch_logits.mean(1))
    assert assessed.judgements is assessed.patch_logits
    assert assessed.labels.shape == (2, 2)


def test_codes_are_linear_in_the_features() -> None:
    heads = Heads(HeadsConfig(code=6), PLAIN, 11)
    features = random_(5, 11)
    assert isinstance(heads.code, nn.Linear)
    expected = features @ heads.code.weight.T + heads.code.bias
    torch.testing.assert_close(heads.encode(features), expected)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_code_there_is_no_encoder(tiny: Make, name: str) -> None:
    _, discriminator = build(tiny(name), PLAIN)
    with pytest.raises(RecipeError, match="no code") as caught:
        discriminator.encode(random_(2, 3, 32, 32))
    assert "discriminator.heads.code" in caught.value.hint


@pytest.mark.parametrize("name", ["sngan", "sagan"])
def test_heads_are_spectrally_normalised_where_the_network_is(tiny: Make, name: str) -> None:
    generator, discriminator = build(tiny(name), SPEC, **ALL_HEADS)
    layers = [m for m in discriminator.heads.modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 6
    if name == "sagan":
        layers += [m for m in generator.labels.modules() if isinstance(m, nn.Linear)]
        assert len(layers) == 7
    for layer in layers:
        assert parametrize.is_parametrized(layer, "weight")
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=0.02)


def test_a_generator_draws_labels_of_training_images() -> None:
    generator, _ = build(Recipe.load("gan"), SPEC)
    rows = torch.arange(2.0 * LABEL_ROWS).view(LABEL_ROWS, 2)
    generator.label_rows.copy_(rows)
    drawn = generator.draw_labels(image_random(3), 500)
    assert drawn is not None
    assert torch.equal(drawn[:, 1], drawn[:, 0] + 1)  # rows stay whole
    numbers = drawn[:, 0] / 2
    assert numbers.min() >= 0
    assert numbers.max() < LABEL_ROWS
    assert numbers.mean().item() == pytest.approx(LABEL_ROWS / 2, rel=0.1)
    assert len(numbers.unique()) > 400
    assert torch.equal(generator.draw_labels(image_random(3), 500), drawn)


def test_a_direction_and_the_features_learn_from_different_losses() -> None:
    """SAN: ⟨ω/|ω|, h⟩ + b; ω has no gradient from the logits, h none from `along`."""
    heads = Heads(HeadsConfig(direction=True), PLAIN, 11)
    assert heads.directed
    features = random_(5, 11).requires_grad_()
    with torch.no_grad():
        heads.logit.weight.mul_(7.0)
        heads.logit.bias.fill_(0.3)
    found = heads(features, None)
    omega = heads.logit.weight / heads.logit.weight.norm()
    torch.testing.assert_close(found.logits, features @ omega + 0.3)
    torch.testing.assert_close(found.along, features @ omega)
    found.logits.sum().backward()
    torch.testing.assert_close(features.grad, omega.detach().expand(5, 11))
    assert heads.logit.weight.grad is None
    features.grad = None
    found.along.sum().backward()
    assert features.grad is None
    assert heads.logit.weight.grad.any()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "projected"])
def test_every_network_can_have_a_direction(tiny: Make, name: str) -> None:
    _, network = build(tiny(name), SPEC, direction=True)
    found = network.assess(random_(4, 3, 32, 32), random_(4, 2))
    assert network.directed
    assert found.along is not None
    assert found.along.shape == found.logits.shape == (4,)
