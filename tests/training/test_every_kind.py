"""What holds for every kind that a recipe can name; a new one is covered by its TINY entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from facegan.augment import TRANSFORMS
from facegan.losses.adversarial import ADVERSARIAL
from facegan.losses.penalties import PENALTIES
from facegan.methods import METHODS, REGULARISERS
from facegan.networks import DISCRIMINATORS, GENERATORS
from facegan.recipe import Recipe
from tiny import (
    TINY,
    TINY_METHODS,
    TINY_PENALTIES,
    TINY_REGULARISERS,
    TINY_TRANSFORMS,
    no_entry,
)

Make = Callable[..., Any]

TABLES: dict[str, tuple[Mapping[str, Any], Mapping[str, tuple[str, ...]]]] = {
    "TINY": ({**GENERATORS, **DISCRIMINATORS}, TINY),
    "TINY_METHODS": (METHODS, TINY_METHODS),
    "TINY_PENALTIES": (PENALTIES, TINY_PENALTIES),
    "TINY_REGULARISERS": (REGULARISERS, TINY_REGULARISERS),
    "TINY_TRANSFORMS": (TRANSFORMS, TINY_TRANSFORMS),
}
CASES = {
    f"{table}-{kind}": settings
    for table, (_, entries) in TABLES.items()
    if table != "TINY"
    for kind, settings in entries.items()
} | {f"loss-{name}": (f"method.loss={name}",) for name in ADVERSARIAL}


@pytest.mark.parametrize("table", TABLES)
def test_every_kind_has_its_entry(table: str) -> None:
    registered, entries = TABLES[table]
    for kind in registered:
        assert kind in entries, no_entry(kind, table)
    assert not entries.keys() - registered.keys()


@pytest.mark.parametrize("kind", TINY)
def test_every_network_is_built_small(tiny: Make, kind: str) -> None:
    recipe = Recipe.load("gan")
    start = [f"generator={{kind='{kind}'}}"] if kind in GENERATORS else []
    recipe = recipe.override(*start, f"discriminator={{kind='{kind}'}}", *TINY[kind])
    assert recipe.discriminator.kind == kind
    assert recipe.generator.kind == (kind if kind in GENERATORS else "dcgan")


@pytest.mark.parametrize("case", CASES)
def test_trains_and_goes_on_exactly_where_it_was_saved(
    tiny: Make, trainer_of: Make, case: str
) -> None:
    """Of networks, optimizers and what a method remembers: nothing is lost on the way."""
    recipe = tiny("gan", *CASES[case], "method.n_critic=2")
    whole = trainer_of(recipe)
    before = {name: value.clone() for name, value in whole.state.tensors().items()}
    for _ in range(5):
        whole.step()
    part = trainer_of(recipe)
    saved = {name: value.clone() for name, value in whole.state.tensors().items()}
    part.state.load(saved, whole.state.images_seen, whole.state.extra())
    for _ in range(7):
        assert part.step() == whole.step()
    found, expected = part.state.tensors(), whole.state.tensors()
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []
    for player in ("generator", "discriminator"):
        name = f"{player}.layers.0.weight"
        assert not torch.equal(before[name], expected[name])


@pytest.mark.parametrize("kind", REGULARISERS)
def test_a_regularisers_loss_is_journalled_under_its_name(
    tiny: Make, trainer_of: Make, kind: str
) -> None:
    """Without its weight, and with its schedule's value; whatever the weight is."""
    ramp = "{kind='linear', start=1e-6, end=2e-6}"
    settings = (*TINY_REGULARISERS[kind], f"method.regularisers.0.weight={ramp}")
    found, plain = trainer_of(tiny("gan", *settings)).step(), trainer_of(tiny("gan")).step()
    assert found["method/regularisers.0.weight"] == 1e-6
    added = {name for name in found if name.endswith(f"/{kind}")}
    assert 1 <= len(added) <= 2
    assert found["discriminator/adversarial"] == plain["discriminator/adversarial"]


def test_each_stage_minimises_what_its_method_says(tiny: Make, trainer_of: Make) -> None:
    """Also with another number of the discriminator's updates; the recipe's method elsewhere."""
    stages = (
        "stages=[{method={kind='feature_matching'}}, "
        "{method={kind='adversarial', loss='hinge', n_critic=2}}, {}]"
    )
    trainer = trainer_of(tiny("gan", stages, "method.penalty.kind=r1"))
    found: list[tuple[int, int, bool, bool]] = []
    while trainer.state.images_seen < trainer.total:
        before = trainer.state.images_seen
        values = trainer.step()
        found.append(
            (
                trainer.state.stage_index,
                trainer.state.images_seen - before,
                "generator/feature_matching" in values,
                "discriminator/penalty" in values,
            )
        )
    assert (
        found == [(0, 8, True, False)] * 8 + [(1, 16, False, False)] * 4 + [(2, 8, False, True)] * 8
    )
