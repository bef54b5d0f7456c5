"""Where a step's time goes: the parts add up, and every recipe can be asked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from facegan.apps import profile as module
from facegan.apps.profile import StepProfile, profile
from facegan.cli.terminal.profile import held, print_profile
from facegan.device import Execution, choose_device
from facegan.training.speed.operators import Operator
from facegan.training.speed.roofline import Roofline

EXECUTION = Execution(choose_device("cpu"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    monkeypatch.setattr(module, "measure_roofline", lambda *_: Roofline(1e12, 1e10))


def made(tiny: Any, *operators: Operator, seconds: float = 1.0) -> StepProfile:
    return StepProfile(tiny("dcgan"), EXECUTION, 50, seconds, Roofline(100.0, 10.0), operators)


def test_shares_follow_from_times_and_ceilings(tiny: Any) -> None:
    found = made(
        tiny,
        # Half of what the ceiling allows, and held by arithmetic.
        Operator("aten.mm", "", "products", 1, seconds=0.5, flops=25.0, bytes=1.0),
        # All of what it allows, held by traffic.
        Operator("aten.add", "", "elementwise", 2, seconds=0.2, flops=0.0, bytes=2.0),
        Operator("aten.mul", "", "elementwise", 2, seconds=0.1, flops=0.0, bytes=0.5),
    )
    assert found.img_per_s == 50
    assert found.arithmetic_share == pytest.approx(0.25)
    assert found.limit_share == pytest.approx(0.25 + 0.2 + 0.05)
    assert found.between == pytest.approx(0.2)
    products, elementwise = found.groups()
    assert (products.kind, elementwise.kind) == ("products", "elementwise")
    assert elementwise.seconds == pytest.approx(0.3)
    assert elementwise.least == pytest.approx(0.25)
    assert held(found) == "Most is lost in convolutions, matrix products: 25%."


def test_time_between_operators_is_never_negative(tiny: Any) -> None:
    slow = Operator("aten.mm", "", "products", 1, seconds=2.0, flops=100.0)
    assert made(tiny, slow).between == 0


def test_what_holds_may_lie_between_operators(tiny: Any) -> None:
    quick = Operator("aten.mm", "", "products", 1, seconds=0.1, flops=10.0)
    assert "between operators" in held(made(tiny, quick))


@pytest.mark.parametrize("name", ["gan", "dcgan", "wgan-gp", "ignm", "r3gan-cpu", "dcgan-staged"])
def test_a_recipe_is_profiled_and_nothing_is_written(
    tiny: Any, dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = tiny(name)
    if recipe.data.mix:
        recipe = recipe.override("data.mix=[]")
    found = profile(recipe, dataset_path, device="cpu", threads=1)
    assert found.images == recipe.training.batch * recipe.method.n_critic
    assert found.flops > 0
    assert found.seconds > 0
    assert {group.kind for group in found.groups()} >= {"products", "updates", "elementwise"}
    out = io.StringIO()
    print_profile(found, Console(file=out, width=120))
    said = out.getvalue()
    assert f"a step of {found.images} images" in said
    assert "between operators" in said
    assert "matrix product 1 TFLOP/s (fp32), copy 10 GB/s" in said
    assert list(tmp_path.iterdir()) == []


def test_lazy_terms_are_profiled_in_whole_rounds(tiny: Any) -> None:
    rounds = module._round
    lazy = ("method.penalty.kind=r1", "method.penalty.gamma=1.0", "method.penalty.every=6")
    assert rounds(tiny("dcgan")) == 2
    assert rounds(tiny("dcgan").override(*lazy)) == 6
    assert rounds(tiny("dcgan").override(*lazy, "method.n_critic=4")) == 3
    adaptive = 'augment.probability={ kind = "adaptive" }'
    assert rounds(tiny("dcgan").override(*lazy, adaptive, "augment.flip=true")) == 12
