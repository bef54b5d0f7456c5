"""The page of a study: verdicts first, then what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facegan.report.plots import Chart
from facegan.report.rendering import render
from facegan.report.study_claims import sentences, verdict_count
from facegan.report.study_costs import Cost, costs, failures, total
from facegan.report.study_curves import curve_charts
from facegan.report.study_grids import Grid, grids, pictures
from facegan.report.study_methods import shown_methods, state
from facegan.report.study_scores import Table, score_tables
from facegan.report.study_spaces import Space, further_spaces
from facegan.report.study_words import (
    commands,
    facts,
    identities,
    limits,
    made_with,
    terms,
)
from facegan.study.folder import StudyFolder
from facegan.study.results import StudyResults
from facegan.study.summaries import summarise
from facegan.study.verdicts import Judged


@dataclass(frozen=True)
class _Dataset:
    """All that the page shows of one dataset."""

    name: str
    table: Table
    spaces: list[Space]
    charts: list[Chart]
    grids: list[Grid]
    costs: list[Cost]


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
    tables = score_tables(results, summarise(results), methods)
    datasets = []
    for number, table in enumerate(tables):
        order = [row.method for row in table.rows]
        datasets.append(
            _Dataset(
                table.dataset,
                table,
                further_spaces(results, table.dataset, order),
                curve_charts(results, table.dataset, methods, f"curve{number}-"),
                grids(study, results, table.dataset, order),
                costs(results, table.dataset, methods),
            )
        )
    return render(
        "study.html",
        plan=plan,
        name=name,
        state=state(results),
        unfinished=not results.complete,
        facts=facts(results),
        sentences=sentences(results, judged),
        verdicts=verdict_count(judged),
        datasets=datasets,
        pictures=pictures(),
        failures=failures(results),
        total=total(results),
        any_ended=bool(results.results),
        any_curve=any(dataset.charts for dataset in datasets),
        any_pictures=any(grid.frame for dataset in datasets for grid in dataset.grids),
        machine=made_with(settled),
        identities=identities(settled, results),
        commands=commands(name, results),
        terms=terms(results, judged),
        limits=limits(results),
        toml=plan.to_toml(),
    )
