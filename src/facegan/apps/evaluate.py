"""`facegan evaluate`: how good, how varied and how much copied generated pictures are."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from facegan.apps.datasets import open_dataset
from facegan.apps.trained_space import ANOTHER, caveat, flattering
from facegan.cache import cache_folder
from facegan.data.dataset import Dataset, is_dataset
from facegan.data.importer import import_images
from facegan.data.pictures import png_bytes
from facegan.device import choose_device
from facegan.errors import DataError, FaceganError, printable
from facegan.evaluation.agreement import Labelled, agreement
from facegan.evaluation.attributes import FEWEST as FEWEST_PIXELS
from facegan.evaluation.attributes import AttributeReader
from facegan.evaluation.cache import FeatureCache
from facegan.evaluation.dlib_models import installed
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.extractors.base import Extractor
from facegan.evaluation.judge import ALL_SCORES, Judge, Judgement
from facegan.evaluation.real import DEFAULT_N, FEWEST, Reference, choose_real, most_measurable
from facegan.evaluation.results import Agreement, Evaluation
from facegan.files import new_folder
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.generation.samples import gathered
from facegan.memory import require_memory
from facegan.models.store import find_source
from facegan.progress import progress_bar
from facegan.runs.checkpoint import folder_name
from facegan.runs.directory import RunDirectory
from facegan.seeding import REAL_CHOICE, random

# Two spaces that have nothing in common, so that no headline rests on one.
DEFAULT_EXTRACTORS = ("efflite0", "selfsup")


def evaluate(
    source: str | Path,
    data: str | Path,
    *,
    n: int | None = None,
    n_real: int | None = None,
    reference: Reference = "train",
    extractors: Sequence[str | Extractor] = DEFAULT_EXTRACTORS,
    seed: int = 0,
    copying: bool | None = None,
    faces: bool | None = None,
    best: bool = False,
    device: str = "auto",
    record: bool = True,
) -> Evaluation:
    """Measure generated pictures beside real ones.

    Args:
        source: a run's folder, a generator.safetensors file, a model's name, a dataset, or a
            folder or archive of pictures.
        data: the dataset of real pictures, or `portraits`.
        n: how many generated pictures to measure; 5,000 by default, or as many as the real
            ones allow.
        n_real: real pictures in the reference; five times n by default, 2,000 to 10,000, or all
            that are there.
        reference: the split of `data` that the reference comes from: `train`, `holdout`,
            `all`.
        extractors: the feature spaces: `efflite0`, `efflite0@64`, `selfsup`, `faces`,
            `inception`, or a TOML file that describes another, one of a plug-in, or an extractor
            itself. Where a generator's discriminator looked through the network of all of these,
            `selfsup` is added.
        seed: the first seed of the generated pictures, and of all that is drawn by chance.
        copying: whether to look for copies of training pictures; by default where `data` has
            held-out ones, without which nothing can be said.
        faces: whether to look for faces; by default where the extra `faces` is installed.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.
        record: of a run: whether to write the findings into its folder.

    Raises:
        FaceganError: for what cannot be measured, or is not comparable.
    """
    if not extractors:
        raise FaceganError("No extractor was given.", "Name one: efflite0.")
    names = [each if isinstance(each, str) else each.name for each in extractors]
    if len(set(names)) < len(names):
        raise FaceganError(f"An extractor is named twice: {', '.join(names)}.")
    dataset = open_dataset(data)
    where = choose_device(device)
    opened = [open_extractor(each, where, own=True) for each in extractors]
    generated = _open_source(source, dataset, best, device)
    recipe = None if generated.generator is None else generated.generator.loaded.recipe
    if recipe is not None and flattering(recipe, names) == names:
        names.append(ANOTHER)
        opened.append(open_extractor(ANOTHER, where))
    if n is None and generated.available is not None:
        n = min(DEFAULT_N, generated.available, most_measurable(dataset, reference))
    choice = choose_real(dataset, n, n_real, reference, seed)
    cache = FeatureCache(cache_folder())
    judge = Judge(dataset, choice, reference, seed, opened, ALL_SCORES, cache, progress_bar, where)
    spec = dataset.spec
    numbers = sum(2 * 4 * each.dimension for each in opened)  # of a picture, and while sorting
    require_memory(
        judge.n * (spec.resolution**2 * spec.channels + numbers),
        torch.device("cpu"),
        f"Measuring {judge.n:,} pictures",
        "Measure fewer: -n 50000 is enough for any comparison.",
    )
    images, seeds = generated.take(judge.n, seed)
    if copying is None:
        copying = len(dataset.indices("holdout")) >= FEWEST
    if faces is None:
        faces = installed()
    judgement = judge.judge(
        images,
        generated.description,
        seeds=seeds,
        faces=faces,
        copying=copying,
        watch=progress_bar,
    )
    if recipe is not None:
        beside = {
            "caveat": caveat(recipe, names),
            "agreement": _agreement(generated, images, seeds, dataset, where),
        }
        judgement = replace(judgement, evaluation=judgement.evaluation.model_copy(update=beside))
    if record and generated.run is not None:
        _record(generated.run, generated.images_seen, judgement)
    return judgement.evaluation


@dataclass(frozen=True)
class _Source:
    """Where generated pictures come from.

    Attributes:
        description: in words.
        available: how many there are; None for a generator, which makes any number.
        images: uint8 [available, H, W, C], where there is no generator.
        generator: where there is one.
        run: the run that it belongs to.
        images_seen: how far it was trained.
    """

    description: str
    available: int | None = None
    images: npt.NDArray[np.uint8] | None = None
    generator: OpenGenerator | None = None
    run: RunDirectory | None = None
    images_seen: int = 0

    def take(self, n: int, seed: int) -> tuple[npt.NDArray[np.uint8], list[int]]:
        """`n` pictures, and the seed or number of each."""
        if self.generator is None:
            assert self.images is not None
            if n > len(self.images):
                raise DataError(
                    f"-n {n}: {self.description} holds {len(self.images)} pictures.",
                    f"Ask for -n {len(self.images)} or fewer.",
                )
            chosen = np.sort(random(seed, REAL_CHOICE, 2).permutation(len(self.images))[:n])
            return np.asarray(self.images[chosen]), chosen.tolist()
        seeds = range(seed, seed + n)
        spec = self.generator.loaded.generator.spec
        with progress_bar("generating") as progress:
            return gathered(self.generator.pictures(seeds), n, spec, progress), list(seeds)


def _open_source(source: str | Path, dataset: Dataset, best: bool, device: str) -> _Source:
    """Tell what `source` is by what is there."""
    path = find_source(source, lambda message: print(printable(message), file=sys.stderr))
    if RunDirectory(path).started or path.suffix == ".safetensors":
        run = RunDirectory(path) if path.is_dir() else None
        opened = open_generator(path, best, device)
        loaded = opened.loaded
        _require_shape(opened, dataset)
        snapshot = "best snapshot" if best else "generator"
        said = f"{loaded.recipe.name}, {snapshot} at {loaded.images_seen / 1000:g} kimg"
        return _Source(said, generator=opened, run=run, images_seen=loaded.images_seen)
    if best:
        raise FaceganError(f"`best`: {path} is not a run.", "Only runs keep their best snapshot.")
    if path.is_dir() and is_dataset(path):
        other = Dataset.open(path)
        said = f"the pictures of {other.card.get('name')}"
        return _Source(said, available=len(other), images=other.images)
    if not path.exists():
        raise FaceganError(
            f"{path} does not exist.",
            "Give a run's folder, a generator.safetensors file, a model's name, a dataset, or "
            "pictures in a folder or an archive.",
        )
    return _from_pictures(path, dataset)


def _from_pictures(path: Path, dataset: Dataset) -> _Source:
    """Any pictures, brought to the size of the real ones by the importer's filter."""
    with tempfile.TemporaryDirectory(prefix="facegan-") as folder, progress_bar("reading") as bar:
        made = import_images(
            path,
            Path(folder) / "pictures",
            resolution=dataset.spec.resolution,
            channels=dataset.spec.channels,
            holdout=0.0,
            min_size=1,
            progress=bar,
        )
        images = np.array(made.images)
    return _Source(f"the pictures in {path.name}", available=len(images), images=images)


def _require_shape(opened: OpenGenerator, dataset: Dataset) -> None:
    made, real = opened.loaded.generator.spec, dataset.spec
    if (made.resolution, made.channels) != (real.resolution, real.channels):
        raise FaceganError(
            f"The generator makes pictures of {made.resolution}×{made.resolution} with "
            f"{made.channels} channels; those of {dataset.path} are {real.resolution}×"
            f"{real.resolution} with {real.channels}.",
            "Import the real pictures again in the shape of the generated ones.",
        )


def _agreement(
    generated: _Source,
    images: npt.NDArray[np.uint8],
    seeds: list[int],
    dataset: Dataset,
    device: torch.device,
) -> Agreement | None:
    """Whether the pictures show what they were asked for; None where nothing was asked for.

    Beside them held-out pictures, because the reader may have learned from the others.
    """
    assert generated.generator is not None
    asked = generated.generator.label_values(seeds)
    if asked is None or dataset.labels is None or dataset.spec.resolution < FEWEST_PIXELS:
        return None
    names = tuple(label.name for label in generated.generator.labels)
    rows = dataset.indices("holdout")[: len(images)]
    real = Labelled(
        np.asarray(dataset.images[rows]), np.asarray(dataset.labels[rows]), dataset.label_names
    )
    with progress_bar("reading attributes") as progress:
        reader = AttributeReader.open(device)
        return agreement(reader, Labelled(images, asked, names), real, progress)


def _record(run: RunDirectory, images_seen: int, judgement: Judgement) -> None:
    """A line in the journal, and the pictures of the closest pairs."""
    if judgement.closest is not None and judgement.closest_generated is not None:
        with new_folder(run.evaluations / folder_name(images_seen)) as folder:
            (folder / "closest.png").write_bytes(png_bytes(judgement.closest))
            (folder / "closest-generated.png").write_bytes(png_bytes(judgement.closest_generated))
    line = judgement.evaluation.line(images_seen)
    # The same measurement once more, as after an interruption, says nothing new.
    if json.dumps(line) not in map(json.dumps, run.metrics.lines()):
        run.metrics.append(line, durable=True)
