"""A study's tables for a paper, in LaTeX that needs no package but booktabs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from facegan.evaluation.results import LESS_IS_BETTER, SCORE_TITLES, Estimate, ScoreName
from facegan.evaluation.wording import formatted
from facegan.report.measures import score_title
from facegan.report.study_claims import compared
from facegan.report.study_methods import brief, scale, signed
from facegan.study.results import StudyResults
from facegan.study.summaries import Summary
from facegan.study.verdicts import Judged

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # Plain documents have no straight quotation mark.
    '"': "''",
    # At the beginning of a row, a bracket would be taken for the distance from the one before.
    "[": "{[}",
    "]": "{]}",
    "\N{NO-BREAK SPACE}": "~",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "×": r"$\times$",
    "−": "$-$",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "³": "$^3$",
    "\n": " ",
}


def escape(text: str) -> str:
    """Text as LaTeX that prints it; other characters are left to the document's encoding."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def latex(results: StudyResults, found: Sequence[Summary], judged: Sequence[Judged]) -> str:
    """All tables: one for each dataset, and one of the claims where there are any.

    Args:
        results: of the trials.
        found: summaries over the seeds.
        judged: the verdicts.
    """
    plan = results.plan
    parts = [rf"% {_comment(plan.name)}: \usepackage{{booktabs}}, then \input this file."]
    parts += [_scores(results, dataset, found) for dataset in plan.datasets]
    if judged:
        parts.append(_claims(results, judged))
    return "\n".join(parts)


def _comment(text: str) -> str:
    return " ".join(text.split())


def _scores(results: StudyResults, dataset: str, found: Sequence[Summary]) -> str:
    plan = results.plan
    space = plan.measure.extractors[0]
    known = {(one.method, one.metric): one for one in found if one.dataset == dataset}
    metrics = [
        name
        for name in SCORE_TITLES
        if any(one.metric == name and one.median is not None for one in known.values())
    ]
    order = [(known.get((name, "fd")), name) for name in plan.all_methods()]
    order.sort(key=lambda each: math.inf if (m := _middle(each[0])) is None else m)
    header = [
        "Method",
        *(f"{_title(name, space)} {_arrow(name)}" for name in metrics),
        "Finished",
    ]
    rows = []
    for _, method in order:
        trials = results.of(dataset, method).values()
        finished = sum(trial.status == "finished" for trial in trials)
        failed = len(trials) - finished
        end = f"{finished} of {len(plan.seeds)}" + (f" ({failed} failed)" if failed else "")
        cells = [_cell(known.get((method, name)), name) for name in metrics]
        rows.append([escape(method), *cells, end])
    n = len(plan.seeds)
    caption = (
        f"{escape(plan.title or plan.name)}: medians over {n} seed{'s' if n > 1 else ''} on "
        f"{escape(dataset)}, {escape(plan.budget)} a trial, in the space of {escape(space)}; "
        r"in brackets 95\,\% bootstrap intervals of the median."
    )
    columns = "l" + "r" * (len(header) - 1)
    return _table(caption, f"{plan.name}-{dataset}", columns, header, rows)


def _middle(summary: Summary | None) -> float | None:
    return None if summary is None else summary.median


def _title(metric: ScoreName, space: str) -> str:
    title = escape(score_title(metric, space))
    return rf"{title} $\times 10^3$" if scale(metric) > 1 else title


def _arrow(metric: ScoreName) -> str:
    return r"$\downarrow$" if metric in LESS_IS_BETTER else r"$\uparrow$"


def _cell(summary: Summary | None, metric: ScoreName) -> str:
    if summary is None or summary.median is None:
        return "--"
    by = scale(metric)
    if summary.interval is None:
        return escape(brief(by * summary.median))
    low, high = summary.interval
    said = formatted(Estimate(value=by * summary.median, low=by * low, high=by * high))
    between = said.between.replace(" – ", "–")
    return f"{escape(said.value)} [{escape(between)}]"


def _claims(results: StudyResults, judged: Sequence[Judged]) -> str:
    rows = []
    for one in judged:
        test = one.claim.parsed
        improvement = "--"
        if one.improvement is not None:
            value, low, high = (escape(signed(x, one.relative)) for x in one.improvement)
            improvement = f"{value} [{low}, {high}]"
        what = f"{test.method} / {test.other}, {compared(results.plan, test)}"
        rows.append(
            [escape(one.claim.says), escape(one.dataset), escape(what), improvement, one.verdict]
        )
    plan = results.plan
    caption = (
        f"{escape(plan.title or plan.name)}: claims, improvements of the first method over the "
        f"second with intervals over paired seeds, and verdicts, corrected for all claims "
        rf"together ($\alpha = {plan.alpha:g}$)."
    )
    header = ["Claim", "Dataset", "Compared", "Improvement", "Verdict"]
    columns = r"p{0.3\linewidth}lp{0.2\linewidth}rp{0.12\linewidth}"
    return _table(caption, f"{plan.name}-claims", columns, header, rows)


def _table(
    caption: str, label: str, columns: str, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> str:
    body = "\n".join("  " + " & ".join(row) + r" \\" for row in rows)
    return "\n".join(
        (
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{caption}}}",
            rf"\label{{tab:{label}}}",
            rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            r"\toprule",
            "  " + " & ".join(header) + r" \\",
            r"\midrule",
            body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        )
    )
