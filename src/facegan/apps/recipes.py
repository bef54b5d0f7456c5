"""`facegan recipes` and the dry run: what would be trained, and what it would cost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from facegan.apps.datasets import open_dataset
from facegan.errors import FaceganError, StorageError
from facegan.recipe import Recipe, recipe_names
from facegan.training.speed.costs import (
    Cost,
    Known,
    Size,
    blobs,
    cost_conditions,
    count,
    measure,
    size_conditions,
)
from facegan.values import Listing, Value

DEFAULT_RESOLUTION = 64


@dataclass(frozen=True)
class Listed(Value):
    """A line of `facegan recipes`.

    Attributes:
        name: of the recipe.
        title: what it is.
        source: the publication and place that define it.
        batch: its batch.
        size: trainable numbers in the generator and in the discriminator, for RGB pictures of
            the listed resolution; None where it cannot do that.
        cost: how fast it trains on this machine; None where nobody has measured.
        trouble: why there is no size, or why measuring failed; otherwise empty.
    """

    name: str
    title: str
    source: str
    batch: int
    size: Size | None = None
    cost: Cost | None = None
    trouble: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """One: what the list of recipes shows."""
        row: dict[str, Any] = {"recipe": self.name, "title": self.title, "source": self.source}
        row["batch"] = self.batch
        if self.size is not None:
            row |= {"generator": self.size.generator, "discriminator": self.size.discriminator}
        if self.cost is not None:
            row["img_per_s"] = self.cost.img_per_s
        return [row | {"trouble": self.trouble}]

    @property
    def estimated(self) -> bool:
        """Whether the cost was found with a smaller batch than the recipe's."""
        return self.cost is not None and self.cost.batch < self.batch


def recipes(resolution: int = DEFAULT_RESOLUTION, names: Sequence[str] = ()) -> Listing[Listed]:
    """The shipped recipes with their sources, sizes, and costs where these are known.

    Args:
        resolution: of the pictures, in pixels.
        names: which recipes; all by default.

    Raises:
        RecipeError: there is no recipe of such a name.
    """
    from facegan.device import Execution, choose_device

    chosen = _chosen(names)
    known, execution = Known(), Execution(choose_device("auto"))
    found: Listing[Listed] = Listing()
    for recipe in chosen:
        line = _sized(recipe, resolution, known)
        cost = known.get(Cost, cost_conditions(recipe, resolution, execution))
        found.append(replace(line, cost=cost))
    return found


def measured_recipes(
    resolution: int = DEFAULT_RESOLUTION,
    names: Sequence[str] = (),
    say: Callable[[str], None] = lambda message: None,
) -> list[Listed]:
    """The same, after measuring what is not yet known: seconds to minutes for each recipe.

    Args:
        resolution: of the pictures, in pixels.
        names: which recipes; all by default.
        say: is told what is being measured.

    Raises:
        RecipeError: there is no recipe of such a name.
        StorageError: the cache folder cannot be written.
    """
    from facegan.device import processes

    wanted = [line.name for line in recipes(resolution, names) if line.size and line.cost is None]
    known, troubles = Known(), {}
    with processes("auto") as execution, blobs(resolution) as dataset:
        for number, name in enumerate(wanted, start=1):
            say(f"measuring {name} ({number} of {len(wanted)}) …")
            recipe = Recipe.load(name)
            try:
                cost = measure(recipe, dataset, execution)
            except FaceganError as error:
                troubles[name] = f"Cannot be measured: {error.message}"
                continue
            known.put(cost, cost_conditions(recipe, resolution, execution))
    listed = recipes(resolution, names)
    return [replace(line, trouble=troubles.get(line.name, line.trouble)) for line in listed]


def _chosen(names: Sequence[str]) -> list[Recipe]:
    """Shipped recipes in the order of the story."""
    wanted = {Recipe.load(name).name for name in names}
    return [Recipe.load(name) for name in recipe_names() if not wanted or name in wanted]


def _sized(recipe: Recipe, resolution: int, known: Known) -> Listed:
    line = Listed(recipe.name, recipe.title, recipe.source, recipe.training.batch)
    conditions = size_conditions(recipe, resolution)
    size = known.get(Size, conditions)
    if size is None:
        try:
            size = count(recipe, resolution)
        except FaceganError as error:
            return replace(line, trouble=error.message)
        with contextlib.suppress(StorageError):  # a list needs no cache, it is only slower
            known.put(size, conditions)
    return replace(line, size=size)


@dataclass(frozen=True)
class Forecast(Value):
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


def forecast(recipe: Recipe, data: str, device: str = "auto", mix: Sequence[str] = ()) -> Forecast:
    """Take a few steps on a throwaway copy and extrapolate. Writes nothing.

    Args:
        recipe: resolved.
        data: a dataset's folder, or `portraits`.
        device: `auto`, `cpu`, `cuda`, `mps`.
        mix: further datasets, one for each share in the recipe's `data.mix`.

    Raises:
        DeviceError: it does not fit into memory.
    """
    from facegan.device import processes
    from facegan.networks.interfaces import parameter_count
    from facegan.training.batch_source import BatchSource
    from facegan.training.footprint import require_fits
    from facegan.training.plan import check_batch, choose_precision, make_plan, measure_speed
    from facegan.training.state import TrainingState

    dataset = open_dataset(data)
    with processes(device) as execution:
        check_batch(recipe, execution.world)
        batch_source = BatchSource.of(
            recipe, dataset, execution, [open_dataset(each) for each in mix]
        )
        require_fits(recipe, batch_source.spec, execution)
        execution = choose_precision(recipe, batch_source.spec, batch_source, execution)
        plan = make_plan(recipe, batch_source.spec, batch_source, execution)
        speed = plan.speed or measure_speed(recipe, batch_source.spec, batch_source, execution)
        networks = TrainingState(recipe, batch_source.spec, execution).networks
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
