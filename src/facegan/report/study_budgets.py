"""Who led at which budget, and what would have been said of each claim: tables and a chart."""

from __future__ import annotations

import math
from dataclasses import dataclass

from facegan.evaluation.wording import Formatted, brief, duration, listed, score_title
from facegan.report.plots import Chart, Line, Plot, drawn, time_unit
from facegan.report.study_scores import Shown
from facegan.report.table import Cell, Column, Row, Table
from facegan.study.budgets import AtBudget, Standing, at_budgets, axis_of
from facegan.study.results import StudyResults
from facegan.study.verdicts import Verdict
from facegan.study.words import factor

# With more, bands would hide one another.
_MOST_BANDS = 4
_MOST_TIED = 6
SIGNS: dict[Verdict, str] = {
    "holds": "✓",
    "evidence against": "✗",
    "does not hold": "○",
    "not enough evidence": "?",
}


@dataclass(frozen=True)
class Budgets:
    """What the page shows of one dataset.

    Attributes:
        leaders: a row for each budget.
        verdicts: a row for each claim about FD, a column for each budget; None without claims.
        chart: FD of the methods that lead somewhere, with bands.
        space: of the curves.
    """

    leaders: Table
    verdicts: Table | None
    chart: Chart | None
    space: str


def budgets(
    results: StudyResults, dataset: str, methods: dict[str, Shown], prefix: str
) -> Budgets | None:
    """Tables and chart of one dataset; None where no two methods have curves.

    Args:
        results: of the trials.
        dataset: its name in the plan.
        methods: as the page shows them.
        prefix: begins the ids in the drawing.
    """
    found = at_budgets(results, dataset)
    if not found:
        return None
    plot = band_plot(results, found, methods)
    return Budgets(
        _leaders(results, dataset, found, methods),
        _verdicts(results, dataset, found),
        drawn([plot], prefix)[0] if plot is not None else None,
        results.plan.measure.curve_extractor,
    )


def spent(results: StudyResults, budget: float) -> str:
    """A budget in words."""
    return f"{brief(budget)} kimg" if axis_of(results) == "kimg" else duration(budget)


def _leaders(
    results: StudyResults, dataset: str, found: tuple[AtBudget, ...], methods: dict[str, Shown]
) -> Table:
    title = score_title("fd", results.plan.measure.curve_extractor)
    columns = [
        Column("leader", "leads"),
        Column("fd", f"its {title}"),
        Column("next", "the next"),
        Column("tied", "cannot be told from the leader"),
    ]
    rows = []
    for at in found:
        leader, second = at.standings[0], at.standings[1]
        tied = [each.method for each in at.standings[1:] if each.tied]
        said = listed(tied[:_MOST_TIED]) if tied else "none"
        if len(tied) > _MOST_TIED:
            said = f"{', '.join(tied[:_MOST_TIED])} and {len(tied) - _MOST_TIED} more"
        cells: list[Cell | None] = [
            Cell(Formatted(leader.method), leads=not tied),
            Cell(_fd(leader)),
            Cell(Formatted(second.method, behind(second))),
            Cell(Formatted(said)),
        ]
        key = methods[leader.method].key
        rows.append(Row(spent(results, at.budget), cells, key))
    return Table(f"budgets {dataset}", "budget", columns, rows, "cards numbers study words")


def behind(standing: Standing) -> str:
    """`1.31 × (1.10 to 1.56 ×) the leader's FD`."""
    if standing.behind is None:
        return ""
    value, low, high = (math.log(each) for each in standing.behind)
    ends = f"{_times(low)} to {_times(high)}"
    return f"{factor(value)} the leader’s, {ends}"


def _times(log: float) -> str:
    return f"{math.exp(log):.2f}"


def _fd(standing: Standing) -> Formatted:
    if standing.interval is None:
        return Formatted(brief(standing.fd))
    low, high = standing.interval
    return Formatted(brief(standing.fd), f"{brief(low)} – {brief(high)}")


def _verdicts(results: StudyResults, dataset: str, found: tuple[AtBudget, ...]) -> Table | None:
    claims = [one.claim for one in found[-1].judged]
    if not claims:
        return None
    columns = [Column(f"at{n}", spent(results, at.budget)) for n, at in enumerate(found)]
    rows = []
    for number, claim in enumerate(claims):
        cells: list[Cell | None] = []
        for at in found:
            one = at.judged[number]
            text = f"{SIGNS[one.verdict]} {one.verdict}"
            size = ""
            if one.difference is not None and one.scale is not None and one.scale.kind == "log":
                worse = one.difference[0] < 0
                size = f"{factor(one.difference[0])} {'worse' if worse else 'better'}"
            cells.append(Cell(Formatted(text, size)))
        marks = found[-1].judged[number].marks
        note = f"after results: {'; '.join(marks)}" if marks else ""
        rows.append(Row(claim.says, cells, note=note, code=claim.test))
    return Table(f"verdicts {dataset}", "claim", columns, rows, "cards numbers study words")


def band_plot(
    results: StudyResults, found: tuple[AtBudget, ...], methods: dict[str, Shown]
) -> Plot | None:
    """FD of the methods that lead at some budget, then of the first at the end, with bands."""
    if len(found) < 2:
        return None
    names = list(
        dict.fromkeys(
            [*(at.leader.method for at in found), *(each.method for each in found[-1].standings)]
        )
    )[:_MOST_BANDS]
    axis = axis_of(results)
    second, unit = (1.0, "kimg") if axis == "kimg" else time_unit(found[-1].budget)
    lines = []
    for name in names:
        standings = [
            (at.budget / second, each)
            for at in found
            for each in at.standings
            if each.method == name
        ]
        shown = methods[name]
        lines.append(
            Line(
                name,
                [(x, each.fd) for x, each in standings],
                shown.colour,
                shown.dash,
                band=[(x, *each.interval) for x, each in standings if each.interval is not None],
            )
        )
    measure = results.plan.measure
    title = score_title("fd", measure.curve_extractor)
    return Plot(
        "budgets",
        f"{title} against the budget",
        "Geometric means over seeds: methods that lead at some budget, and the runner-up "
        "at the end. "
        f"{measure.curve_n:,} images, features of {measure.curve_extractor}.",
        lines,
        unit=unit,
        log=True,
        size="wide",
        wanted="less",
    )
