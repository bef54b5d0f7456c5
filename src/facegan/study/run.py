"""`facegan study`: several methods, one budget, several seeds, and what may be concluded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.apps.datasets import open_dataset
from facegan.budget import parse_budget
from facegan.errors import FaceganError, one_line
from facegan.evaluation.wording import duration, listed
from facegan.memory import usable_cores
from facegan.study.comparisons import seeds_at
from facegan.study.execution import Watch, local
from facegan.study.fitting import fitted
from facegan.study.folder import StudyFolder, trial_keys
from facegan.study.plan import Plan
from facegan.study.power import PUBLISHED, Noise, power_lines
from facegan.study.progress import LineWatch
from facegan.study.results import Key, StudyResults, TrialResult
from facegan.study.settling import Settled, candidate, settle
from facegan.study.trial import TrialFolder, TrialSpec, trial_spec
from facegan.study.tuning import ranged
from facegan.study.verdicts import Judged, decided, judge
from facegan.values import Listing, Value

MakeWatch = Callable[[StudyFolder, Plan], AbstractContextManager[Watch]]


@dataclass(frozen=True)
class StudyOutcome(Value):
    """How a call of `study` ended.

    Attributes:
        folder: of the study.
        results: all trials so far.
        finished: whether every trial has ended, or a look decided every claim; otherwise the
            same call goes on.
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
        seeds: replace the plan's, of all methods: a list, or how many.
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
        fit = fitted(plan, {name: open_dataset(place) for name, place in plan.datasets.items()})
        plan = fit.plan
        with make_watch(folder, plan) as watch:
            for line in fit.notes:
                watch.say(line)
            settled = settle(folder, plan, device, workers, watch.say)
            try:
                if plan.tuning is not None:
                    search = _search(folder, plan, settled)
                    folder.begin(plan, search)
                    trials = _hand_out(search, retry_failed)
                    _perform(trials, settled, ray, storage, slurm, workers, watch)
                specs = _specs(folder, plan, settled)
                folder.begin(plan, specs)
                for part in _parts(plan, specs):
                    trials = _hand_out(part, retry_failed)
                    _perform(trials, settled, ray, storage, slurm, workers, watch)
                    if decided(plan, judge(folder.results())):
                        break
            finally:
                folder.keep_first()
        results = folder.results()
    ended = results.complete or decided(plan, judge(results))
    return StudyOutcome(folder.path, results, ended)


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
                    f"`data` {given['']}: the plan has {len(plan.datasets)} datasets.",
                    f"Say which: `data` NAME=DATASET, with NAME one of {', '.join(plan.datasets)}.",
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
        methods = plan.values()["methods"]
        if any("seeds" in method for method in methods.values()):
            changes["methods"] = {
                name: {key: value for key, value in method.items() if key != "seeds"}
                for name, method in methods.items()
            }
    if budget is not None:
        changes["budget"] = budget
    return plan.replaced(**changes) if changes else plan


def forecast(plan: Plan, workers: int | None = None, noise: Noise = PUBLISHED) -> list[str]:
    """What a study would do, and what it could find, in lines.

    Args:
        plan: the study's.
        workers: trials at once.
        noise: from seed to seed.
    """
    # Nothing is drawn for a forecast: portraits have all labels.
    there = {n: open_dataset(place) for n, place in plan.datasets.items() if Path(place).exists()}
    fit = fitted(plan, there)
    plan = fit.plan
    methods, seeds, datasets = plan.all_methods(), plan.seeds, plan.datasets
    trials = len(trial_keys(plan))
    more = [
        f"{name} with {len(plan.seeds_of(name))}"
        for name in methods
        if len(plan.seeds_of(name)) != len(seeds)
    ]
    said = [
        f"{plan.name}: {plan.title}" if plan.title else plan.name,
        f"{trials} trials: {len(methods)} methods × {len(seeds)} seeds × {len(datasets)} datasets"
        f"{f' ({listed(more)})' if more else ''}, each with a budget of {plan.budget}.",
        *(f"  {name}: {method.title or method.recipe}" for name, method in methods.items()),
        *(f"  on {name}: {place}" for name, place in datasets.items()),
        *(f"  claim: {claim.says}  {claim.test}" for claim in plan.claims),
        *fit.notes,
    ]
    search, searching = plan.tuning, 0.0
    if search is not None:
        count = search.trials * sum(plan.searched(name) == name for name in methods) * len(datasets)
        said += [
            f"Before them, the same search for each method: {search.trials} trials with a budget "
            f"of {search.budget}, {count} in all, over",
            *(f"  {name}: {ranged(each)}" for name, each in search.ranges.items()),
            *(
                f"  {name}: {ranged(each)} ({method} alone)"
                for method in plan.methods
                for name, each in plan.methods[method].ranges.items()
            ),
        ]
        searching = math.ceil(count / (workers or len(usable_cores()))) * (
            parse_budget(search.budget).seconds or 0.0
        )
    seconds = parse_budget(plan.budget).seconds
    at_once = workers or len(usable_cores())
    if seconds is None:
        said.append("How long that takes is known when the speed of each method is measured.")
    else:
        whole = math.ceil(trials / at_once) * seconds + searching
        said.append(
            f"Training takes about {duration(whole)}, {at_once} at once; measuring is added."
        )
    return said + power_lines(plan, noise)


def noise_of_study(out: Path, given: str | None = None) -> Noise:
    """The noise of FD from seed to seed.

    Args:
        out: folder of the study, whose own results are taken where it has some.
        given: a share such as 0.1, or the folder of an earlier study.

    Raises:
        FaceganError: what was given is neither, or that study has too few results.
    """
    if given is None:
        folder = StudyFolder(out)
        found = Noise.of(folder.results(), str(out)) if folder.started else None
        return found or PUBLISHED
    try:
        share = float(given)
    except ValueError:
        found = Noise.of(StudyFolder(given).results(), given)
        if found is None:
            raise FaceganError(
                f"{given} has no two methods with two FDs each: its noise cannot be told.",
                "Name another study, or a share such as 0.1.",
            ) from None
        return found
    if not 0 < share < 1:
        raise FaceganError(f"{given} is no noise.", "Give a share from 0 to 1, such as 0.1.")
    return Noise(share**2, math.inf, "what was given")


def formatted(outcome: StudyOutcome) -> list[str]:
    """How a study ended, in lines."""
    results = outcome.results
    failed = [result for result in results.results if result.status == "failed"]
    judged = judge(results)
    said = [
        f"{one.verdict}: {one.claim.says} [{one.dataset}] {one.why}{marked(one)}" for one in judged
    ]
    said += [f"failed: {result.key}: {one_line(result.error)}" for result in failed]
    ended = f"{len(results.results)} of {len(results.keys)} trials have ended"
    if decided(results.plan, judged) and not results.complete:
        ended += ", and a look decided every claim"
    return [*said, f"{ended}. The page: {StudyFolder(outcome.folder).report}"]


def marked(judged: Judged) -> str:
    """What was changed after the first result, in brackets; nothing where nothing was."""
    return f" [after results: {'; '.join(judged.marks)}]" if judged.marks else ""


Trials = list[tuple[TrialFolder, TrialSpec]]


def _specs(folder: StudyFolder, plan: Plan, settled: Settled) -> Trials:
    """All trials of a plan, in their order, with the settings that a search chose."""
    methods, found = plan.all_methods(), folder.tuned(plan)
    trials: Trials = []
    for key in trial_keys(plan):
        method, speed = methods[key.method], f"{key.dataset}/{key.method}"
        search = found.get(f"{key.dataset}/{plan.searched(key.method)}")
        if search is not None:
            method = method.with_settings(search.settings)
            speed = candidate(speed, search.chosen)
        measure = settled.measures[key.dataset]
        spec = trial_spec(plan, key, method, settled.speeds[speed], measure, settled)
        trials.append((folder.trial(key), spec))
    return trials


def _search(folder: StudyFolder, plan: Plan, settled: Settled) -> Trials:
    """The trials of the search, those of all methods with one setting after another."""
    assert plan.tuning is not None
    methods, search = plan.all_methods(), plan.model_copy(update={"budget": plan.tuning.budget})
    trials: Trials = []
    for number, seed in enumerate(plan.tuning.seeds):
        for dataset, name in itertools.product(plan.datasets, methods):
            if plan.searched(name) != name:
                continue
            key = Key(dataset=dataset, method=name, seed=seed)
            method = methods[name].with_settings(plan.candidates(name)[number])
            measure = settled.measures[dataset]
            # FD at the end decides; what is measured on the way would cost time for nothing.
            measure = measure.model_copy(update={"curve": 0, "extractors": measure.extractors[:1]})
            speed = settled.speeds[candidate(f"{dataset}/{name}", number)]
            spec = trial_spec(search, key, method, speed, measure, settled)
            trials.append((folder.tuning_trial(key), spec))
    return trials


def _parts(plan: Plan, trials: Trials) -> list[Trials]:
    """The trials up to each look of the plan, without those before; all where it has none."""
    found: list[Trials] = []
    left = list(trials)
    for look in (*plan.judging.looks, len(plan.seeds)):
        share = look / len(plan.seeds)

        def belongs(spec: TrialSpec, share: float = share) -> bool:
            seeds = plan.seeds_of(spec.key.method)
            return spec.key.seed in seeds[: seeds_at(len(seeds), share)]

        found.append([trial for trial in left if belongs(trial[1])])
        left = [trial for trial in left if not belongs(trial[1])]
    return found


def _hand_out(trials: Trials, retry_failed: bool) -> list[Path]:
    """Write trial.json for all trials without a result; their folders in order."""
    open_ones = []
    for trial, spec in trials:
        result = trial.result()
        if result is not None and result.key != spec.key:
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
    """Write the result of a trial whose process ended again and again without one."""
    trial = TrialFolder(path)
    trial.write_result(TrialResult(key=trial.spec().key, status="failed", error=why))
