"""What a study decides once, before its first trial, and keeps: devices, datasets, speeds.

It is also where a plan that cannot work is refused, before anything was spent on it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from facegan.apps.datasets import open_dataset
from facegan.data.dataset import Dataset
from facegan.device import Execution, choose_device, processes
from facegan.errors import DataError, FaceganError
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.real import enough_real, most_measurable
from facegan.memory import usable_cores
from facegan.networks.meta_device import on_meta_device
from facegan.recipe import Recipe
from facegan.runs.provenance import dataset_identity
from facegan.study.execution.local import slots
from facegan.study.folder import StudyFolder
from facegan.study.plan import Measurement, Method, Plan
from facegan.study.results import Speed
from facegan.study.speeds import Subject, as_fast, measure_speeds
from facegan.study.trial import beside
from facegan.training.batch_source import BatchSource
from facegan.version import __version__

Say = Callable[[str], None]


@dataclass(frozen=True)
class Settled:
    """All that trials need beside the plan.

    Attributes:
        device: to compute on: `cpu`, `cuda`, `mps`.
        workers: trials at once, on this machine.
        threads: of the processor, for one trial.
        gpus: identifiers of those that are dealt out; empty on the processor.
        resolutions: of the plan's datasets, by name.
        measures: what is measured, by dataset, with no more real pictures than it has.
        places: where each dataset is for whoever opens it, by what the plan calls it.
        speeds: under `dataset/method`.
    """

    device: str
    workers: int
    threads: int
    gpus: tuple[str, ...]
    resolutions: dict[str, int]
    measures: dict[str, Measurement]
    places: dict[str, str]
    speeds: dict[str, Speed]


def settle(folder: StudyFolder, plan: Plan, device: str, workers: int | None, say: Say) -> Settled:
    """Decide and measure what is not decided yet, and write it down.

    Args:
        folder: of the study.
        plan: the study's.
        device: `auto`, `cpu`, `cuda`, `mps`.
        workers: trials at once; None to decide.
        say: told what is measured.

    Raises:
        FaceganError: for what cannot work: a dataset that is too small for what is to be
            measured or has changed since, a recipe that does not fit the pictures, a device,
            an extractor or cores that are not there.
    """
    # Before the first trial nothing is settled, but what was measured counts.
    kept = folder.settled()
    if not folder.has_trials:
        kept = {"costs": kept.get("costs", {})}
    where = choose_device(kept.get("device", device))
    if device not in ("auto", where.type):
        say(f"This study began on {where.type}, and goes on there.")
    gpus = _gpus() if where.type == "cuda" else ()
    cores = len(usable_cores())
    if workers is None:
        workers = cores if where.type == "cpu" else min(max(len(gpus), 1), cores)
    slots(workers, gpus)
    # As on the day the study began: another number rounds sums in another order.
    threads = int(kept.get("threads", max(cores // workers, 1)))
    _require_extractors(plan.measure)
    opened = _open_all(plan)
    _require_same(opened, kept.get("datasets", {}))
    datasets = {name: opened[place] for name, place in plan.datasets.items()}
    measures = {name: _possible(plan.measure, name, dataset) for name, dataset in datasets.items()}
    values: dict[str, Any] = {
        "device": where.type,
        "threads": threads,
        **kept,
        # More than one where a study was gone on with after an upgrade.
        "versions": list(dict.fromkeys([*kept.get("versions", []), _versions()])),
        "machine": {"platform": platform.platform(), "cores": cores},
        "datasets": {
            **kept.get("datasets", {}),
            **{name: _identity(dataset) for name, dataset in opened.items()},
        },
        "recipes": {name: m.resolved().to_toml() for name, m in plan.all_methods().items()},
        "costs": kept.get("costs", {}),
    }
    with processes(where.type, threads) as execution:
        subjects = {
            label: parts
            for where, dataset in datasets.items()
            for name, method in plan.all_methods().items()
            for label, parts in _candidates(
                plan, f"{where}/{name}", name, method, dataset, opened, execution
            )
        }
        speeds = measure_speeds(
            subjects, execution, values["costs"], say, lambda: folder.settle(values)
        )
    values["speeds"] = {n: speed.model_dump(exclude_none=True) for n, speed in speeds.items()}
    folder.settle(values)
    return Settled(
        where.type,
        workers,
        threads,
        gpus,
        {name: dataset.spec.resolution for name, dataset in datasets.items()},
        measures,
        {name: _place(name) for name in opened},
        speeds,
    )


def _open_all(plan: Plan) -> dict[str, Dataset]:
    """Every dataset that a trial will want, by what it is called."""
    found = {place: open_dataset(place) for place in plan.datasets.values()}
    for resolution in {dataset.spec.resolution for dataset in found.values()}:
        for method in plan.all_methods().values():
            first = [method.pretraining.dataset] if method.pretraining is not None else []
            for name in (*method.mix, *first):
                place = beside(name, resolution)
                if place not in found:
                    found[place] = open_dataset(place)
    return found


def _parts(
    name: str, method: Method, dataset: Dataset, opened: dict[str, Dataset], execution: Execution
) -> list[Subject]:
    """What a method trains on a dataset: itself, then its pretraining; refused if it cannot."""
    resolution = dataset.spec.resolution
    try:
        recipe = method.resolved()
        mixed = [opened[beside(each, resolution)] for each in method.mix]
        found = [_fitting(recipe, dataset, mixed, execution)]
        if method.pretraining is not None:
            first = opened[beside(method.pretraining.dataset, resolution)]
            before = recipe.override(*method.pretraining.set)
            found.append(_fitting(before, first, [], execution))
    except FaceganError as error:
        raise FaceganError(f"The method {name}: {error.message}", error.hint) from error
    return found


def candidate(label: str, number: int) -> str:
    """What the speeds call a method with the settings of a trial of its search."""
    return f"{label}#{number}" if number else label


def _candidates(
    plan: Plan,
    label: str,
    name: str,
    method: Method,
    dataset: Dataset,
    opened: dict[str, Dataset],
    execution: Execution,
) -> Iterator[tuple[str, list[Subject]]]:
    """What a method trains, as it is and with all settings of the search that is its own."""
    first = _parts(name, method, dataset, opened, execution)
    yield label, first
    for number, settings in enumerate(plan.candidates(plan.searched(name))[1:], 1):
        parts = _parts(name, method.with_settings(settings), dataset, opened, execution)
        # What differs in its rates alone trains as fast, and is not measured again.
        yield (
            candidate(label, number),
            [as_fast(one, two) for one, two in zip(first, parts, strict=True)],
        )


def _fitting(
    recipe: Recipe, dataset: Dataset, mixed: list[Dataset], execution: Execution
) -> Subject:
    """A recipe and its pictures, if the one can be trained on the others."""
    spec = BatchSource.of(recipe, dataset, execution, mixed).spec
    with on_meta_device():
        recipe.generator.build(spec, recipe.data.range)
        recipe.discriminator.build(spec, recipe.data.range)
    return Subject(recipe, dataset)


def _require_extractors(measure: Measurement) -> None:
    """Find out before hours of training that a feature network is not installed."""
    for name in dict.fromkeys([*measure.extractors, measure.curve_extractor]):
        open_extractor(name, choose_device("cpu"))


def _require_same(datasets: dict[str, Dataset], before: dict[str, Any]) -> None:
    for name, dataset in datasets.items():
        if name in before and before[name]["fingerprint"] != dataset.card.get("fingerprint"):
            raise DataError(
                f"The dataset {name} is not the one that the study began with (fingerprint "
                f"{before[name]['fingerprint'][:12]}…).",
                "Restore it, or begin again in another `out` folder.",
            )


def _possible(measure: Measurement, name: str, dataset: Dataset) -> Measurement:
    """The measurement with no more real pictures than there are."""
    most = most_measurable(dataset)
    if measure.n > most:
        raise DataError(
            f"The dataset {name} has {len(dataset.indices('train')):,} pictures to train on: at "
            f"most {most:,} can be measured beside as many real ones, and the plan says "
            f"{measure.n:,}.",
            f"Set measure.n to {most} or less, or take a larger dataset.",
        )
    left = len(dataset.indices("train")) - measure.n
    wanted = measure.n_real if "n_real" in measure.model_fields_set else enough_real(measure.n)
    return measure.model_copy(update={"n_real": min(wanted, left)})


def _place(dataset: str) -> str:
    """As trials open it, from whatever folder they run in."""
    return str(Path(dataset).resolve()) if Path(dataset).exists() else dataset


def _identity(dataset: Dataset) -> dict[str, Any]:
    return {
        **dataset_identity(dataset.card),
        "pictures": len(dataset),
        "pixels": dataset.spec.resolution,
    }


def _versions() -> str:
    python = platform.python_version()
    return f"facegan {__version__} with torch {torch.__version__} on Python {python}"


def _gpus() -> tuple[str, ...]:
    """Those that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return tuple(each.strip() for each in visible.split(",") if each.strip())
    return tuple(str(number) for number in range(torch.cuda.device_count()))
