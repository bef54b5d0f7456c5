"""The page of a study: verdicts first, then what they rest on."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.documents import render
from facegan.evaluation.wording import Formatted, brief, duration, fixed, kimg
from facegan.recipe import leaves
from facegan.report.differences import in_words
from facegan.report.filmstrip import COLUMNS, Frame, filmstrip, kept
from facegan.report.limits import limits_of_study
from facegan.report.plots import Chart
from facegan.report.study_budgets import Budgets, budgets
from facegan.report.study_claims import sentences, verdict_count
from facegan.report.study_curves import curve_charts
from facegan.report.study_scores import (
    Scores,
    Shown,
    further_spaces,
    score_tables,
    shown_methods,
)
from facegan.report.table import Cell, Column, Row, Table, texts
from facegan.runs.commands import Command
from facegan.study.folder import StudyFolder
from facegan.study.plan import Plan
from facegan.study.results import Speed, StudyResults, TrialResult
from facegan.study.summaries import summarise
from facegan.study.verdicts import Judged, decided

# Rows of pictures of each grid.
_ROWS = 3
# For all grids of a page. A film's last frame may take about a third of its film's room, so
# that this makes about 3 MB as base64.
_ROOM = 6_000_000
_MOST_OF_ONE = 900_000
_WIDEST = 1056
# Told elsewhere on the page, or too long for it.
_APART = {"datasets", "speeds", "recipes", "costs"}


@dataclass(frozen=True)
class _Dataset:
    """All that the page shows of one dataset."""

    name: str
    scores: Scores
    spaces: list[tuple[str, Table]]
    charts: list[Chart]
    budgets: Budgets | None
    grids: list[_Grid]
    costs: Table


@dataclass(frozen=True)
class _Grid:
    """The first rows of a method's last grid.

    Attributes:
        method: which.
        seed: of the trial; None where none finished.
        fd: of the trial.
        frame: the picture; None where its grid is gone.
    """

    method: Shown
    seed: int | None = None
    fd: str = ""
    frame: Frame | None = None


def study_page(folder: Path, results: StudyResults, judged: Sequence[Judged]) -> str:
    """The page as HTML, the same for the same files; it holds all that it shows.

    Args:
        folder: of the study, for the conditions and the trials' pictures.
        results: of the trials so far.
        judged: the verdicts, in the plan's order.
    """
    study = StudyFolder(folder)
    name = folder.resolve().name
    plan, settled = results.plan, study.settled()
    methods = shown_methods(plan)
    datasets = [
        _Dataset(
            scores.dataset,
            scores,
            further_spaces(results, scores.dataset, scores.methods),
            curve_charts(results, scores.dataset, methods, f"curve{number}-"),
            budgets(results, scores.dataset, methods, f"budget{number}-"),
            _grids(study, results, scores.dataset, scores.methods),
            _costs(results, scores.dataset, methods),
        )
        for number, scores in enumerate(score_tables(results, summarise(results), methods))
    ]
    return render(
        "facegan.report",
        "study.html",
        plan=plan,
        name=name,
        results=results,
        count={
            "of": len(results.keys),
            "ended": len(results.results),
            "failed": sum(result.status == "failed" for result in results.results),
        },
        facts=_facts(results),
        sentences=sentences(results, judged),
        verdicts=verdict_count(judged),
        decided=decided(plan, judged),
        datasets=datasets,
        pictures=_ROWS * COLUMNS,
        failures=_failures(results),
        total=_total(results),
        machine=_rows({key: value for key, value in settled.items() if key not in _APART}),
        identities=_identities(settled, results),
        commands=_commands(name, results),
        level=f"{100 * plan.alpha:.3g}\N{NO-BREAK SPACE}%",
        limits=list(limits_of_study(results)),
        toml=plan.to_toml(),
    )


def _facts(results: StudyResults) -> list[tuple[str, str, str]]:
    """(what, value, more) in the order of a first glance."""
    plan = results.plan
    methods, seeds = plan.all_methods(), plan.seeds
    return [
        (
            "Methods",
            f"{len(methods):,}",
            "ablations included" if len(methods) > len(plan.methods) else "",
        ),
        ("Datasets", f"{len(plan.datasets):,}", ", ".join(plan.datasets)),
        ("Seeds", f"{len(seeds):,}", _seeds(plan)),
        ("Budget", plan.budget, "a trial, the same for all"),
        (
            "Machine time",
            duration(sum(trial.seconds for trial in results.results)),
            "in all" if results.complete else "so far",
        ),
    ]


def _seeds(plan: Plan) -> str:
    """Which seeds, and which methods have others."""
    more = [
        f"{name}: {len(plan.seeds_of(name))}"
        for name in plan.methods
        if plan.seeds_of(name) != plan.seeds
    ]
    listed = ", ".join(map(str, plan.seeds)) if len(plan.seeds) <= 12 else ""
    return "; ".join(filter(None, [listed, *more]))


def _grids(
    folder: StudyFolder, results: StudyResults, dataset: str, order: Sequence[Shown]
) -> list[_Grid]:
    """The last grid of each method's finished trial of the lowest seed."""
    count = len(results.plan.datasets) * max(len(order), 1)
    room = min(_ROOM // count, _MOST_OF_ONE)
    found = []
    for shown in order:
        trials = results.of(dataset, shown.name)
        finished = [trials[seed] for seed in sorted(trials) if trials[seed].status == "finished"]
        if not finished:
            found.append(_Grid(shown))
            continue
        trial = finished[0]
        samples = folder.trial(trial.key).run / "samples"
        frames = filmstrip(samples, at_most=2, room=room, rows=_ROWS, widest=_WIDEST)
        last = frames[-1] if frames else kept(folder.grid(trial.key), trial.images / 1000, room)
        fd = trial.score("fd")
        said = "" if fd is None else brief(fd)
        found.append(_Grid(shown, trial.key.seed, said, last))
    return found


def _costs(results: StudyResults, dataset: str, methods: dict[str, Shown]) -> Table:
    """What each method cost, by the trials that have ended; spans where they differ."""
    columns = [
        Column("ended", "ended"),
        Column("kimg", "kimg"),
        Column("seconds", "machine time"),
        Column("wall", "in fact"),
        Column("generator", "generator"),
        Column("discriminator", "discriminator"),
        Column("speed", "images a second"),
        *([Column("search", "search before")] if results.tuned else []),
    ]
    rows = []
    for name, shown in methods.items():
        trials = list(results.of(dataset, name).values())
        speed = results.speeds.get(f"{dataset}/{name}")
        cells = [*texts(_cost(trials)), _speed(speed)]
        if results.tuned:
            cells.append(_searched(results, dataset, name))
        rows.append(Row(name, cells, shown.key))
    return Table(f"costs {dataset}", "method", columns, rows, "cards numbers study")


def _searched(results: StudyResults, dataset: str, method: str) -> Cell:
    """What the search for a method cost in all, and what it chose."""
    own = results.plan.searched(method)
    found = results.tuned[f"{dataset}/{own}"]
    fds = [brief(trial.fd) for trial in found.trials if trial.fd is not None]
    if not fds:
        return Cell(Formatted("–"))
    chosen = ", ".join(found.settings) or "as it is"
    before = found.trials[0].fd
    best = found.trials[found.chosen].fd
    said = f"FD {'–' if before is None else brief(before)} → {brief(best or 0.0)}: {chosen}"
    if own != method:
        return Cell(Formatted(f"that of {own}"), chosen)
    cost = duration(sum(trial.seconds for trial in found.trials))
    return Cell(Formatted(cost), f"{found.ended} of {len(found.trials)} trials; {said}")


def _cost(trials: Sequence[TrialResult]) -> list[str]:
    # A failed trial stopped somewhere: it says nothing of what a whole one costs.
    failed = sum(trial.status == "failed" for trial in trials)
    whole = [trial for trial in trials if trial.status == "finished"] or list(trials)
    return [
        f"{len(trials):,}" + (f" ({failed:,} failed)" if failed else ""),
        _span([kimg(images) for images in sorted(trial.images for trial in whole)]),
        _span([duration(seconds) for seconds in sorted(trial.seconds for trial in whole)]),
        duration(statistics.median(t.wall_seconds for t in whole)) if whole else "–",
        _span([f"{n:,}" for n in sorted({t.generator for t in whole if t.generator})]),
        _span([f"{n:,}" for n in sorted({t.discriminator for t in whole if t.discriminator})]),
    ]


def _span(values: Sequence[str]) -> str:
    if not values:
        return "–"
    return values[0] if values[0] == values[-1] else f"{values[0]} – {values[-1]}"


def _speed(speed: Speed | None) -> Cell:
    """Images a second, measured alone; below them precision and threads."""
    if speed is None:
        return Cell(Formatted("–", "–"))
    before = speed.pretraining_img_per_s
    said = brief(speed.img_per_s) + ("" if before is None else f" (pretraining {brief(before)})")
    threads = f"{speed.threads} thread{'s' if speed.threads > 1 else ''}"
    return Cell(Formatted(said, f"{speed.precision}, {threads}, {speed.device}"))


def _total(results: StudyResults) -> str:
    """All trials together, failed ones included, in one sentence or two."""
    trials = results.results
    said = (
        f"All {len(trials):,} trials that ended, failed ones included: "
        f"{duration(sum(trial.seconds for trial in trials))} of machine time, "
        f"{duration(sum(trial.wall_seconds for trial in trials))} in fact, "
        f"{fixed(sum(trial.images for trial in trials) / 1000, 0)} kimg."
    )
    search = [trial for found in results.tuned.values() for trial in found.trials]
    if search:
        said += (
            f" The search before them, {sum(t.status != 'waiting' for t in search):,} trials: "
            f"{duration(sum(trial.seconds for trial in search))} of machine time, "
            f"{duration(sum(trial.wall_seconds for trial in search))} in fact, "
            f"{fixed(sum(trial.images for trial in search) / 1000, 0)} kimg."
        )
    return said


def _failures(results: StudyResults) -> list[tuple[str, list[tuple[str, str]]]]:
    """(why, [(trial, how far it came)]) of every failed trial; those of one reason together."""
    ended = {result.key: result for result in results.results}
    found: dict[str, list[tuple[str, str]]] = {}
    for key in results.keys:
        result = ended.get(key)
        if result is not None and result.status == "failed":
            when = f"after {kimg(result.images)} kimg" if result.images else "at once"
            found.setdefault(result.error or "No reason was kept.", []).append((str(key), when))
    return list(found.items())


def _identities(settled: Mapping[str, Any], results: StudyResults) -> list[tuple[str, Any]]:
    """(name, its place in the plan and its identity as rows) of each dataset."""
    known = settled.get("datasets")
    known = known if isinstance(known, Mapping) else {}
    return [
        (name, [("in the plan", place), *_rows(known.get(place))])
        for name, place in results.plan.datasets.items()
    ]


def _rows(values: Any) -> list[tuple[str, str]]:
    """What was decided before the first trial, as (name, value)."""
    if not isinstance(values, Mapping) or not values:
        return []
    return [(key.replace("_", " "), in_words(value, "not known")) for key, value in leaves(values)]


def _commands(name: str, results: StudyResults) -> list[Command]:
    """What to type to go on, to repeat, to look closer; `name` is the study's folder."""
    plan = shlex.quote(f"{name}/study.toml")
    folder, again = shlex.quote(name), shlex.quote(f"{name}-again")
    found = [
        Command("The same study again, in a new folder", f"facegan study {plan} --out {again}"),
        Command(
            "Go on with this one; trials that ended are kept",
            f"facegan study {plan} --out {folder}",
        ),
        Command(
            "Only this page and its tables again", f"facegan study {plan} --out {folder} --report"
        ),
    ]
    finished = [trial.key for trial in results.results if trial.status == "finished"]
    if finished:
        run = shlex.quote(f"{name}/trials/{finished[0]}/run")
        found.append(Command("The page of one trial", f"facegan report {run} --out trial.html"))
    return found
