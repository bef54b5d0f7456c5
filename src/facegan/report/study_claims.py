"""Each claim with its verdicts, as a study's page shows them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facegan.evaluation.wording import brief, fixed, listed, score_title, unit
from facegan.report.bars import Bar, Scale, bar
from facegan.report.study_budgets import SIGNS
from facegan.study.claims import FasterTo, Test
from facegan.study.comparisons import questions
from facegan.study.contrasts import Kind
from facegan.study.plan import Plan
from facegan.study.results import StudyResults, TrialResult
from facegan.study.verdicts import Judged
from facegan.study.words import between, change, step

# Differences beyond these are drawn as reaching past the end.
_FURTHEST = {"log": math.log(8.0), "share": 1.0, "plain": 1.0}
# In percent of the drawing's length: labels closer than this would run into one another.
_APART = 20.0


@dataclass(frozen=True)
class Line:
    """What the trials on one dataset say of a claim.

    Attributes:
        judged: the verdict and its numbers.
        sign: beside the verdict's word.
        kind: the verdict as a CSS class.
        compared: what is compared with what.
        improvement: with its interval, in words; an empty string where there is none.
        drawing: the same, beside zero and the margins.
        paired: (seed, of the method, of the other) of each seed.
        evidence: probabilities, in words.
    """

    judged: Judged
    sign: str
    kind: str
    compared: str
    improvement: str
    drawing: Bar | None
    paired: list[tuple[int, str, str]]
    evidence: str


@dataclass(frozen=True)
class Sentence:
    """A sentence of the plan and all that was found of it.

    Attributes:
        says: the sentence.
        sources: who claims it.
        tests: the comparisons that would support it.
        family: of claims that are corrected together; empty where the plan names none.
        lines: verdicts, each on one dataset.
    """

    says: str
    sources: str
    tests: list[str]
    family: str
    lines: list[Line]


def sentences(results: StudyResults, judged: Sequence[Judged]) -> list[Sentence]:
    """The claims in the plan's order, those of one sentence together."""
    kinds = {one.scale.kind for one in judged if one.scale is not None}
    ends: dict[str, Scale] = {kind: _ends(judged, kind) for kind in kinds}
    grouped: dict[str, list[Judged]] = {}
    for one in judged:
        grouped.setdefault(one.claim.says, []).append(one)
    return [
        Sentence(
            says,
            listed(dict.fromkeys(one.claim.source for one in found if one.claim.source)),
            list(dict.fromkeys(one.claim.test for one in found)),
            listed(dict.fromkeys(one.claim.family for one in found if one.claim.family)),
            [_line(results, one, ends) for one in found],
        )
        for says, found in grouped.items()
    ]


def verdict_count(judged: Sequence[Judged]) -> str:
    """`Of 6 verdicts, 3 are “holds”, …` in one sentence; empty without claims."""
    if not judged:
        return ""
    count = Counter(one.verdict for one in judged)
    parts = [f"{count[verdict]} × {verdict}" for verdict in SIGNS if count[verdict]]
    return f"{len(judged)} verdict{'s' if len(judged) > 1 else ''}: {listed(parts)}."


def compared(plan: Plan, test: Test) -> str:
    """What a test compares, in words."""
    if isinstance(test, FasterTo):
        time = "kimg" if test.axis == "kimg" else "machine-seconds"
        return f"{time} to FD {brief(test.fd)}"
    return score_title(test.metric, plan.measure.extractors[0])


def _line(results: StudyResults, one: Judged, ends: Mapping[str, Scale]) -> Line:
    test = one.claim.parsed
    timed = isinstance(test, FasterTo)
    factor = 1 if isinstance(test, FasterTo) else unit(test.metric)
    methods = results.of(one.dataset, test.method)
    others = results.of(one.dataset, test.other)
    return Line(
        judged=one,
        sign=SIGNS[one.verdict],
        kind=one.verdict.replace(" ", "-"),
        compared=compared(results.plan, test),
        improvement=improvement(one),
        drawing=_drawing(one, ends),
        paired=[
            (
                pair.seed,
                _reached(pair.method, factor, methods.get(pair.seed), timed),
                _reached(pair.other, factor, others.get(pair.seed), timed),
            )
            for pair in one.pairs
        ],
        evidence=_evidence(one),
    )


def improvement(one: Judged) -> str:
    """`108 → 60, 1.80 × better (1.40 to 2.31 × better)`; empty where nothing can be computed."""
    if one.difference is None or one.scale is None or None in one.means:
        return ""
    test, (method, other) = one.claim.parsed, one.means
    assert method is not None
    assert other is not None
    value, low, high = one.difference
    return (
        f"{step(test, other, method)}, {change(test, one.scale, value)} "
        f"({between(test, one.scale, low, high)})"
    )


def _reached(value: float | None, factor: int, trial: TrialResult | None, timed: bool) -> str:
    if value is not None and math.isfinite(value):
        return brief(factor * value)
    if trial is None:
        return "–"
    if trial.status == "failed":
        return "failed"
    return "never" if timed else "not measured"


def _evidence(one: Judged) -> str:
    """What the verdict's reason does not tell: it has the corrected numbers."""
    said = []
    if one.probability is not None:
        said.append(f"Probability of improvement {fixed(one.probability, 2)}.")
    # 1 is no result of a test: the side that fails more often is not asked.
    asked = (
        (one.p_holds, "for it"),
        (one.p_against, "for less than the margin"),
        (one.p_worse, "for worse"),
    )
    tested = [f"{probability(p)} {side}" for p, side in asked if p is not None and p < 1]
    if tested:
        said.append(f"Uncorrected: {listed(tested)}.")
    if one.test is not None and one.degrees is not None:
        said.append(f"{_TESTS[one.test]}, {fixed(one.degrees, 1)} degrees of freedom.")
    return " ".join(said)


def probability(p: float) -> str:
    """With two digits that count, or more where it is large."""
    return "p < 0.0001" if p < 1e-4 else f"p = {fixed(p, 4 if p < 0.01 else 3 if p < 0.1 else 2)}"


_TESTS: dict[Kind, str] = {
    "welch": "Welch's test",
    "moderated": "Moderated t",
    "paired": "Paired t",
}


def _ends(judged: Sequence[Judged], kind: str) -> Scale:
    """One scale for all improvements of a kind, so that they can be compared by eye."""
    places = [0.0]
    for one in judged:
        if one.scale is not None and one.scale.kind == kind and one.difference is not None:
            places += [*one.difference, *_margins(one)]
    most = _FURTHEST[kind]
    places = [min(max(x, -most), most) for x in places if not math.isnan(x)]
    low, high = min(places), max(places)
    room = 0.06 * (high - low) or 0.05
    return Scale(low - room, high + room)


def _margins(one: Judged) -> tuple[float, float]:
    """Where an improvement is worth the name, and where a setback is."""
    assert one.scale is not None
    test = one.claim.parsed
    return one.scale.difference(-test.margin), one.scale.difference(questions(test)[1])


def _drawing(one: Judged, all_ends: Mapping[str, Scale]) -> Bar | None:
    if one.difference is None or one.scale is None or any(map(math.isnan, one.difference)):
        return None
    value, low, high = one.difference
    ends, test = all_ends[one.scale.kind], one.claim.parsed
    zero = ends.place(0.0)
    labels = (
        ("low", None, change(test, one.scale, ends.begin) if zero >= _APART else ""),
        ("at-zero", zero, "as good"),
        ("high", None, change(test, one.scale, ends.end) if zero <= 100 - _APART else ""),
    )
    worse, margin = _margins(one)
    return bar(ends, [value], (low, high), labels, margin=margin, worse=worse, zero=0.0)
