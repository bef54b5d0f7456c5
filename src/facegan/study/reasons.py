"""The reason of a verdict in plain English, with its numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from facegan.evaluation.wording import listed
from facegan.study.claims import FasterTo, NoWorse
from facegan.study.comparisons import Comparison, questions
from facegan.study.outcomes import Scale
from facegan.study.words import between, change, probability, step, subject

Verdict = Literal["holds", "evidence against", "does not hold", "not enough evidence"]
VERDICTS: tuple[Verdict, ...] = (
    "holds",
    "evidence against",
    "does not hold",
    "not enough evidence",
)

# More seeds than this are "many more".
MOST_SEEDS = 50


@dataclass(frozen=True)
class Correction:
    """How a claim's probabilities were corrected, and what came out.

    Attributes:
        p_for: corrected.
        p_against: corrected.
        p_worse: corrected.
        comparisons: claims of its family, each dataset counted.
        family: its name; empty where the plan names none.
        level: of the study, for one look at its end.
        looks: at how many looks verdicts are given; 1: at the end alone.
    """

    p_for: float | None
    p_against: float | None
    p_worse: float | None
    comparisons: int
    family: str
    level: float
    looks: int = 1


def why(compared: Comparison, verdict: Verdict, corrected: Correction) -> str:
    """Say why a verdict is as it is."""
    said = []
    if corrected.p_for is None:
        said = [f"{_nothing_to_test(compared)}."]
    elif not compared.never_worked:
        said = [f"{_found(compared)}; {_tested(compared, verdict, corrected)}."]
    said += _failed(compared, verdict, corrected.p_worse)
    if verdict == "not enough evidence" and not compared.waiting:
        said += _needed(compared, corrected)
    if compared.waiting:
        total = compared.waiting + sum(compared.trials)
        said[0] = f"So far, with {compared.waiting} of {total} trials still open: {said[0]}"
    return " ".join(said)


def _found(compared: Comparison) -> str:
    scale, contrast = compared.scale, compared.contrast
    assert scale is not None
    assert contrast is not None
    test, (method, other) = compared.test, compared.means
    assert method is not None
    assert other is not None
    value, low, high = contrast.interval
    won, of = compared.wins
    return (
        f"{subject(test)} {step(test, other, method)}, {change(test, scale, value)} "
        f"({between(test, scale, low, high)}) over {_trials(compared)}, "
        f"better in {won:g} of {of} pairs of trials"
    )


def _trials(compared: Comparison) -> str:
    one, two = compared.trials
    return f"{two} seeds" if one == two else f"{two} and {one} seeds"


def _tested(compared: Comparison, verdict: Verdict, corrected: Correction) -> str:
    """What the tests say of the questions."""
    assert compared.scale
    assert corrected.p_for is not None
    assert corrected.p_against is not None
    assert corrected.p_worse is not None
    low, high = questions(compared.test)
    least, margin = _share(compared.scale, abs(low)), _share(compared.scale, abs(high))
    worst = _share(compared.scale, compared.test.margin)
    if isinstance(compared.test, NoWorse):
        better = f"for being worse by less than {margin}"
        below = f"for being worse by more than {margin}"
    else:
        better = f"for an improvement above {least}" if low else "for an improvement"
        below = f"for one below {margin}" if high else "for a setback"
    worse = f"for being worse by more than {worst}" if compared.test.margin else "for being worse"
    why = _corrected(corrected)
    if verdict == "holds":
        small = corrected.p_against <= corrected.level
        but = f", which is smaller than the margin of {margin}" if small else ""
        return f"{probability(corrected.p_for)} {better}{why}{but}"
    if verdict == "evidence against":
        return f"{probability(corrected.p_worse)} {worse}{why}"
    if verdict == "does not hold":
        return f"{probability(corrected.p_against)} {below}{why}"
    found = f"{probability(corrected.p_for)} {better}"
    return f"{found} and {probability(corrected.p_against)} {below}{why}"


def _corrected(corrected: Correction) -> str:
    reasons = []
    if corrected.comparisons > 1:
        kind = f" of the family {corrected.family}" if corrected.family else ""
        reasons.append(f"{corrected.comparisons} comparisons{kind}")
    if corrected.looks > 1:
        reasons.append(f"{corrected.looks} looks")
    return f" after correction for {listed(reasons)}" if reasons else ""


def _share(scale: Scale, improvement: float) -> str:
    return f"{100 * improvement:.3g} %" if scale.relative else f"{improvement:.3f}"


def _nothing_to_test(compared: Comparison) -> str:
    test, (one, two) = compared.test, compared.trials
    if not one or not two:
        return f"No trial of {test.other if one else test.method} has ended"
    if compared.unmeasured:
        return f"{subject(test)} was not measured in {compared.unmeasured} of {one + two} trials"
    if compared.scale is None:
        return f"{subject(test)} of {test.other} is 0: nothing can be a share of it"
    left = min(n - failed for n, failed in zip(compared.trials, compared.failures, strict=True))
    if left < 2 and not isinstance(test, FasterTo):
        return "Each method needs two trials that finished"
    return "The trials of each method are all alike, which leaves no spread to test against"


def _failed(compared: Comparison, verdict: Verdict, p_worse: float | None) -> list[str]:
    """How often trials failed, and what follows from it."""
    method, other = compared.failures
    if not method and not other:
        return []
    trials, others = compared.trials
    what, counted = "failed", ""
    if isinstance(compared.test, FasterTo):
        what = f"failed or did not reach FD {compared.test.fd:g}"
        counted = " (which counts as if right after the last measurement)"
    names = compared.test.method, compared.test.other
    of = f" of {others}" if others != trials else ""
    said = f"{names[0]} {what} in {method} of {trials} trials, {names[1]} in {other}{of}{counted}"
    if compared.never_worked and p_worse is not None:
        chance = f"{probability(p_worse)}, corrected"
        if verdict == "evidence against":
            return [f"{said}: what never works is not better ({chance})."]
        return [f"{said}: too few trials to tell that from chance ({chance})."]
    if method * others > other * trials:
        return [f"{said}: a claim cannot hold for the one that fails more often."]
    return [f"{said}."]


def _needed(compared: Comparison, corrected: Correction) -> list[str]:
    """How many seeds would probably give a verdict, if all stays as it is."""
    if compared.scale is None or compared.p_for is None or compared.never_worked:
        return []
    more = seeds_needed(compared, corrected.level / corrected.comparisons)
    if more is None:
        return ["Many more seeds would be needed."]
    each = max(compared.trials) + more
    return [f"About {each} seeds would be needed if the spread stays as it is."]


def seeds_needed(compared: Comparison, level: float) -> int | None:
    """How many more seeds of each method would show one of the two answers.

    That is the number with which a mean and a spread like those of the seeds so far would be
    just enough: the verdict is then as likely as not.

    Args:
        compared: what is known.
        level: of the one-sided t-test.

    Returns:
        At least 1; None where the seeds would be above 50, or nothing can be computed.
    """
    if compared.contrast is None or compared.scale is None:
        return None
    above, below = (compared.scale.difference(bound) for bound in questions(compared.test))
    (method, other), (trials, others) = compared.failures, compared.trials
    above = above if method * others <= other * trials else math.inf
    below = below if other * trials <= method * others else -math.inf
    for more in range(1, MOST_SEEDS + 1 - max(compared.trials)):
        then = compared.contrast.with_more(more)
        if min(then.above(above), then.below(below)) <= level:
            return more
    return None
