"""What a study decides once, before its first trial, and keeps: devices, datasets, speeds.

It is also where a plan that cannot work is refused, before anything was spent on it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.apps.datasets import open_dataset
from facegan.apps.study_speeds import measure_speeds
from facegan.data.pack import Pack
from facegan.errors import DataError
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.real import most_measurable
from facegan.runs.provenance import dataset_identity
from facegan.study.execution.local import available_cores
from facegan.study.folder import StudyFolder
from facegan.study.plan import Measurement, Plan
from facegan.study.results import Speed
from facegan.training.execution import choose_device, processes
from facegan.version import __version__

Say = Callable[[str], None]


@dataclass(frozen=True)
class SettledDataset:
    """A dataset of the plan.

    Attributes:
        place: where it is, as trials open it.
        resolution: of its pictures.
        measure: what is measured, with no more real pictures than it has.
    """

    place: str
    resolution: int
    measure: Measurement


@dataclass(frozen=True)
class Settled:
    """All that trials need beside the plan.

    Attributes:
        device: to compute on: `cpu`, `cuda`, `mps`.
        workers: trials at once, on this machine.
        threads: of the processor, for one trial.
        gpus: identifiers of those that are dealt out; empty on the processor.
        datasets: by name.
        speeds: under `dataset/method`.
        diverged: what was said of methods whose numbers diverged in their first steps, which
            have no speed.
    """

    device: str
    workers: int
    threads: int
    gpus: tuple[str, ...]
    datasets: dict[str, SettledDataset]
    speeds: dict[str, Speed]
    diverged: dict[str, str]


def settle(folder: StudyFolder, plan: Plan, device: str, workers: int | None, say: Say) -> Settled:
    """Decide and measure what is not decided yet, and write it down.

    Args:
        folder: of the study; its plan was written.
        plan: the study's.
        device: `auto`, `cpu`, `cuda`, `mps`.
        workers: trials at once; None to decide.
        say: told what is measured.

    Raises:
        FaceganError: for what cannot work: a dataset that is too small for what is to be
            measured or has changed since, a recipe that does not fit the pictures, a device or
            extractor that is not there.
    """
    kept = folder.settled()
    where = choose_device(kept.get("device", device))
    gpus = _gpus() if where.type == "cuda" else ()
    cores = len(available_cores())
    if workers is None:
        workers = min(len(gpus) or cores, cores)
    # As on the day the study began: another number rounds sums in another order.
    threads = int(kept.get("threads", max(cores // max(workers, 1), 1)))
    _require_extractors(plan.measure)
    packs = {name: open_dataset(place) for name, place in plan.datasets.items()}
    _require_same(packs, kept.get("datasets", {}))
    datasets = {
        name: SettledDataset(
            _place(plan.datasets[name]), pack.spec.resolution, _possible(plan.measure, name, pack)
        )
        for name, pack in packs.items()
    }
    methods = plan.all_methods()
    values: dict[str, Any] = {
        "facegan": __version__,
        "device": where.type,
        "threads": threads,
        **_machine(),
        **kept,
        "datasets": {**kept.get("datasets", {}), **{n: _identity(p) for n, p in packs.items()}},
        "recipes": {
            **kept.get("recipes", {}),
            **{name: method.resolved().to_toml() for name, method in methods.items()},
        },
        "speeds": dict(kept.get("speeds", {})),
    }
    folder.settle(values)
    with processes(where.type, threads) as execution:
        diverged = measure_speeds(plan, packs, execution, values["speeds"], say)
    folder.settle(values)
    return Settled(where.type, workers, threads, gpus, datasets, folder.speeds(), diverged)


def _require_extractors(measure: Measurement) -> None:
    """Find out before hours of training that a feature network is not installed."""
    for name in dict.fromkeys([*measure.extractors, measure.curve_extractor]):
        open_extractor(name, choose_device("cpu"))


def _require_same(packs: dict[str, Pack], before: dict[str, Any]) -> None:
    for name, pack in packs.items():
        if name in before and before[name]["fingerprint"] != pack.card.get("fingerprint"):
            raise DataError(
                f"The dataset {name} is not the one that the study began with (fingerprint "
                f"{before[name]['fingerprint'][:12]}…).",
                "Restore it, or begin again in another --out folder.",
            )


def _possible(measure: Measurement, name: str, pack: Pack) -> Measurement:
    """The measurement with no more real pictures than there are."""
    most = most_measurable(pack)
    if measure.n > most:
        raise DataError(
            f"The dataset {name} has {len(pack.indices('train')):,} pictures to train on: at most "
            f"{most:,} can be measured beside as many real ones, and the plan says {measure.n:,}.",
            f"Set measure.n to {most} or less, or take a larger dataset.",
        )
    left = len(pack.indices("train")) - measure.n
    return measure.model_copy(update={"n_real": min(measure.n_real, left)})


def _place(dataset: str) -> str:
    """As trials open it, from whatever folder they run in."""
    return str(Path(dataset).resolve()) if Path(dataset).exists() else dataset


def _identity(pack: Pack) -> dict[str, Any]:
    return {**dataset_identity(pack.card), "pictures": len(pack), "pixels": pack.spec.resolution}


def _machine() -> dict[str, Any]:
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "cores": len(available_cores()),
    }


def _gpus() -> tuple[str, ...]:
    """Those that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return tuple(each.strip() for each in visible.split(",") if each.strip())
    return tuple(str(number) for number in range(torch.cuda.device_count()))
