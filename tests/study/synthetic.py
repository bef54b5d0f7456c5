"""Studies with known results, made of numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from facegan.evaluation.results import Estimate, Evaluation, FeatureScores, Score, ScoreName
from facegan.study.plan import Plan
from facegan.study.results import CurvePoint, Key, StudyResults, TrialResult
from facegan.study.verdicts import Judged, judge

# What one trial reached: a score, a curve of (kimg, FD), "failed", or None: still to come.
Reached = float | Sequence[tuple[float, float]] | str | None


def evaluation(scores: Mapping[ScoreName, float]) -> Evaluation:
    """An evaluation that found these scores of the generated pictures."""

    def score(value: float) -> Score:
        return Score(
            generated=Estimate(value=value, low=value, high=value),
            real=Estimate(value=1.0, low=1.0, high=1.0),
        )

    features = FeatureScores(
        extractor="plain",
        resizer="plain",
        fingerprint="0",
        scores={name: score(float(value)) for name, value in scores.items()},
    )
    return Evaluation(
        source="made up",
        dataset="numbers",
        dataset_fingerprint="0",
        reference="train",
        n_real=1000,
        n_fake=1000,
        seed=0,
        resolution=32,
        features=(features,),
    )


def trial(key: Key, reached: Reached, metric: ScoreName = "fd") -> TrialResult:
    """A trial that has ended with one score, with a curve (2 s a kimg), or failed."""
    if isinstance(reached, str):
        return TrialResult(key=key, status="failed", error=reached)
    if isinstance(reached, Sequence):
        points = tuple(
            CurvePoint(images=round(1000 * kimg), seconds=2.0 * kimg, fd=fd, low=fd, high=fd)
            for kimg, fd in reached
        )
        return TrialResult(key=key, status="finished", evaluation=evaluation({}), curve=points)
    assert reached is not None
    return TrialResult(key=key, status="finished", evaluation=evaluation({metric: reached}))


def study(
    claims: Sequence[str | Mapping[str, str]],
    reached: Mapping[str, Sequence[Reached]] | Mapping[str, Mapping[str, Sequence[Reached]]],
    metric: ScoreName = "fd",
    **values: Any,
) -> StudyResults:
    """A study in which each method reached something with each seed.

    Args:
        claims: tests, or claims as in a plan.
        reached: for each method, for each seed in order; or the same for each dataset.
        metric: what the numbers are.
        values: further ones of the plan.
    """
    first = next(iter(reached.values()))
    datasets: Any = reached if isinstance(first, Mapping) else {"faces": reached}
    methods = next(iter(datasets.values()))
    seeds = len(next(iter(methods.values())))
    plan = Plan.from_values(
        {
            "name": "made-up",
            "seeds": seeds,
            "budget": "1kimg",
            "datasets": dict.fromkeys(datasets, "portraits"),
            "methods": {name: {"recipe": "gan"} for name in methods},
            "claims": [
                {"says": each, "test": each} if isinstance(each, str) else each for each in claims
            ],
        }
        | values
    )
    ended = {
        Key(dataset=dataset, method=method, seed=seed): one
        for dataset, methods in datasets.items()
        for method, all_seeds in methods.items()
        for seed, one in enumerate(all_seeds)
    }
    return StudyResults(
        plan=plan,
        keys=tuple(ended),
        results=tuple(trial(key, one, metric) for key, one in ended.items() if one is not None),
        speeds={},
    )


def only(claim: str, reached: dict[str, Any], metric: Any = "fd", **values: Any) -> Judged:
    """The verdict on a study's only claim."""
    (judged,) = judge(study([claim], reached, metric, **values))
    return judged
