"""The folder of a study: what was decided once, and what the trials found so far."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from facegan.errors import RecipeError, RunError, UnknownKindError, one_line
from facegan.files import held, read_json, remove_parts, write_json, write_text
from facegan.parsing import parse_toml
from facegan.study.plan import Plan
from facegan.study.published import RESULTS, published_search, published_trials
from facegan.study.results import Key, Speed, StudyResults, TrialResult
from facegan.study.trial import TrialFolder, TrialSpec, differences
from facegan.study.tuning import Tuned, search_trial


class StudyFolder:
    """Paths and files of a study.

        study.toml      the plan, resolved
        study-first.toml   the plan as it was when the first result came
        study.json      settled once: threads, device, versions, datasets, speeds, recipes
        tuning/DATASET/METHOD/seed-N/   trials of the search before the comparison, like those below
        trials/DATASET/METHOD/seed-N/   trial.json, run/, pretraining/, result.json, log.txt
        report.html, *.csv, tables.tex  made of the rest

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.plan_file = self.path / "study.toml"
        self.first_file = self.path / "study-first.toml"
        self.settled_file = self.path / "study.json"
        self.trials = self.path / "trials"
        self.tuning = self.path / "tuning"
        self.report = self.path / "report.html"

    @property
    def started(self) -> bool:
        """Whether a study was begun here."""
        return self.plan_file.exists()

    def trial(self, key: Key) -> TrialFolder:
        """The folder of a trial."""
        return TrialFolder(self.trials / key.dataset / key.method / f"seed-{key.seed}")

    def tuning_trial(self, key: Key) -> TrialFolder:
        """The folder of a trial of the search."""
        return TrialFolder(self.tuning / key.dataset / key.method / f"seed-{key.seed}")

    def grid(self, key: Key) -> Path:
        """Where a published study keeps the first rows of a trial's last grid."""
        return self.path / "grids" / key.dataset / f"{key.method}.png"

    def plan(self) -> Plan:
        """The plan. Raises RunError where no study was begun, or it was changed by hand."""
        if not self.started:
            raise RunError(
                f"{self.path} is not a study: it has no study.toml.",
                "Give the folder that `out` named when the study was run.",
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
        folders = (self.trials, self.tuning)
        return any(TrialFolder(path).started for each in folders for path in each.glob("*/*/*"))

    def begin(self, plan: Plan, specs: Sequence[tuple[TrialFolder, TrialSpec]]) -> None:
        """Write the plan; refuse one that would make trials of two kinds into one study.

        Seeds, methods, datasets and claims may be added or left out; what a trial that was
        begun is made with may not change.

        Args:
            plan: the study's.
            specs: its trials, each with its folder.
        """
        changes: dict[str, None] = {}
        for trial, spec in specs:
            key = spec.key
            if trial.started and trial.spec_file.exists():
                try:
                    found = differences(trial.spec(), spec)
                except (RunError, RecipeError):
                    # It is written anew; the run's own recipe tells whether it is the same.
                    continue
                for line in found:
                    changes[f"{key.dataset}/{key.method}: {line}"] = None
        if changes:
            raise RunError(
                f"{self.path} was begun with another plan:\n  " + "\n  ".join(changes),
                "Give the same plan to go on, or another `out` folder to begin. Seeds, methods "
                "and claims may be added.",
            )
        self.keep_first()
        write_text(self.plan_file, plan.to_toml())

    def keep_first(self) -> None:
        """Keep the plan as it is now, if the first result has come since it was written."""
        if self.started and not self.first_file.exists() and any(self._ended()):
            write_text(self.first_file, self.plan_file.read_text("utf-8"))

    def first(self) -> Plan | None:
        """The plan as it was when the first result came; None before that.

        Raises:
            RunError: it was changed by hand.
        """
        if not self.first_file.exists():
            return None
        try:
            values = parse_toml(self.first_file.read_text("utf-8"))
            # Earlier versions wrote nothing of it, and paired the seeds.
            return Plan.from_values({"judging": {"test": "paired"}} | values, known_recipes=False)
        except (RecipeError, ValueError) as error:
            raise RunError(
                f"{self.first_file} cannot be read: {one_line(str(error))}.",
                "The study's folder was changed by hand.",
            ) from error

    def _ended(self) -> Iterator[Path]:
        return self.trials.glob("*/*/*/result.json")

    def results(self) -> StudyResults:
        """All that is known so far; of a study without its trials, from its tables."""
        plan = self.plan()
        keys = trial_keys(plan)
        found: list[TrialResult] = []
        if self.published:
            trials = {t.key: t for t in published_trials(self.path, plan, self.settled())}
            found = [trials[key] for key in keys if key in trials]
        for key in keys:
            result = self.trial(key).result()
            if result is not None and result.key == key:
                found.append(result)
        ended = sum(1 for _ in self._ended())
        mine = sum(self.trial(key).result_file.exists() for key in keys)
        return StudyResults(
            plan=plan,
            keys=keys,
            results=tuple(found),
            speeds=self.speeds(),
            outside=ended - mine,
            retried=sum(len(self.trial(key).failures()) for key in keys),
            first=self.first(),
            recipes=self._recipes(plan),
            tuned=self.tuned(plan),
        )

    @property
    def published(self) -> bool:
        """Whether the results of its trials are in its tables alone."""
        return self.started and not self.trials.exists() and (self.path / RESULTS).exists()

    def _recipes(self, plan: Plan) -> dict[str, str]:
        """A short name for all that each method trains with, by the method's name."""
        recipes = self.settled().get("recipes")
        if not isinstance(recipes, Mapping):
            return {}
        found = {}
        tuned = self.tuned(plan)
        for name, method in plan.all_methods().items():
            for dataset in plan.datasets if name in recipes else ():
                beside = method.model_dump(mode="json", include={"mix", "pretraining"})
                search = tuned.get(f"{dataset}/{plan.searched(name)}")
                changed = search.settings if search is not None else ()
                known = json.dumps([recipes[name], beside, *changed], sort_keys=True)
                digits = hashlib.sha256(known.encode()).hexdigest()[:8]
                found[f"{dataset}/{name}"] = digits
        return found

    def tuned(self, plan: Plan) -> dict[str, Tuned]:
        """What the search found so far, under `dataset/method`."""
        if plan.tuning is None:
            return {}
        found = {}
        known = published_search(self.path) if self.published else {}
        for dataset in plan.datasets:
            for name in plan.all_methods():
                if plan.searched(name) != name:
                    continue
                settings = zip(plan.tuning.seeds, plan.candidates(name), strict=True)
                trials = (
                    known.get(key) or search_trial(seed, changed, self.tuning_trial(key).result())
                    for seed, changed in settings
                    for key in [Key(dataset=dataset, method=name, seed=seed)]
                )
                found[f"{dataset}/{name}"] = Tuned(trials=tuple(trials))
        return found

    def speeds(self) -> dict[str, Speed]:
        """What was measured before the trials, under `dataset/method`."""
        try:
            speeds = self.settled().get("speeds", {})
            return {name: Speed.model_validate(speed) for name, speed in speeds.items()}
        except (ValidationError, AttributeError) as error:
            raise RunError(
                f"{self.settled_file} holds no readable speeds.",
                "The study's folder was changed by hand; begin again in another `out` folder.",
            ) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: two schedulers would hand out the same trials."""
        in_use = RunError(
            f"{self.path} is in use by another 'facegan study'.",
            "Wait for it, stop it with Ctrl-C, or choose another `out` folder.",
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
    seeds, and not some methods with all. A method with more seeds than others has ended the
    same share of them at any time.
    """
    keys = [
        ((number + 1) / len(plan.seeds_of(method)), place, Key(dataset=d, method=method, seed=seed))
        for place, (d, method) in enumerate(itertools.product(plan.datasets, plan.all_methods()))
        for number, seed in enumerate(plan.seeds_of(method))
    ]
    return tuple(key for *_, key in sorted(keys, key=lambda each: each[:2]))
