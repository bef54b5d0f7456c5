"""The folder of a study: what was decided once, and what the trials found so far."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from facegan.errors import RecipeError, RunError, UnknownKindError
from facegan.files import held, read_json, remove_parts, write_json, write_text
from facegan.study.plan import Plan
from facegan.study.results import Key, Speed, StudyResults, TrialResult
from facegan.study.trial import TrialFolder, TrialSpec, differences


class StudyFolder:
    """Paths and files of a study.

        study.toml      the plan, resolved
        study.json      settled once: threads, device, versions, datasets, speeds, recipes
        trials/DATASET/METHOD/seed-N/   trial.json, run/, pretraining/, result.json, log.txt
        report.html, *.csv, tables.tex  made of the rest

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.plan_file = self.path / "study.toml"
        self.settled_file = self.path / "study.json"
        self.trials = self.path / "trials"
        self.report = self.path / "report.html"

    @property
    def started(self) -> bool:
        """Whether a study was begun here."""
        return self.plan_file.exists()

    def trial(self, key: Key) -> TrialFolder:
        """The folder of a trial."""
        return TrialFolder(self.trials / key.dataset / key.method / f"seed-{key.seed}")

    def plan(self) -> Plan:
        """The plan. Raises RunError where no study was begun, or it was changed by hand."""
        if not self.started:
            raise RunError(
                f"{self.path} is not a study: it has no study.toml.",
                "Give the folder that --out named when the study was run.",
            )
        try:
            return Plan.load(self.plan_file)
        except UnknownKindError:
            raise  # a plug-in is not loaded
        except RecipeError as error:
            raise RunError(error.message, "The study's folder was changed by hand.") from error

    def settled(self) -> dict[str, Any]:
        """What was decided and measured before the first trial; empty before that."""
        if not self.settled_file.exists():
            return {}
        return read_json(self.settled_file, "The study's study.json")

    def settle(self, values: dict[str, Any]) -> None:
        """Write it down."""
        write_json(self.settled_file, values)

    @property
    def has_trials(self) -> bool:
        """Whether anything was spent on a trial yet."""
        return any(TrialFolder(path).begun for path in self.trials.glob("*/*/*"))

    def begin(self, plan: Plan, specs: Mapping[Key, TrialSpec]) -> None:
        """Write the plan; refuse one that would make trials of two kinds into one study.

        Seeds, methods, datasets and claims may be added or left out; what a trial that was
        begun is made with may not change.

        Args:
            plan: the study's.
            specs: all its trials.
        """
        changes: dict[str, None] = {}
        for key, spec in specs.items():
            trial = self.trial(key)
            if trial.begun and trial.spec_file.exists():
                try:
                    before = trial.spec()
                except RunError:
                    # It is written anew; the run's own recipe tells whether it is the same.
                    continue
                for line in differences(before, spec):
                    changes[f"{key.dataset}/{key.method}: {line}"] = None
        if changes:
            raise RunError(
                f"{self.path} was begun with another plan:\n  " + "\n  ".join(changes),
                "Give the same plan to go on, or another --out folder to begin. Seeds, methods "
                "and claims may be added.",
            )
        write_text(self.plan_file, plan.to_toml())

    def results(self) -> StudyResults:
        """All that is known so far."""
        plan = self.plan()
        keys = trial_keys(plan)
        found: list[TrialResult] = []
        for key in keys:
            result = self.trial(key).result()
            if result is not None and result.key == key:
                found.append(result)
        ended = sum(1 for _ in self.trials.glob("*/*/*/result.json"))
        mine = sum(self.trial(key).result_file.exists() for key in keys)
        return StudyResults(
            plan=plan,
            keys=keys,
            results=tuple(found),
            speeds=self.speeds(),
            outside=ended - mine,
            retried=sum(len(self.trial(key).failures()) for key in keys),
        )

    def speeds(self) -> dict[str, Speed]:
        """What was measured before the trials, under `dataset/method`."""
        try:
            speeds = self.settled().get("speeds", {})
            return {name: Speed.model_validate(speed) for name, speed in speeds.items()}
        except (ValidationError, AttributeError) as error:
            raise RunError(
                f"{self.settled_file} holds no readable speeds.",
                "The study's folder was changed by hand; begin again in another --out folder.",
            ) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: two schedulers would hand out the same trials."""
        in_use = RunError(
            f"{self.path} is in use by another 'facegan study'.",
            "Wait for it, stop it with Ctrl-C, or choose another --out folder.",
        )
        with held(self.path, in_use, self._leave_nothing):
            remove_parts(self.path)
            yield

    def _leave_nothing(self) -> None:
        """A study that was refused before anything was settled takes its folder with it."""
        if not self.started and not self.settled_file.exists():
            with contextlib.suppress(OSError):
                (self.path / ".lock").unlink(missing_ok=True)
                self.path.rmdir()


def trial_keys(plan: Plan) -> tuple[Key, ...]:
    """All trials, in the order in which they are run.

    Seed by seed, so that a study that is stopped early has compared all methods, with fewer
    seeds, and not some methods with all.
    """
    return tuple(
        Key(dataset=dataset, method=method, seed=seed)
        for seed in plan.seeds
        for dataset in plan.datasets
        for method in plan.all_methods()
    )
