"""What the benchmarks of facegan begin with: a trainer before its first step, a generator.

Import it after `facegan.startup.tune_process`, which wants to be called before PyTorch comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facegan.data.dataset import Dataset
from facegan.data.spec import ImageSpec
from facegan.device import processes
from facegan.models.file import GeneratorFile
from facegan.recipe import Recipe
from facegan.training.batch_source import BatchSource, value_range_of
from facegan.training.plan import choose_precision
from facegan.training.state import TrainingState
from facegan.training.step import Trainer


@contextmanager
def trainer(
    recipe: Recipe, dataset: str | Path, device: str = "cpu", threads: int | None = None
) -> Iterator[Trainer]:
    """As `facegan train` makes it: the number format tried and chosen, nothing written."""
    opened = Dataset.open(dataset)
    with processes(device, threads) as execution:
        batch_source = BatchSource.of(recipe, opened, execution)
        execution = choose_precision(recipe, opened.spec, batch_source, execution)
        state = TrainingState(recipe, opened.spec, execution)
        yield Trainer(recipe, state, batch_source, execution, total=10**9)


def untrained(recipe: Recipe, path: Path) -> Path:
    """Write the file of a generator with its first weights, for 64-pixel pictures."""
    generator = recipe.generator.build(ImageSpec(64, 3), recipe.data.range).eval()
    GeneratorFile(generator, recipe, value_range_of(recipe, {}), 0, {"name": "none"}).save(path)
    return path
