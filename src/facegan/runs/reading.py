"""All that pages show of a run, read from its folder once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from facegan.data.spec import ImageSpec
from facegan.errors import RunError
from facegan.evaluation.results import Evaluation
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.best import Best, read_best
from facegan.runs.directory import RunDirectory
from facegan.runs.extension import Extension, Length, extensions

if TYPE_CHECKING:
    from facegan.runs.diagnosis import Finding, Standing

Line = dict[str, Any]
# No number of a run is farther from 0; a chart of such numbers has no axis.
_FAR = 1e300


@dataclass(frozen=True)
class Networks:
    """The last whole checkpoint's networks.

    Attributes:
        spec: shape of the pictures.
        generator: numbers to learn in the generator.
        discriminator: numbers to learn in the discriminator.
    """

    spec: ImageSpec
    generator: int
    discriminator: int


@dataclass(frozen=True)
class Measured:
    """An evaluation and when in the run it was."""

    images_seen: int
    evaluation: Evaluation


@dataclass(frozen=True)
class Reading:
    """A run, as its files tell it. What is not there is empty or None.

    Attributes:
        run: the folder.
        name: of the folder.
        recipe: what it was trained with.
        provenance: versions, machine, dataset, plan.
        ticks: lines of metrics.jsonl about the training itself.
        probes: lines with what was probed on the way (`probe/…`).
        evaluations: what was measured, in the order of training.
        unread: how many evaluations were passed over: of another version, or damaged.
        timing: lines of timing.jsonl.
        seen: images shown to the discriminator so far.
        total: images in the whole run.
        networks: of the last whole checkpoint.
        best: the best snapshot.
        findings: of the diagnosis, in the order of training.
        standing: what may be said where nothing was found.
    """

    run: RunDirectory
    name: str
    recipe: Recipe
    provenance: dict[str, Any]
    ticks: list[Line]
    probes: list[Line]
    evaluations: list[Measured]
    unread: int
    timing: list[Line]
    seen: int
    total: int
    networks: Networks | None
    best: Best | None
    findings: list[Finding]
    standing: Standing

    @property
    def dataset(self) -> dict[str, Any]:
        """The dataset's identity, as in provenance.json."""
        return part(self.provenance, "dataset")

    @property
    def execution(self) -> dict[str, Any]:
        """Device, precision, threads, processes."""
        return part(self.provenance, "execution")

    @property
    def extensions(self) -> list[Extension]:
        """Each time that it was given a larger budget."""
        return extensions(self.provenance)

    @property
    def length(self) -> Length:
        """How long it is, and its schedules are."""
        length = Length.plain(self.total)
        return Length.of(self.provenance) if self.extensions else length

    @property
    def finished(self) -> bool:
        """Whether the budget was spent."""
        return 0 < self.total <= self.seen

    @property
    def seconds(self) -> float:
        """How long it trained, in seconds."""
        return number(self.timing[-1].get("seconds")) if self.timing else 0.0

    @property
    def speed(self) -> float:
        """Images a second, typically."""
        speeds = sorted(number(line.get("img_per_s")) for line in self.timing)
        return speeds[len(speeds) // 2] if speeds else 0.0


def read(path: str | Path) -> Reading:
    """Read a run's folder.

    Raises:
        RunError: where no run was begun, or its recipe or provenance cannot be read.
    """
    from facegan.runs.diagnosis import diagnose, standing

    run = RunDirectory(path).require()
    recipe, provenance = run.recipe(), run.provenance()
    metrics = run.metrics.lines()
    ticks = [line for line in metrics if "evaluation" not in line and not _only_probes(line)]
    evaluations, unread = _evaluations(metrics)
    seen = max((line["images_seen"] for line in ticks), default=0)
    total = max(whole(part(provenance, "plan").get("images")), seen)
    found = diagnose(metrics, total, recipe)
    return Reading(
        run=run,
        name=run.path.resolve().name,
        recipe=recipe,
        provenance=provenance,
        ticks=ticks,
        probes=[line for line in metrics if _probed(line)],
        evaluations=evaluations,
        unread=unread,
        timing=run.timing.lines(),
        seen=seen,
        total=total,
        networks=_networks(run, recipe),
        best=read_best(run),
        findings=sorted(found, key=lambda finding: finding.images_seen),
        standing=standing(metrics),
    )


def part(values: dict[str, Any], key: str) -> dict[str, Any]:
    """The table at `key`, empty where there is none."""
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def whole(value: Any) -> int:
    """A whole number, 0 for anything else."""
    return value if isinstance(value, int) and abs(value) <= _FAR else 0


def number(value: Any) -> float:
    """A finite number, 0 for anything else."""
    if isinstance(value, int | float) and abs(value) <= _FAR:
        return float(value)
    return 0.0


def _probed(line: Line) -> bool:
    return any(key.startswith("probe/") for key in line)


def _only_probes(line: Line) -> bool:
    return _probed(line) and all(
        key.startswith("probe/") for key in line if key not in ("images_seen", "stage")
    )


def _evaluations(metrics: list[Line]) -> tuple[list[Measured], int]:
    """Those that can be read, in the order of training, and how many cannot."""
    found, unread = [], 0
    for line in metrics:
        if "evaluation" not in line:
            continue
        try:
            # As JSON, in which a tuple is a list.
            evaluation = Evaluation.model_validate_json(json.dumps(line["evaluation"]))
        except ValidationError:
            unread += 1
        else:
            found.append(Measured(line["images_seen"], evaluation))
    return sorted(found, key=lambda measured: measured.images_seen), unread


def _networks(run: RunDirectory, recipe: Recipe) -> Networks | None:
    from facegan.models.file import GeneratorFile
    from facegan.networks.interfaces import parameter_count
    from facegan.networks.meta_device import on_meta_device

    try:
        last = checkpoint.latest(run.checkpoints)
        if last is None:
            return None
        generator = GeneratorFile.load(last.path / checkpoint.GENERATOR).generator
    except RunError:
        return None
    with on_meta_device():
        discriminator = recipe.discriminator.build(generator.spec, recipe.data.range)
    return Networks(generator.spec, parameter_count(generator), parameter_count(discriminator))
