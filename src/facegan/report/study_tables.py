"""A study's numbers as files: CSV for programs, LaTeX for papers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from facegan.documents import render
from facegan.evaluation.results import SCORE_TITLES, ScoreName
from facegan.evaluation.wording import arrow
from facegan.files import write_text
from facegan.report.study_claims import compared, signed
from facegan.report.study_scores import known, score_tables, shown_methods, spaces_of
from facegan.study.results import Key, StudyResults, TrialResult
from facegan.study.summaries import Summary, summarise
from facegan.study.verdicts import Judged

CsvRow = dict[str, object]

_CLAIM_COLUMNS = (
    *("claim", "source", "test", "dataset", "verdict", "why", "waiting"),
    *("seeds", "method_values", "other_values", "relative"),
    *("improvement", "improvement_low", "improvement_high", "probability_of_improvement"),
    *("p_holds", "p_holds_adjusted", "p_against", "p_against_adjusted"),
)
_CURVE_COLUMNS = (
    *("dataset", "method", "seed", "status"),
    *("images", "machine_seconds", "fd", "fd_low", "fd_high"),
)


def write_tables(folder: Path, results: StudyResults, judged: Sequence[Judged]) -> list[Path]:
    """Write results.csv, summary.csv, claims.csv, curves.csv and tables.tex.

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
        "results.csv": _csv(_trials(results)),
        "summary.csv": _csv(_summary(results, found)),
        "claims.csv": _csv(_claims(judged), _CLAIM_COLUMNS),
        "curves.csv": _csv(_curves(results), _CURVE_COLUMNS),
        "tables.tex": latex(results, found, judged),
    }
    for name, text in written.items():
        write_text(folder / name, text)
    return [folder / name for name in written]


def latex(results: StudyResults, found: Sequence[Summary], judged: Sequence[Judged]) -> str:
    """The page's tables for a paper, in LaTeX that needs no package but booktabs."""
    claims = []
    for one in judged:
        test, improvement = one.claim.parsed, "–"
        if one.improvement is not None:
            value, low, high = (signed(x, one.relative) for x in one.improvement)
            improvement = f"{value} [{low}, {high}]"
        what = f"{test.method} / {test.other}, {compared(results.plan, test)}"
        claims.append((one.claim.says, one.dataset, what, improvement, one.verdict))
    tables = score_tables(results, found, shown_methods(results.plan))
    return render(
        "facegan.report", "study.tex", plan=results.plan, tables=tables, claims=claims, arrow=arrow
    )


def _csv(rows: Iterable[CsvRow], columns: Sequence[str] = ()) -> str:
    """Columns in the order given, or else in which rows first name them."""
    listed = list(rows)
    names = columns or list(dict.fromkeys(name for row in listed for name in row))
    target = io.StringIO()
    writer = csv.DictWriter(target, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _field(value) for name, value in row.items()} for row in listed)
    return target.getvalue()


def _field(value: object) -> object:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else value


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
                "waiting": len(results.plan.seeds) - len(trials),
            }
            for name in metrics:
                one = by_place.get((dataset, method, name))
                low, high = (one.interval if one else None) or (None, None)
                row[f"{name}_n"] = len(known(one))
                row[f"{name}_median"] = one.median if one else None
                row[f"{name}_low"], row[f"{name}_high"] = low, high
            yield row


def _claims(judged: Sequence[Judged]) -> Iterator[CsvRow]:
    for one in judged:
        value, low, high = one.improvement or (None, None, None)
        yield {
            "claim": one.claim.says,
            "source": one.claim.source,
            "test": one.claim.test,
            "dataset": one.dataset,
            "verdict": one.verdict,
            "why": one.why,
            "waiting": one.waiting,
            "seeds": " ".join(str(pair.seed) for pair in one.pairs),
            "method_values": " ".join(_reached(pair.method) for pair in one.pairs),
            "other_values": " ".join(_reached(pair.other) for pair in one.pairs),
            "relative": str(one.relative).lower(),
            "improvement": value,
            "improvement_low": low,
            "improvement_high": high,
            "probability_of_improvement": one.probability,
            "p_holds": one.p_holds,
            "p_holds_adjusted": one.p_holds_adjusted,
            "p_against": one.p_against,
            "p_against_adjusted": one.p_against_adjusted,
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
