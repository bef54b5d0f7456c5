"""The folder of a study: what was decided once, and what the trials found so far."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from facegan.errors import RecipeError, RunError, storage
from facegan.recipe import Recipe, difference
from facegan.runs.files import read_json, remove_parts, write_json, write_text
from facegan.study.plan import Plan
from facegan.study.results import Key, Speed, StudyResults, TrialResult
from facegan.study.trial import TrialFolder


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

    def begin(self, plan: Plan) -> None:
        """Write the plan; refuse one that would make trials of two kinds into one study.

        Seeds, methods and claims may be added or left out; what an existing trial was made
        with may not change.
        """
        if self.started and any(self.trials.glob("*/*/*/trial.json")):
            self._check_same(plan)
        elif not self.started or self.plan() != plan:
            # Nothing was spent yet: what was settled for another plan is settled anew.
            self.settled_file.unlink(missing_ok=True)
        write_text(self.plan_file, plan.to_toml())

    def _check_same(self, plan: Plan) -> None:
        before = self.plan()
        changes = [
            f"{what}: {old} → {new}"
            for what, old, new in (
                ("budget", before.budget, plan.budget),
                ("measure", before.measure, plan.measure),
                *(
                    (f"datasets.{name}", before.datasets[name], place)
                    for name, place in plan.datasets.items()
                    if name in before.datasets
                ),
            )
            if old != new
        ]
        methods, known = plan.all_methods(), before.all_methods()
        recipes = self.settled().get("recipes", {})
        for name, method in methods.items():
            if name not in known:
                continue
            parts = [
                f"methods.{name}.{part}: {getattr(known[name], part)} → {getattr(method, part)}"
                for part in ("mix", "pretraining")
                if getattr(known[name], part) != getattr(method, part)
            ]
            if name in recipes:
                old = Recipe.parse(recipes[name], f"the recipe of {name}")
                parts += [f"{name}: {line}" for line in difference(old, method.resolved())]
            changes += parts
        if changes:
            raise RunError(
                f"{self.path} was begun with another plan:\n  " + "\n  ".join(changes),
                "Give the same plan to go on, or another --out folder to begin. Seeds, methods "
                "and claims may be added.",
            )

    def results(self) -> StudyResults:
        """All that is known so far."""
        plan = self.plan()
        keys = trial_keys(plan)
        found: list[TrialResult] = []
        for key in keys:
            result = self.trial(key).result()
            if result is not None and result.key == key:
                found.append(result)
        return StudyResults(plan=plan, keys=keys, results=tuple(found), speeds=self.speeds())

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
        from filelock import FileLock, Timeout

        with storage(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock", timeout=0)
            try:
                lock.acquire()
            except Timeout as error:
                raise RunError(
                    f"{self.path} is in use by another 'facegan study'.",
                    "Wait for it, stop it with Ctrl-C, or choose another --out folder.",
                ) from error
        try:
            remove_parts(self.path)
            yield
        finally:
            lock.release()


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
