"""A study's numbers as files: CSV for programs, LaTeX for papers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from facegan.documents import render
from facegan.evaluation.results import SCORE_TITLES, ScoreName
from facegan.evaluation.wording import arrow
from facegan.files import write_text
from facegan.report.study_claims import compared, improvement
from facegan.report.study_scores import known, score_tables, shown_methods, spaces_of
from facegan.report.table import csv_text
from facegan.study.budgets import at_budgets, axis_of
from facegan.study.claims import FasterTo
from facegan.study.folder import StudyFolder
from facegan.study.published import CURVES, RESULTS, SEARCH
from facegan.study.results import Key, StudyResults, TrialResult
from facegan.study.summaries import Summary, summarise
from facegan.study.verdicts import Judged

CsvRow = dict[str, object]

_CLAIM_COLUMNS = (
    *("claim", "source", "family", "test", "dataset", "verdict", "marks", "why", "waiting"),
    *("method", "other", "metric", "in_words"),
    *("method_seeds", "other_seeds", "method_values", "other_values"),
    *("method_mean", "other_mean", "method_kimg", "other_kimg", "method_recipe", "other_recipe"),
    *("relative", "improvement", "improvement_low", "improvement_high"),
    *("ratio", "ratio_low", "ratio_high", "probability_of_improvement"),
    *("statistics", "degrees_of_freedom", "p_holds", "p_holds_adjusted"),
    *("p_against", "p_against_adjusted", "p_worse", "p_worse_adjusted"),
)
_CURVE_COLUMNS = (
    *("dataset", "method", "seed", "status"),
    *("images", "machine_seconds", "fd", "fd_low", "fd_high"),
)


def write_tables(folder: Path, results: StudyResults, judged: Sequence[Judged]) -> list[Path]:
    """Write results.csv, summary.csv, claims.csv, curves.csv, tuning.csv and tables.tex.

    CSV is UTF-8 with a header, numbers in full and an empty field for what is not known. The
    same results give the same files, byte by byte.

    Args:
        folder: to write into.
        results: of the trials so far.
        judged: the verdicts.

    Returns:
        The files.

    Raises:
        StorageError: if they cannot be written.
    """
    found = summarise(results)
    written = {
        "results.csv": csv_text(_trials(results)),
        "summary.csv": csv_text(_summary(results, found)),
        "claims.csv": claims_csv(results, judged),
        "curves.csv": csv_text(_curves(results), _CURVE_COLUMNS),
    }
    if rows := list(_budgets(results)):
        written["budgets.csv"] = csv_text(rows)
    if results.tuned:
        written[SEARCH] = csv_text(_search(results))
    written["tables.tex"] = latex(results, found, judged)
    if StudyFolder(folder).published:
        # What all of it was read from stays as it was published.
        for name in (RESULTS, CURVES, SEARCH):
            written.pop(name, None)
    for name, text in written.items():
        write_text(folder / name, text)
    return [folder / name for name in written]


def claims_csv(results: StudyResults, judged: Sequence[Judged]) -> str:
    """The verdicts as `claims.csv` has them."""
    return csv_text(_claims(results, judged), _CLAIM_COLUMNS)


def latex(results: StudyResults, found: Sequence[Summary], judged: Sequence[Judged]) -> str:
    """The page's tables for a paper, in LaTeX that needs no package but booktabs."""
    claims = []
    for one in judged:
        test = one.claim.parsed
        what = f"{test.method} / {test.other}, {compared(results.plan, test)}"
        verdict = one.verdict + (f" (after results: {'; '.join(one.marks)})" if one.marks else "")
        claims.append((one.claim.says, one.dataset, what, improvement(one) or "–", verdict))
    tables = score_tables(results, found, shown_methods(results.plan))
    return render(
        "facegan.report", "study.tex", plan=results.plan, tables=tables, claims=claims, arrow=arrow
    )


def _trials(results: StudyResults) -> Iterator[CsvRow]:
    ended = {result.key: result for result in results.results}
    # Every row has all columns, so that their order does not hang on which trial came first.
    columns = _score_columns(results)
    for trial in results.keys:
        yield _trial(trial, ended.get(trial)) | _all_scores(ended.get(trial), columns)


def _trial(trial: Key, result: TrialResult | None) -> CsvRow:
    row: CsvRow = {"dataset": trial.dataset, "method": trial.method, "seed": trial.seed}
    if result is None:
        return row | {"status": "waiting"}
    return row | {
        "status": result.status,
        "error": result.error,
        "kimg": result.images / 1000,
        "machine_seconds": result.seconds,
        "wall_seconds": result.wall_seconds,
        "generator_parameters": result.generator,
        "discriminator_parameters": result.discriminator,
        "diagnosis": None
        if result.found is None
        else "; ".join(found.kind for found in result.found) or "nothing",
    }


def _score_columns(results: StudyResults) -> list[tuple[str, ScoreName]]:
    """(extractor, score) of all that any trial was measured with, in the plan's order."""
    found = {
        (space.extractor, name)
        for result in results.results
        for space in spaces_of(result)
        for name in space.scores
    }
    extractors = dict.fromkeys((*results.plan.measure.extractors, *sorted({e for e, _ in found})))
    return [(e, name) for e in extractors for name in SCORE_TITLES if (e, name) in found]


def _all_scores(result: TrialResult | None, columns: Sequence[tuple[str, ScoreName]]) -> CsvRow:
    spaces = {space.extractor: space for space in spaces_of(result)}
    row: CsvRow = {}
    for extractor, name in columns:
        score = spaces[extractor].scores.get(name) if extractor in spaces else None
        for side in ("", "_real"):
            estimate = None if score is None else (score.real if side else score.generated)
            row[f"{extractor}_{name}{side}"] = None if estimate is None else estimate.value
            row[f"{extractor}_{name}{side}_low"] = None if estimate is None else estimate.low
            row[f"{extractor}_{name}{side}_high"] = None if estimate is None else estimate.high
    return row


def _summary(results: StudyResults, found: Sequence[Summary]) -> Iterator[CsvRow]:
    by_place = {(one.dataset, one.method, one.metric): one for one in found}
    metrics = [name for name in SCORE_TITLES if any(one.metric == name for one in found)]
    for dataset in results.plan.datasets:
        for method in results.plan.all_methods():
            trials = results.of(dataset, method).values()
            failed = sum(trial.status == "failed" for trial in trials)
            row: CsvRow = {
                "dataset": dataset,
                "method": method,
                "finished": len(trials) - failed,
                "failed": failed,
                "waiting": len(results.plan.seeds_of(method)) - len(trials),
            }
            for name in metrics:
                one = by_place.get((dataset, method, name))
                low, high = (one.interval if one else None) or (None, None)
                row[f"{name}_n"] = len(known(one))
                row[f"{name}_median"] = one.median if one else None
                row[f"{name}_low"], row[f"{name}_high"] = low, high
            yield row


def _claims(results: StudyResults, judged: Sequence[Judged]) -> Iterator[CsvRow]:
    for one in judged:
        test = one.claim.parsed
        value, low, high = one.improvement or (None, None, None)
        log = one.difference if one.scale is not None and one.scale.kind == "log" else None
        # Of the method's over the other's: below 1 is better.
        ratio, most, least = (math.exp(-x) for x in log) if log else (None, None, None)
        seeds = [
            [pair.seed for pair in one.pairs if pair.seed in results.of(one.dataset, name)]
            for name in (test.method, test.other)
        ]
        yield {
            "claim": one.claim.says,
            "source": one.claim.source,
            "family": one.claim.family,
            "test": one.claim.test,
            "dataset": one.dataset,
            "verdict": one.verdict,
            "marks": "; ".join(one.marks),
            "why": one.why,
            "waiting": one.waiting,
            "method": test.method,
            "other": test.other,
            "metric": f"time to FD {test.fd:g}" if isinstance(test, FasterTo) else test.metric,
            "in_words": improvement(one),
            "method_seeds": " ".join(map(str, seeds[0])),
            "other_seeds": " ".join(map(str, seeds[1])),
            "method_values": _values(one, 0, seeds[0]),
            "other_values": _values(one, 1, seeds[1]),
            "method_mean": one.means[0],
            "other_mean": one.means[1],
            "method_kimg": _kimg(results, one.dataset, test.method),
            "other_kimg": _kimg(results, one.dataset, test.other),
            "method_recipe": results.recipes.get(f"{one.dataset}/{test.method}"),
            "other_recipe": results.recipes.get(f"{one.dataset}/{test.other}"),
            "relative": str(one.relative).lower(),
            "improvement": value,
            "improvement_low": low,
            "improvement_high": high,
            "ratio": ratio,
            "ratio_low": least,
            "ratio_high": most,
            "probability_of_improvement": one.probability,
            "statistics": one.test,
            "degrees_of_freedom": one.degrees,
            "p_holds": one.p_holds,
            "p_holds_adjusted": one.p_holds_adjusted,
            "p_against": one.p_against,
            "p_against_adjusted": one.p_against_adjusted,
            "p_worse": one.p_worse,
            "p_worse_adjusted": one.p_worse_adjusted,
        }


def _values(one: Judged, side: int, seeds: Sequence[int]) -> str:
    values = {pair.seed: (pair.method, pair.other)[side] for pair in one.pairs}
    return " ".join(_reached(values[seed]) for seed in seeds)


def _kimg(results: StudyResults, dataset: str, method: str) -> float | None:
    """Thousands of images of a trial that finished, the median of all."""
    images = [
        trial.images for trial in results.of(dataset, method).values() if trial.status == "finished"
    ]
    return statistics.median(images) / 1000 if images else None


def _budgets(results: StudyResults) -> Iterator[CsvRow]:
    """Where each method stood at each budget, by the curves."""
    axis = axis_of(results)
    for dataset in results.plan.datasets:
        for at in at_budgets(results, dataset):
            for each in at.standings:
                low, high = each.interval or (None, None)
                ratio = each.behind or (None, None, None)
                yield {
                    "dataset": dataset,
                    "kimg" if axis == "kimg" else "machine_seconds": at.budget,
                    "method": each.method,
                    "seeds": each.seeds,
                    "fd": each.fd,
                    "fd_low": low,
                    "fd_high": high,
                    "ratio_to_leader": ratio[0],
                    "ratio_low": ratio[1],
                    "ratio_high": ratio[2],
                    "leads": str(each is at.leader).lower(),
                    "cannot_be_told_from_leader": str(each.tied).lower(),
                }


def _search(results: StudyResults) -> Iterator[CsvRow]:
    """The search before the comparison, trial by trial."""
    for name, found in results.tuned.items():
        dataset, method = name.split("/")
        for number, trial in enumerate(found.trials):
            yield {
                "dataset": dataset,
                "method": method,
                "seed": trial.seed,
                "status": trial.status,
                "settings": " ".join(trial.settings),
                "chosen": str(number == found.chosen).lower(),
                "fd": trial.fd,
                "kimg": trial.images / 1000,
                "machine_seconds": trial.seconds,
                "wall_seconds": trial.wall_seconds,
            }


def _reached(value: float | None) -> str:
    # A trial that failed, did not reach the FD or lacks the score: results.csv says which.
    return "none" if value is None else repr(value)


def _curves(results: StudyResults) -> Iterator[CsvRow]:
    for result in results.results:
        for point in result.curve:
            yield {
                "dataset": result.key.dataset,
                "method": result.key.method,
                "seed": result.key.seed,
                "status": result.status,
                "images": point.images,
                "machine_seconds": point.seconds,
                "fd": point.fd,
                "fd_low": point.low,
                "fd_high": point.high,
            }
