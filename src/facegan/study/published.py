"""A study read back from its tables, where the folders of its trials are not there.

What is published of a study is its plan, `study.json`, `results.csv` and `curves.csv`. That is
all that verdicts rest on, so that anyone can judge it anew.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from facegan.errors import RunError
from facegan.evaluation.results import (
    Estimate,
    Evaluation,
    FeatureScores,
    Score,
    ScoreName,
)
from facegan.study.plan import Plan
from facegan.study.results import CurvePoint, Key, TrialFinding, TrialResult
from facegan.study.tuning import SearchTrial

RESULTS, CURVES, SEARCH = "results.csv", "curves.csv", "tuning.csv"
Row = Mapping[str, str]


def published_trials(
    folder: Path, plan: Plan, settled: Mapping[str, Any]
) -> tuple[TrialResult, ...]:
    """The trials that have ended, from `results.csv` and, where it is there, `curves.csv`.

    Args:
        folder: of the study.
        plan: its plan.
        settled: its `study.json`, for the identity of its datasets.

    Raises:
        RunError: the tables cannot be read.
    """
    try:
        curves: dict[Key, list[CurvePoint]] = {}
        for row in _rows(folder / CURVES):
            curves.setdefault(_key(row), []).append(
                CurvePoint(
                    images=int(row["images"]),
                    seconds=float(row["machine_seconds"]),
                    **{name: float(row[f"fd{end}"]) for name, end in _ENDS.items()},
                )
            )
        return tuple(
            _trial(row, plan, settled, tuple(curves.get(_key(row), ())))
            for row in _rows(folder / RESULTS)
            if row["status"] != "waiting"
        )
    except (KeyError, ValueError, csv.Error) as error:
        raise RunError(
            f"{folder / RESULTS} or {CURVES} cannot be read: {error}.",
            "They were changed by hand; restore them.",
        ) from error


def published_search(folder: Path) -> dict[Key, SearchTrial]:
    """The trials of the search before the comparison, from `tuning.csv`.

    Raises:
        RunError: it cannot be read.
    """
    try:
        return {
            _key(row): SearchTrial.model_validate(
                {
                    "seed": int(row["seed"]),
                    "settings": tuple(filter(None, row["settings"].split(" "))),
                    "status": row["status"],
                    "fd": float(row["fd"]) if row["fd"] else None,
                    "images": round(1000 * float(row["kimg"])),
                    "seconds": float(row["machine_seconds"]),
                    "wall_seconds": float(row["wall_seconds"]),
                }
            )
            for row in _rows(folder / SEARCH)
        }
    except (KeyError, ValueError, csv.Error) as error:
        raise RunError(
            f"{folder / SEARCH} cannot be read: {error}.",
            "It was changed by hand; restore it.",
        ) from error


_ENDS = {"fd": "", "low": "_low", "high": "_high"}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _key(row: Row) -> Key:
    return Key(dataset=row["dataset"], method=row["method"], seed=int(row["seed"]))


def _trial(
    row: Row, plan: Plan, settled: Mapping[str, Any], curve: tuple[CurvePoint, ...]
) -> TrialResult:
    spaces = _spaces(row, plan)
    key = _key(row)
    dataset = settled.get("datasets", {}).get(plan.datasets.get(key.dataset), {})
    evaluation = Evaluation(
        source=str(key),
        dataset=str(dataset.get("name", key.dataset)),
        dataset_fingerprint=str(dataset.get("fingerprint", "")),
        reference="train",
        n_real=plan.measure.n_real,
        n_fake=plan.measure.n,
        seed=0,
        resolution=int(dataset.get("pixels", 0)),
        features=spaces,
    )
    return TrialResult(
        key=key,
        status="finished" if row["status"] == "finished" else "failed",
        error=row["error"],
        images=round(1000 * float(row["kimg"])),
        seconds=float(row["machine_seconds"]),
        wall_seconds=float(row["wall_seconds"]),
        generator=int(row["generator_parameters"]),
        discriminator=int(row["discriminator_parameters"]),
        evaluation=evaluation if spaces else None,
        curve=curve,
        found=_found(row.get("diagnosis", "")),
    )


def _found(kinds: str) -> tuple[TrialFinding, ...] | None:
    """What the diagnosis found, from its kinds; `nothing` where it looked and found nothing."""
    if not kinds:
        return None
    return tuple(
        TrialFinding(kind=kind, images=0) for kind in kinds.split("; ") if kind != "nothing"
    )


def _spaces(row: Row, plan: Plan) -> tuple[FeatureScores, ...]:
    found = []
    for extractor in plan.measure.extractors:
        scores: dict[ScoreName, Score] = {}
        for name in get_args(ScoreName):
            if not row.get(f"{extractor}_{name}"):
                continue
            generated, real = (_estimate(row, f"{extractor}_{name}{s}") for s in ("", "_real"))
            ratio = generated.value / real.value if real.low > 0 else None
            scores[name] = Score(generated=generated, real=real, ratio=ratio)
        if scores:
            found.append(
                FeatureScores(extractor=extractor, resizer="", fingerprint="", scores=scores)
            )
    return tuple(found)


def _estimate(row: Row, column: str) -> Estimate:
    value, low, high = (float(row[f"{column}{end}"]) for end in ("", "_low", "_high"))
    return Estimate(value=value, low=low, high=high)
