"""What the trials of a study cost, and which of them failed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.evaluation.wording import duration, fixed, kimg
from facegan.report.study_methods import Shown, brief
from facegan.study.results import Speed, StudyResults, TrialResult


@dataclass(frozen=True)
class Cost:
    """What one method cost on one dataset.

    Attributes:
        method: which.
        trials: how many ended.
        kimg: images shown to the discriminator in one trial, in thousands.
        seconds: machine time of one trial.
        wall: time that one trial took in fact, in the median.
        generator: numbers to learn.
        discriminator: numbers to learn.
        speed: images a second, measured alone.
        how: precision and threads.
    """

    method: Shown
    trials: str
    kimg: str
    seconds: str
    wall: str
    generator: str
    discriminator: str
    speed: str
    how: str


def costs(results: StudyResults, dataset: str, methods: dict[str, Shown]) -> list[Cost]:
    """One for each method, of the trials that have ended; spans where trials differ."""
    return [
        _cost(
            shown,
            list(results.of(dataset, name).values()),
            results.speeds.get(f"{dataset}/{name}"),
        )
        for name, shown in methods.items()
    ]


def _cost(shown: Shown, trials: Sequence[TrialResult], speed: Speed | None) -> Cost:
    # A failed trial stopped somewhere: it says nothing of what a whole one costs.
    failed = sum(trial.status == "failed" for trial in trials)
    whole = [trial for trial in trials if trial.status == "finished"] or list(trials)
    return Cost(
        method=shown,
        trials=f"{len(trials):,}" + (f" ({failed:,} failed)" if failed else ""),
        kimg=_span([kimg(trial.images) for trial in sorted(whole, key=lambda t: t.images)]),
        seconds=_span([duration(s) for s in sorted(trial.seconds for trial in whole)]),
        wall=duration(statistics.median(t.wall_seconds for t in whole)) if whole else "–",
        generator=_span([f"{n:,}" for n in sorted({t.generator for t in whole if t.generator})]),
        discriminator=_span(
            [f"{n:,}" for n in sorted({t.discriminator for t in whole if t.discriminator})]
        ),
        speed="–" if speed is None else _speed(speed),
        how="–" if speed is None else f"{speed.precision}, {_threads(speed)}, {speed.device}",
    )


def _span(values: Sequence[str]) -> str:
    if not values:
        return "–"
    return values[0] if values[0] == values[-1] else f"{values[0]} – {values[-1]}"


def _speed(speed: Speed) -> str:
    before = speed.pretraining_img_per_s
    return brief(speed.img_per_s) + ("" if before is None else f" (pretraining {brief(before)})")


def _threads(speed: Speed) -> str:
    return f"{speed.threads} thread{'s' if speed.threads > 1 else ''}"


def total(results: StudyResults) -> str:
    """All trials together, failed ones included, in one sentence."""
    trials = results.results
    return (
        f"All {len(trials):,} trials that ended, failed ones included: "
        f"{duration(sum(trial.seconds for trial in trials))} of machine time, "
        f"{duration(sum(trial.wall_seconds for trial in trials))} in fact, "
        f"{fixed(sum(trial.images for trial in trials) / 1000, 0)} kimg."
    )


def failures(results: StudyResults) -> list[tuple[str, list[tuple[str, str]]]]:
    """(why, [(trial, how far it came)]) of every failed trial; those of one reason together."""
    ended = {result.key: result for result in results.results}
    found: dict[str, list[tuple[str, str]]] = {}
    for key in results.keys:
        result = ended.get(key)
        if result is not None and result.status == "failed":
            when = f"after {kimg(result.images)} kimg" if result.images else "at once"
            found.setdefault(result.error or "No reason was kept.", []).append((str(key), when))
    return list(found.items())
