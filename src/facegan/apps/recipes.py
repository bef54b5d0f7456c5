"""`facegan recipes` and the dry run: what would be trained, and what it would cost."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from facegan.apps.datasets import open_dataset
from facegan.recipe import Recipe, recipe_names, shipped_text


@dataclass(frozen=True)
class Listed:
    """A line of `facegan recipes`."""

    name: str
    title: str
    source: str


def recipes() -> list[Listed]:
    """The shipped recipes with their sources."""
    found = []
    for name in recipe_names():
        values = tomllib.loads(shipped_text(name))
        found.append(Listed(name, values["title"], values["source"]))
    return found


@dataclass(frozen=True)
class Forecast:
    """What a run would be.

    Attributes:
        recipe: resolved.
        generator: trainable numbers in the generator.
        discriminator: in the discriminator.
        images: to be shown to the discriminator.
        img_per_s: measured on this machine.
        seconds: the expected time of all steps.
        memory: bytes: the device's peak (CUDA) or this process's (elsewhere), as measured.
        execution: device, precision, layout, threads.
    """

    recipe: Recipe
    generator: int
    discriminator: int
    images: int
    img_per_s: float
    seconds: float
    memory: int
    execution: dict[str, object]


def forecast(recipe: Recipe, data: str, device: str = "auto") -> Forecast:
    """Take a few steps on a throwaway copy and extrapolate. Writes nothing.

    Args:
        recipe: resolved.
        data: a pack's folder, or `portraits`.
        device: `auto`, `cpu`, `cuda`, `mps`.
    """
    from facegan.models.interfaces import parameter_count
    from facegan.training.execution import processes
    from facegan.training.feed import Feed
    from facegan.training.plan import check_batch, choose_precision, make_plan, measure_speed
    from facegan.training.state import TrainingState, pixels_of

    pack = open_dataset(data)
    with processes(device) as execution:
        check_batch(recipe, execution)
        feed = Feed(pack, pixels_of(recipe, pack.card), recipe.training.seed, execution)
        execution = choose_precision(recipe, pack.spec, feed, execution)
        plan = make_plan(recipe, pack.spec, feed, execution)
        speed = plan.speed or measure_speed(recipe, pack.spec, feed, execution)
        networks = TrainingState(recipe, pack.spec, execution).networks
        return Forecast(
            recipe,
            parameter_count(networks.generator),
            parameter_count(networks.discriminator),
            plan.images,
            speed,
            plan.images / speed,
            _peak_memory(execution.device.type),
            execution.described(),
        )


def _peak_memory(device: str) -> int:
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    try:
        import resource
    except ImportError:  # Windows
        return 0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
