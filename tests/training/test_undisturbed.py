"""What watches a run, and what it needs, are asked for before it: neither ends it half-way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan.apps.train import train
from facegan.data.spec import ImageSpec
from facegan.device import Execution
from facegan.errors import DeviceError
from facegan.recipe import Recipe
from facegan.training import memory
from facegan.training.memory import available, require_memory


@pytest.mark.parametrize("method", ["begin", "step", "tick", "say", "end"])
def test_a_reporter_that_cannot_speak_ends_no_run(
    tiny: Callable[..., Recipe], watcher: Any, dataset_path: Path, tmp_path: Path, method: str
) -> None:
    class Broken(watcher):  # type: ignore[misc]
        """A pipe whose other end was closed."""

    calls = []

    def broken(self: Any, *arguments: Any) -> None:
        calls.append(method)
        raise BrokenPipeError(32, "Broken pipe")

    setattr(Broken, method, broken)
    outcome = train(tiny("gan", "training.budget=16img"), dataset_path, tmp_path, reporter=Broken())
    assert outcome.finished
    # Not even asked again.
    assert len(calls) <= 1


def test_networks_larger_than_memory_are_refused_before_any_is_taken() -> None:
    recipe = Recipe.load("gan").override("generator.hidden=[65536,65536,65536]")
    wide = recipe.override(f"generator.hidden={[65536] * 40}")
    spec, execution = ImageSpec(32, 3), Execution(torch.device("cpu"))
    there = available(execution)
    if there is not None and there < 100 << 30:
        with pytest.raises(DeviceError, match=r"numbers to learn.*GB to train; .* are free"):
            require_memory(recipe, spec, execution)
    with pytest.raises(DeviceError, match="numbers to learn"):
        require_memory(wide, spec, execution)


def test_what_fits_exactly_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, spec = Recipe.load("gan"), ImageSpec(32, 3)
    execution = Execution(torch.device("cpu"))
    sizes = [
        sum(p.numel() for p in network.parameters())
        for network in (
            recipe.generator.build(spec, recipe.data.range),
            recipe.discriminator.build(spec, recipe.data.range),
        )
    ]
    # Weights, gradients, two moments in float32, and the generator's average.
    needed = 4 * (5 * sizes[0] + 4 * sizes[1])
    monkeypatch.setattr(memory, "available", lambda execution: needed)
    require_memory(recipe, spec, execution)
    monkeypatch.setattr(memory, "available", lambda execution: needed - 1)
    with pytest.raises(DeviceError, match="free"):
        require_memory(recipe, spec, execution)
    monkeypatch.setattr(memory, "available", lambda execution: None)
    require_memory(recipe, spec, execution)
