"""Each claim with its verdicts, as a study's page shows them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.evaluation.wording import brief, fixed, listed, score_title, unit
from facegan.report.bars import Bar, Scale, bar
from facegan.study.claims import FasterTo, Test
from facegan.study.comparisons import questions
from facegan.study.plan import Plan
from facegan.study.results import StudyResults, TrialResult
from facegan.study.verdicts import Judged, Verdict

# A sign beside each word, for those who skim; never a colour alone.
_SIGNS: dict[Verdict, str] = {"holds": "✓", "does not hold": "✗", "not enough evidence": "?"}
# Improvements beyond these are drawn as reaching past the end.
_FURTHEST = 1.0
# Setbacks beyond ten times the size are not told apart.
_FAR = 10.0
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
        drawing: the same, beside zero and the margin.
        paired: (seed, of the method, of the other) of each pair.
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
        lines: verdicts, each on one dataset.
    """

    says: str
    sources: str
    tests: list[str]
    lines: list[Line]


def sentences(results: StudyResults, judged: Sequence[Judged]) -> list[Sentence]:
    """The claims in the plan's order, those of one sentence together."""
    ends = {relative: _ends(judged, relative) for relative in (True, False)}
    grouped: dict[str, list[Judged]] = {}
    for one in judged:
        grouped.setdefault(one.claim.says, []).append(one)
    return [
        Sentence(
            says,
            listed(dict.fromkeys(one.claim.source for one in found if one.claim.source)),
            list(dict.fromkeys(one.claim.test for one in found)),
            [_line(results, one, ends[one.relative]) for one in found],
        )
        for says, found in grouped.items()
    ]


def verdict_count(judged: Sequence[Judged]) -> str:
    """`Of 6 verdicts, 3 are “holds”, …` in one sentence; empty without claims."""
    if not judged:
        return ""
    count = Counter(one.verdict for one in judged)
    parts = [f"{count[verdict]} × {verdict}" for verdict in _SIGNS if count[verdict]]
    return f"{len(judged)} verdict{'s' if len(judged) > 1 else ''}: {listed(parts)}."


def compared(plan: Plan, test: Test) -> str:
    """What a test compares, in words."""
    if isinstance(test, FasterTo):
        time = "kimg" if test.axis == "kimg" else "machine-seconds"
        return f"{time} to FD {brief(test.fd)}"
    return score_title(test.metric, plan.measure.extractors[0])


def _line(results: StudyResults, one: Judged, ends: Scale) -> Line:
    test = one.claim.parsed
    timed = isinstance(test, FasterTo)
    factor = 1 if isinstance(test, FasterTo) else unit(test.metric)
    methods = results.of(one.dataset, test.method)
    others = results.of(one.dataset, test.other)
    improvement = ""
    if one.improvement is not None:
        value, low, high = (signed(x, one.relative) for x in one.improvement)
        improvement = f"{value} ({low} to {high})"
    return Line(
        judged=one,
        sign=_SIGNS[one.verdict],
        kind=one.verdict.replace(" ", "-"),
        compared=compared(results.plan, test),
        improvement=improvement,
        drawing=_drawing(one, questions(test)[1], ends),
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


def _reached(value: float | None, factor: int, trial: TrialResult | None, timed: bool) -> str:
    if value is not None and math.isfinite(value):
        return brief(factor * value)
    if trial is not None and trial.status == "failed":
        return "failed"
    return "never" if timed else "not measured"


def _evidence(one: Judged) -> str:
    """What the verdict's reason does not tell: it has the corrected numbers."""
    said = []
    if one.probability is not None:
        said.append(f"Probability of improvement {fixed(one.probability, 2)}.")
    # 1 is no result of a test: the side that fails more often is not asked.
    tested = [
        f"{probability(p)} {side}"
        for p, side in ((one.p_holds, "for it"), (one.p_against, "against"))
        if p is not None and p < 1
    ]
    if tested:
        said.append(f"Uncorrected: {listed(tested)}.")
    return " ".join(said)


def probability(p: float) -> str:
    """With two digits that count, or more where it is large."""
    return "p < 0.0001" if p < 1e-4 else f"p = {fixed(p, 4 if p < 0.01 else 3 if p < 0.1 else 2)}"


def signed(value: float, relative: bool) -> str:
    """`+12 %` or `−0.031`: an improvement, with its sign."""
    if not math.isfinite(value):
        return brief(value)
    if relative:
        if value < -_FAR:
            return f"below {signed(-_FAR, relative)}"
        percent = 100 * value
        text = f"{fixed(percent, 1 if abs(percent) < 9.95 else 0)}\N{NO-BREAK SPACE}%"
    else:
        text = fixed(value, 3)
    return text if text.startswith("−") else f"+{text}"


def _ends(judged: Sequence[Judged], relative: bool) -> Scale:
    """One scale for all improvements of a kind, so that they can be compared by eye."""
    places = [0.0]
    for one in judged:
        if one.relative == relative and one.improvement is not None:
            places += [*one.improvement, questions(one.claim.parsed)[1]]
    places = [min(max(x, -_FURTHEST), _FURTHEST) for x in places if not math.isnan(x)]
    low, high = min(places), max(places)
    room = 0.06 * (high - low) or 0.05
    return Scale(low - room, high + room)


def _drawing(one: Judged, margin: float, ends: Scale) -> Bar | None:
    if one.improvement is None or any(map(math.isnan, one.improvement)):
        return None
    value, low, high = one.improvement
    zero = ends.place(0.0)
    labels = (
        ("low", None, signed(ends.begin, one.relative) if zero >= _APART else ""),
        ("at-zero", zero, "0"),
        ("high", None, signed(ends.end, one.relative) if zero <= 100 - _APART else ""),
    )
    return bar(ends, [value], (low, high), labels, margin=margin, zero=0.0)
