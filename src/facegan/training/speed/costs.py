"""What a recipe costs on this machine: counted and measured once, then remembered.

What was found is kept in the cache folder beside all that decides it, so that an answer is
never one for another recipe, resolution, device or version. A file that is damaged, or of other
versions, counts as empty and is written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import torch
from pydantic import Field, ValidationError

from facegan.cache import cache_folder
from facegan.config import Config
from facegan.data.dataset import Dataset
from facegan.data.spec import ImageSpec
from facegan.data.writer import DatasetWriter
from facegan.device import Execution, Precision
from facegan.errors import RunError
from facegan.files import read_json, write_json
from facegan.networks.interfaces import parameter_count
from facegan.networks.meta_device import on_meta_device
from facegan.recipe import Recipe
from facegan.training.batch_source import BatchSource
from facegan.training.footprint import require_fits
from facegan.training.plan import choose_precision, measure_speed
from facegan.version import __version__

# One recipe should not take longer than this, in seconds; where it would, a smaller batch is
# measured.
_PATIENCE = 90.0
_TRIAL, _REDUCED = 4, 16
# Measuring in full, over trying: the steps that choose the precision, and undisturbed ones.
_FULL_OVER_TRIAL = 2.5
_SECONDS = 3.0
# Pictures to train on. How many there are changes nothing of the speed.
_PICTURES = 64


class Size(Config):
    """Trainable numbers in the two networks."""

    generator: Annotated[int, Field(ge=0)]
    discriminator: Annotated[int, Field(ge=0)]


class Cost(Config):
    """How fast a recipe trains here.

    Attributes:
        img_per_s: images shown to the discriminator, a second.
        batch: with which this was measured: the recipe's own, or a smaller one where its own
            takes too long.
        precision: in which it was measured: the recipe's, or what is faster here.
    """

    img_per_s: Annotated[float, Field(gt=0)]
    batch: Annotated[int, Field(ge=1)]
    precision: Precision

    @property
    def seconds_per_kimg(self) -> float:
        """For a thousand images shown to the discriminator."""
        return 1000 / self.img_per_s


Finding = TypeVar("Finding", Size, Cost)


class Known:
    """Findings of this and earlier commands, each under all that decides it."""

    def __init__(self) -> None:
        self.path = cache_folder() / "recipe-costs.json"
        self._versions = {"facegan": __version__, "torch": torch.__version__}
        self._entries: dict[str, Any] = {}
        with contextlib.suppress(RunError):
            content = read_json(self.path, "What is known of recipes")
            entries = content.get("entries")
            if content.get("versions") == self._versions and isinstance(entries, dict):
                self._entries = entries

    def get(self, kind: type[Finding], conditions: dict[str, Any]) -> Finding | None:
        """What was found under these conditions, if anything was."""
        entry = self._entries.get(_key(kind, conditions))
        try:
            return None if entry is None else kind.model_validate(entry["found"])
        except (ValidationError, KeyError, TypeError):
            return None

    def put(self, found: Size | Cost, conditions: dict[str, Any]) -> None:
        """Remember, in the file too. Raises StorageError where that cannot be written."""
        entry = {"of": conditions, "found": found.model_dump()}
        self._entries[_key(type(found), conditions)] = entry
        write_json(self.path, {"versions": self._versions, "entries": self._entries})


def _key(kind: type[Config], conditions: dict[str, Any]) -> str:
    text = json.dumps([kind.__name__, conditions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def size_conditions(recipe: Recipe, resolution: int) -> dict[str, Any]:
    """All that decides a size, for one version of facegan."""
    fingerprint = hashlib.sha256(recipe.to_toml().encode()).hexdigest()
    return {"name": recipe.name, "recipe": fingerprint, "resolution": resolution}


def cost_conditions(recipe: Recipe, resolution: int, execution: Execution) -> dict[str, Any]:
    """All that decides a cost, for one version of facegan and of PyTorch."""
    how = execution.described()
    machine = {key: how[key] for key in ("device", "device_name", "threads")}
    return size_conditions(recipe, resolution) | machine


def count(recipe: Recipe, resolution: int) -> Size:
    """Count without computing anything; for RGB without labels.

    Raises:
        FaceganError: the recipe cannot do this resolution.
    """
    spec = ImageSpec(resolution)
    with on_meta_device():
        generator = recipe.generator.build(spec, recipe.data.range)
        discriminator = recipe.discriminator.build(spec, recipe.data.range)
    return Size(generator=parameter_count(generator), discriminator=parameter_count(discriminator))


def measure(recipe: Recipe, dataset: Dataset, execution: Execution) -> Cost:
    """Train a throwaway copy for some seconds, as a run would; at most minutes.

    A few steps with a small batch say how long the recipe's own would take. What gains from
    large batches gains less in a small one, so that such an estimate is on the slow side.

    Args:
        recipe: what to measure.
        dataset: any pictures of the wanted resolution.
        execution: where. The precision and the layout are chosen here.

    Raises:
        FaceganError: the recipe cannot be trained on such pictures.
    """
    batch_source = BatchSource.of(recipe, dataset, execution, [dataset] * len(recipe.data.mix))
    spec = batch_source.spec
    wanted = recipe.training.batch
    small = min(_TRIAL, wanted)
    require_fits(_with_batch(recipe, small), spec, execution)
    begin = time.perf_counter()
    speed = measure_speed(_with_batch(recipe, small), spec, batch_source, execution, seconds=0.0)
    per_image = _FULL_OVER_TRIAL * (time.perf_counter() - begin) / small
    batches = [batch for batch in (wanted, _REDUCED, small) if batch <= wanted]
    batch = next((batch for batch in batches if per_image * batch <= _PATIENCE), None)
    measured = _with_batch(recipe, batch or small)
    execution = choose_precision(measured, spec, batch_source, execution)
    seconds = 0.0 if batch is None else _SECONDS
    speed = measure_speed(measured, spec, batch_source, execution, seconds=seconds)
    return Cost(img_per_s=speed, batch=batch or small, precision=execution.precision)


def measure_again(recipe: Recipe, dataset: Dataset, execution: Execution, before: Cost) -> Cost:
    """Look once more at what was measured, in the same way; the faster of the two.

    Another process makes a measurement slower, and nothing makes one faster.
    """
    batch_source = BatchSource.of(recipe, dataset, execution, [dataset] * len(recipe.data.mix))
    measured = _with_batch(recipe, before.batch)
    if before.precision != measured.training.precision:
        measured = measured.override(f"training.precision={before.precision}")
    way = choose_precision(measured, batch_source.spec, batch_source, execution)
    speed = measure_speed(measured, batch_source.spec, batch_source, way, seconds=_SECONDS / 2)
    return before.model_copy(update={"img_per_s": max(speed, before.img_per_s)})


def _with_batch(recipe: Recipe, batch: int) -> Recipe:
    return recipe.override(f"training.batch={batch}")


@contextlib.contextmanager
def blobs(resolution: int) -> Iterator[Dataset]:
    """A dataset of smooth random pictures in RGB, gone afterwards."""
    import cv2

    coarse = np.random.default_rng(0).integers(0, 256, (_PICTURES, 4, 4, 3), np.uint8)
    side = (resolution, resolution)
    images = np.stack([cv2.resize(c, side, interpolation=cv2.INTER_LINEAR) for c in coarse])
    names = [str(number) for number in range(_PICTURES)]
    with tempfile.TemporaryDirectory(prefix="facegan-") as folder:
        path = Path(folder) / "blobs"
        with DatasetWriter(path, resolution=resolution, channels=3) as writer:
            writer.add(images, names, names, ["train"] * _PICTURES, names)
            writer.finish({"name": "blobs", "source": "random numbers", "licence": "CC0-1.0"})
        yield Dataset.open(path)
