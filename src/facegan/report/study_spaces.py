"""Medians in a study's further feature spaces, about which no claim is."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.evaluation.results import SCORE_TITLES, FeatureScores, ScoreName
from facegan.report.measures import score_title
from facegan.report.study_methods import Shown, brief, scale
from facegan.study.results import StudyResults


@dataclass(frozen=True)
class Space:
    """Medians in one feature space on one dataset.

    Attributes:
        name: the extractor's.
        columns: the scores' titles.
        rows: (method, its medians) in the order of the first space.
        floor: what as many real pictures score.
    """

    name: str
    columns: list[str]
    rows: list[tuple[Shown, list[str]]]
    floor: list[str]


def further_spaces(results: StudyResults, dataset: str, order: Sequence[Shown]) -> list[Space]:
    """One for each extractor of the plan after the first that gave scores on this dataset."""
    found = []
    for extractor in results.plan.measure.extractors[1:]:
        scores = {shown.name: _scores(results, dataset, shown.name, extractor) for shown in order}
        every = [one for of_method in scores.values() for one in of_method]
        metrics = [metric for metric in SCORE_TITLES if any(metric in one.scores for one in every)]
        if not metrics:
            continue
        found.append(
            Space(
                extractor,
                [
                    score_title(metric, extractor) + (" × 10³" if scale(metric) > 1 else "")
                    for metric in metrics
                ],
                [
                    (
                        shown,
                        [_median(scores[shown.name], metric, "generated") for metric in metrics],
                    )
                    for shown in order
                ],
                [_median(every, metric, "real") for metric in metrics],
            )
        )
    return found


def _scores(
    results: StudyResults, dataset: str, method: str, extractor: str
) -> list[FeatureScores]:
    return [
        space
        for trial in results.of(dataset, method).values()
        if trial.status == "finished" and trial.evaluation is not None
        for space in trial.evaluation.features
        if space.extractor == extractor
    ]


def _median(found: Sequence[FeatureScores], metric: ScoreName, side: str) -> str:
    values = [getattr(one.scores[metric], side).value for one in found if metric in one.scores]
    return brief(scale(metric) * statistics.median(values)) if values else "–"
