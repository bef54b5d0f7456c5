"""One trial as it is handed to whoever performs it: complete, with nothing left to decide."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError

from facegan.budget import parse_budget
from facegan.config import Config
from facegan.errors import RunError, one_line
from facegan.files import read_json, write_json
from facegan.recipe import Recipe, difference
from facegan.study.plan import Measurement, Method, Plan
from facegan.study.results import Key, Speed, TrialResult

if TYPE_CHECKING:
    from facegan.study.settling import Settled


class PretrainingSpec(Config):
    """The first part of a trial.

    Attributes:
        recipe: in full, as TOML; its budget is the share of the trial's.
        dataset: to train on.
    """

    recipe: str
    dataset: str


class TrialSpec(Config):
    """A trial, as `trial.json` holds it.

    Attributes:
        key: which.
        recipe: in full, as TOML, with budget, seed and precision.
        dataset: a dataset's folder, or a name such as `portraits:4000@32`.
        mix: datasets mixed in.
        pretraining: before it, where there is one.
        measure: how it is measured.
        speed: of the method, measured alone.
        threads: of the processor.
        device: `auto`, `cpu`, `cuda`, `mps`.
    """

    key: Key
    recipe: str
    dataset: str
    mix: tuple[str, ...] = ()
    pretraining: PretrainingSpec | None = None
    measure: Measurement
    speed: Speed
    threads: Annotated[int, Field(ge=1)]
    device: str = "auto"

    def relocated(self, places: Mapping[str, str]) -> TrialSpec:
        """The same with datasets where another machine has them, by what they are called here."""
        first = self.pretraining
        if first is not None:
            there = places.get(first.dataset, first.dataset)
            first = first.model_copy(update={"dataset": there})
        return self.model_copy(
            update={
                "dataset": places.get(self.dataset, self.dataset),
                "mix": tuple(places.get(each, each) for each in self.mix),
                "pretraining": first,
            }
        )


class TrialFolder:
    """Paths in the folder of a trial.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.spec_file = self.path / "trial.json"
        self.result_file = self.path / "result.json"
        self.run = self.path / "run"
        self.pretraining = self.path / "pretraining"

    def spec(self) -> TrialSpec:
        """What to do. Raises RunError if it cannot be read."""
        values = read_json(self.spec_file, "The trial")
        try:
            return TrialSpec.model_validate(_tuples(values))
        except ValidationError as error:
            raise RunError(
                f"{self.spec_file} is not a trial: {one_line(error.errors()[0]['msg'])}.",
                "Run the study again: it writes the file anew.",
            ) from error

    def write_spec(self, spec: TrialSpec) -> None:
        """Say what to do."""
        write_json(self.spec_file, spec.model_dump(mode="json"))

    def result(self) -> TrialResult | None:
        """How it ended; None where it has not, or where the file is damaged."""
        try:
            return TrialResult.model_validate_json(self.result_file.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    @property
    def started(self) -> bool:
        """Whether anything was spent on it."""
        return any(p.exists() for p in (self.run, self.pretraining, self.result_file))

    def put_foreign_aside(self) -> None:
        """Make room for this trial's own result where that of another one stands."""
        self.result_file.replace(self.path / "result-of-another.json")

    def put_failure_aside(self) -> None:
        """Make room for another result, and keep what happened."""
        number = len(self.failures()) + 1
        self.result_file.replace(self.path / f"failure-{number}.json")

    def failures(self) -> list[Path]:
        """Results that were put aside."""
        return sorted(self.path.glob("failure-*.json"))

    def write_result(self, result: TrialResult) -> None:
        """Say how it ended."""
        write_json(self.result_file, result.model_dump(mode="json", exclude_none=True))


def differences(old: TrialSpec, new: TrialSpec) -> list[str]:
    """In what two trials differ, in lines; not in where their datasets lie, or on what device."""
    found = difference(Recipe.parse(old.recipe), Recipe.parse(new.recipe))
    if old.pretraining is not None and new.pretraining is not None:
        before, after = (Recipe.parse(spec.pretraining.recipe) for spec in (old, new))  # type: ignore[union-attr]
        found += [f"pretraining: {line}" for line in difference(before, after)]
    elif old.pretraining != new.pretraining:
        found.append(f"pretraining: {_there(old.pretraining)} → {_there(new.pretraining)}")
    if len(old.mix) != len(new.mix):
        found.append(f"mix: {len(old.mix)} datasets → {len(new.mix)}")
    found += [
        f"measure.{name}: {before} → {after}"
        for name, before in old.measure
        if before != (after := getattr(new.measure, name))
    ]
    return found


def _there(part: PretrainingSpec | None) -> str:
    return "none" if part is None else "some"


def trial_spec(
    plan: Plan, key: Key, method: Method, speed: Speed, measure: Measurement, settled: Settled
) -> TrialSpec:
    """Everything that one trial needs.

    Args:
        plan: the study's, with the trial's budget.
        key: which trial.
        method: of the plan.
        speed: of the method on this dataset.
        measure: how it is measured.
        settled: what the study decided before its first trial.
    """
    recipe, places = method.resolved(), settled.places
    resolution = settled.resolutions[key.dataset]
    share = method.pretraining.share if method.pretraining else 0.0
    evaluation = {
        "times": measure.curve,
        "extractor": measure.curve_extractor,
        "n": measure.curve_n,
        "n_real": measure.curve_n_real,
    }

    def fixed(recipe: Recipe, images: int, precision: str) -> str:
        values = recipe.values()
        values["evaluation"] = evaluation
        values["training"] |= {
            "budget": f"{images}img",
            "seed": key.seed,
            "precision": precision,
            # A grid and a checkpoint wherever the curve has a point.
            "snapshots": max(measure.curve, 1),
        }
        return Recipe.from_values(values).to_toml()

    pretraining = None
    if method.pretraining is not None:
        assert speed.pretraining_img_per_s is not None
        assert speed.pretraining_precision is not None
        pretraining = PretrainingSpec(
            recipe=fixed(
                recipe.override(*method.pretraining.set),
                images_for(plan.budget, share, speed.pretraining_img_per_s),
                speed.pretraining_precision,
            ),
            dataset=places[beside(method.pretraining.dataset, resolution)],
        )
    return TrialSpec(
        key=key,
        recipe=fixed(
            recipe, images_for(plan.budget, 1.0 - share, speed.img_per_s), speed.precision
        ),
        dataset=places[plan.datasets[key.dataset]],
        mix=tuple(places[beside(each, resolution)] for each in method.mix),
        pretraining=pretraining,
        measure=measure,
        speed=speed,
        threads=speed.threads,
        device=settled.device,
    )


def images_for(budget: str, share: float, img_per_s: float) -> int:
    """How many images a share of a budget is."""
    parsed = parse_budget(budget)
    whole = parsed.images if parsed.images is not None else (parsed.seconds or 0.0) * img_per_s
    return max(math.ceil(share * whole), 1)


def beside(dataset: str, resolution: int) -> str:
    """A dataset that goes with another: portraits are drawn in its resolution."""
    drawn = dataset == "portraits" or dataset.startswith("portraits:")
    return f"{dataset}@{resolution}" if drawn and "@" not in dataset else dataset


def _tuples(values: object) -> object:
    """JSON's lists as the tuples that they were."""
    if isinstance(values, dict):
        return {key: _tuples(value) for key, value in values.items()}
    if isinstance(values, list):
        return tuple(_tuples(value) for value in values)
    return values
