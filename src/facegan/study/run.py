"""`facegan study`: several methods, one budget, several seeds, and what may be concluded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.budget import parse_budget
from facegan.errors import FaceganError
from facegan.evaluation.wording import duration
from facegan.study.execution import Watch, local
from facegan.study.folder import StudyFolder, trial_keys
from facegan.study.plan import Plan
from facegan.study.progress import LineWatch
from facegan.study.results import Key, StudyResults, TrialResult
from facegan.study.settling import Settled, settle
from facegan.study.trial import TrialFolder, TrialSpec, trial_spec
from facegan.study.verdicts import Judged, judge
from facegan.values import Listing, Value

MakeWatch = Callable[[StudyFolder, Plan], AbstractContextManager[Watch]]


@dataclass(frozen=True)
class StudyOutcome(Value):
    """How a call of `study` ended.

    Attributes:
        folder: of the study.
        results: all trials so far.
        finished: whether every trial has ended; otherwise the same call goes on.
    """

    folder: Path
    results: StudyResults
    finished: bool

    def rows(self) -> list[dict[str, Any]]:
        """One for each trial that has ended."""
        return self.results.rows()

    def verdicts(self) -> Listing[Judged]:
        """What is to be thought of each claim so far."""
        return Listing(judge(self.results))


def study(
    plan: Plan | str | Path,
    out: str | Path | None = None,
    *,
    datasets: Mapping[str, str] | None = None,
    seeds: Sequence[int] | int | None = None,
    budget: str | None = None,
    workers: int | None = None,
    device: str = "auto",
    ray: str | None = None,
    storage: str | None = None,
    slurm: str | None = None,
    retry_failed: bool = False,
    make_watch: MakeWatch = LineWatch,
) -> StudyOutcome:
    """Run a study, or go on with it.

    Args:
        plan: a Plan, a shipped plan's name, or a TOML file.
        out: the study's folder; `studies/NAME` by default.
        datasets: replace the plan's, by name; a plan with a single dataset takes one under "".
        seeds: replace the plan's: a list, or how many.
        budget: replaces the plan's.
        workers: trials at once; by default one for each core, or for each GPU.
        device: `auto`, `cpu`, `cuda`, `mps`.
        ray: address of a Ray cluster, or `local` to start one here; its nodes perform the
            trials instead of this machine.
        storage: through which the nodes of a cluster reach the study, such as
            `s3://bucket/prefix`; by default they have its folder, on a disk that all share.
        slurm: the trials are jobs of a SLURM cluster, with these options of sbatch
            (`partition=gpu,time=4:00:00`; may be empty), or `local`: jobs of submitit on this
            machine. The study's folder and its datasets are on a disk that all nodes share.
        retry_failed: perform failed trials again.
        make_watch: makes what is told of the progress; prints plain lines by default.

    Raises:
        RecipeError, DataError, RunError: for a plan, datasets or a folder that do not fit.
        DeviceError: for devices or workers that are not there.
        StorageError: if the disk is full.
        KeyboardInterrupt: after Ctrl-C or SIGTERM; what ran has saved.
    """
    plan = plan if isinstance(plan, Plan) else Plan.load(plan)
    plan = adapted(plan, datasets or {}, seeds, budget)
    folder = StudyFolder(out if out is not None else Path("studies") / plan.name)
    if storage is not None and ray is None:
        raise FaceganError(
            f"A storage ({storage}) is for the nodes of a cluster, and there is none.",
            "Leave it out, or name the cluster as well.",
        )
    if ray is not None and slurm is not None:
        raise FaceganError("A study runs on Ray or on SLURM, and both were asked for.", "Choose.")
    if ray is not None:
        from facegan.study.execution import cluster

        cluster.load()
    if slurm is not None:
        from facegan.study.execution import on_slurm

        on_slurm.load()
        on_slurm.settings("" if slurm == "local" else slurm)
    with local.terminated_as_interrupt(), folder.locked():
        with make_watch(folder, plan) as watch:
            settled = settle(folder, plan, device, workers, watch.said)
            specs = _specs(plan, settled)
            folder.begin(plan, specs)
            trials = _hand_out(folder, specs, retry_failed)
            _perform(trials, settled, ray, storage, slurm, workers, watch)
        results = folder.results()
    return StudyOutcome(folder.path, results, results.complete)


def adapted(
    plan: Plan,
    datasets: Mapping[str, str],
    seeds: Sequence[int] | int | None = None,
    budget: str | None = None,
) -> Plan:
    """A plan with other datasets, seeds or budget.

    Raises:
        FaceganError: for a dataset that the plan does not have.
    """
    changes: dict[str, object] = {}
    if datasets:
        given = dict(datasets)
        if "" in given:
            if len(plan.datasets) > 1:
                raise FaceganError(
                    f"--data {given['']}: the plan has {len(plan.datasets)} datasets.",
                    f"Say which: --data NAME=DATASET, with NAME one of {', '.join(plan.datasets)}.",
                )
            given[next(iter(plan.datasets))] = given.pop("")
        unknown = given.keys() - plan.datasets.keys()
        if unknown:
            raise FaceganError(
                f"The plan {plan.name} has no dataset {sorted(unknown)[0]!r}.",
                f"Its datasets: {', '.join(plan.datasets)}.",
            )
        changes["datasets"] = {**plan.datasets, **given}
    if seeds is not None:
        changes["seeds"] = seeds if isinstance(seeds, int) else list(seeds)
    if budget is not None:
        changes["budget"] = budget
    return plan.replaced(**changes) if changes else plan


def forecast(plan: Plan, workers: int | None = None) -> list[str]:
    """What a study would do, in lines."""
    methods, seeds, datasets = plan.all_methods(), plan.seeds, plan.datasets
    trials = len(trial_keys(plan))
    said = [
        f"{plan.name}: {plan.title}" if plan.title else plan.name,
        f"{trials} trials: {len(methods)} methods × {len(seeds)} seeds × {len(datasets)} datasets, "
        f"each with a budget of {plan.budget}.",
        *(f"  {name}: {method.title or method.recipe}" for name, method in methods.items()),
        *(f"  on {name}: {place}" for name, place in datasets.items()),
        *(f"  claim: {claim.says}  {claim.test}" for claim in plan.claims),
    ]
    seconds = parse_budget(plan.budget).seconds
    at_once = workers or len(local.available_cores())
    if seconds is None:
        said.append("How long that takes is known when the speed of each method is measured.")
    else:
        said.append(
            f"Training takes about {duration(math.ceil(trials / at_once) * seconds)}, {at_once} "
            "at once; measuring is added."
        )
    return said


def formatted(outcome: StudyOutcome) -> list[str]:
    """How a study ended, in lines."""
    results = outcome.results
    failed = [result for result in results.results if result.status == "failed"]
    said = [
        f"{judged.verdict}: {judged.claim.says} [{judged.dataset}] {judged.why}"
        for judged in judge(results)
    ]
    said += [f"failed: {result.key}: {result.error.splitlines()[0]}" for result in failed]
    ended = f"{len(results.results)} of {len(results.keys)} trials have ended"
    return [*said, f"{ended}. The page: {StudyFolder(outcome.folder).report}"]


def _specs(plan: Plan, settled: Settled) -> dict[Key, TrialSpec]:
    """All trials of a plan, in their order."""
    methods = plan.all_methods()
    return {
        key: trial_spec(
            plan,
            key,
            methods[key.method],
            settled.speeds[f"{key.dataset}/{key.method}"],
            settled.measures[key.dataset],
            settled.resolutions[key.dataset],
            settled.places,
            settled.device,
        )
        for key in trial_keys(plan)
    }


def _hand_out(
    folder: StudyFolder, specs: Mapping[Key, TrialSpec], retry_failed: bool
) -> list[Path]:
    """Write what there is to do for all trials without a result; their folders in order."""
    open_ones = []
    for key, spec in specs.items():
        trial = folder.trial(key)
        result = trial.result()
        if result is not None and result.key != key:
            trial.put_foreign_aside()
        elif result is not None and result.status == "failed" and retry_failed:
            trial.put_failure_aside()
        elif result is not None:
            continue
        # A file that cannot be read would count as the result of a trial that is under way.
        trial.result_file.unlink(missing_ok=True)
        trial.write_spec(spec)
        open_ones.append(trial.path)
    return open_ones


def _perform(
    trials: Sequence[Path],
    settled: Settled,
    ray: str | None,
    storage: str | None,
    slurm: str | None,
    workers: int | None,
    watch: Watch,
) -> None:
    if not trials:
        return
    if slurm is not None:
        from facegan.study.execution import on_slurm

        on_slurm.run(
            trials,
            on_slurm.settings("" if slurm == "local" else slurm),
            cpus=settled.threads,
            gpus=1 if settled.gpus else 0,
            watch=watch,
            give_up=_give_up,
            at_once=workers,
            local=slurm == "local",
        )
        return
    if ray is None:
        local.run(trials, local.slots(settled.workers, settled.gpus), watch, _give_up)
        return
    from facegan.study.execution import on_ray

    on_ray.run(
        trials,
        address=None if ray == "local" else ray,
        cpus=settled.threads,
        gpus=1 if settled.gpus else 0,
        watch=watch,
        give_up=_give_up,
        storage=storage,
    )


def _give_up(path: Path, why: str) -> None:
    """A trial that never says how it ends has failed."""
    trial = TrialFolder(path)
    trial.write_result(TrialResult(key=trial.spec().key, status="failed", error=why))
