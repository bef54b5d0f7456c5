"""What cannot fit into memory is refused before any of it is taken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan import memory
from facegan.apps.evaluate import evaluate
from facegan.apps.generate import generate
from facegan.apps.recipes import forecast
from facegan.data.spec import ImageSpec
from facegan.device import Execution
from facegan.errors import DeviceError
from facegan.recipe import Recipe, recipe_names
from facegan.seeding import Random, random
from facegan.training import footprint
from facegan.training.footprint import require_fits

CPU = torch.device("cpu")
Make = Callable[..., Any]


def learning(recipe: Recipe, spec: ImageSpec) -> int:
    """Bytes of weights, gradients, two moments in float32, and the generator's average."""
    generator = recipe.generator.build(spec, recipe.data.range)
    discriminator = recipe.discriminator.build(spec, recipe.data.range)
    sizes = [sum(p.numel() for p in each.parameters()) for each in (generator, discriminator)]
    return 4 * (5 * sizes[0] + 4 * sizes[1])


def test_networks_larger_than_any_machine() -> None:
    recipe = Recipe.load("gan").override(f"generator.hidden={[65536] * 400}")
    with pytest.raises(DeviceError, match="numbers"):
        require_fits(recipe, ImageSpec(32, 3), Execution(CPU))


def test_what_fits_exactly_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, spec = Recipe.load("gan"), ImageSpec(32, 3)
    monkeypatch.setattr(footprint, "_activations", lambda *about: 0)
    needed = learning(recipe, spec)
    monkeypatch.setattr(memory, "available", lambda device: needed)
    require_fits(recipe, spec, Execution(CPU))
    monkeypatch.setattr(memory, "available", lambda device: needed - 1)
    with pytest.raises(DeviceError, match="free"):
        require_fits(recipe, spec, Execution(CPU))
    monkeypatch.setattr(memory, "available", lambda device: None)
    require_fits(recipe, spec, Execution(CPU))


def test_layers_outputs_are_counted_for_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fully connected layers by hand: h → activation → images, and images → h → logit."""
    recipe = Recipe.load("gan").override(
        "generator.hidden=[10]", "discriminator.hidden=[20]", "training.precision=fp32"
    )
    spec, pixels = ImageSpec(32, 3), 32 * 32 * 3
    found = []

    def note(wanted: int, device: torch.device, what: str, advice: str) -> None:
        found.append(wanted)

    monkeypatch.setattr(footprint, "require_memory", note)
    for batch in (16, 32):
        require_fits(recipe.override(f"training.batch={batch}"), spec, Execution(CPU))
    assert found[0] == found[2] == learning(recipe, spec)
    small, large = found[1] - found[0], found[3] - found[2]
    assert large == 2 * small  # nothing but the batch
    # At least the outputs of the matrix products: G once, D for real and generated images.
    assert small >= 16 * 4 * ((10 + pixels) + 2 * (20 + 1))
    # And at most twice that and D's inputs: each activation may have an output of its own.
    assert small <= 2 * 16 * 4 * ((10 + 2 * pixels) + 2 * (20 + 1))


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_counted(tiny: Make, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As networks with weights compute, to the last layer."""
    recipe, spec, counted = tiny(name), ImageSpec(32, 3), []
    count = footprint._kept_by

    def note(network: torch.nn.Module, *inputs: Any) -> int:
        counted.append(count(network, *inputs))
        return counted[-1]

    monkeypatch.setattr(footprint, "_kept_by", note)
    require_fits(recipe, spec, Execution(CPU))
    generator = recipe.generator.build(spec, recipe.data.range)
    discriminator = recipe.discriminator.build(spec, recipe.data.range)
    z = generator.draw(Random(random(0, 0, 0)), 2)
    assert counted == [count(generator, z, None), count(discriminator, generator(z), None)]


def test_dry_runs_generate_and_evaluate_ask_first(
    tiny: Make, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, other = (make_dataset(tmp_path / str(seed), n=130, seed=seed) for seed in (0, 1))
    monkeypatch.setattr(memory, "available", lambda device: 1000)
    with pytest.raises(DeviceError, match="are free"):
        forecast(tiny("gan"), str(real), device="cpu")
    with pytest.raises(DeviceError, match="Measuring"):
        evaluate(other, real, extractors=("efflite0@64",))
    monkeypatch.setattr(memory, "available", lambda device: 100 << 20)
    with pytest.raises(DeviceError, match="A grid of 1,000,000 pictures") as caught:
        generate(None, tmp_path / "grid.png", n=1_000_000, grid=True)
    assert "files" in caught.value.hint
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1"}


def test_nothing_is_compiled() -> None:
    """PyTorch's compiler takes as long to import as PyTorch, and every process would pay."""
    script = (
        "import sys, torch\n"
        "from facegan.data.spec import ImageSpec\n"
        "from facegan.device import Execution\n"
        "from facegan.optimizers import Adam, RmsProp, Sgd\n"
        "from facegan.recipe import Recipe\n"
        "from facegan.training.footprint import require_fits\n"
        "for name in ('gan', 'dcgan', 'wgan-gp', 'sagan', 'r3gan-cpu', 'ignm-cpu'):\n"
        "    require_fits(Recipe.load(name), ImageSpec(64), Execution(torch.device('cpu')))\n"
        "for kind in (Adam(kind='adam'), Sgd(kind='sgd'), RmsProp(kind='rmsprop')):\n"
        "    weight = torch.nn.Parameter(torch.ones(3))\n"
        "    optimizer = kind.build([weight])\n"
        "    (weight**2).sum().backward()\n"
        "    optimizer.step()\n"
        "    optimizer.zero_grad()\n"
        "    optimizer.load_state_dict(optimizer.state_dict())\n"
        "    assert not torch.equal(weight, torch.ones(3)), kind\n"
        "print(sorted({'torch._dynamo', 'sympy'} & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.stdout == "[]\n", ended.stderr
