"""The reason of a verdict in plain English, with its numbers."""

from __future__ import annotations

import math
from typing import Literal

from facegan.evaluation.results import LESS_IS_BETTER, SCORE_TITLES
from facegan.study.claims import FasterTo, NoWorse
from facegan.study.comparisons import Comparison, questions
from facegan.study.outcomes import Scale
from facegan.study.statistics import standard_error, student_tail

Verdict = Literal["holds", "does not hold", "not enough evidence"]

# More seeds than this are "many more".
MOST_SEEDS = 50


def why(
    compared: Comparison,
    verdict: Verdict,
    p_for: float | None,
    p_against: float | None,
    comparisons: int,
    alpha: float,
) -> str:
    """Say why a verdict is as it is.

    Args:
        compared: the trials.
        verdict: on the claim.
        p_for: corrected.
        p_against: corrected.
        comparisons: how many claims are tested, each dataset counted.
        alpha: level of the study.
    """
    said = []
    if p_for is None or p_against is None:
        said = [f"{_nothing_to_test(compared)}."]
    elif not compared.never_worked:
        tested = _tested(compared, verdict, p_for, p_against, comparisons, alpha)
        said = [f"{_found(compared)}; {tested}."]
    said += _failed(compared, verdict, p_against)
    if verdict == "not enough evidence" and not compared.waiting:
        said += _needed(compared, comparisons, alpha)
    if compared.waiting:
        total = compared.waiting + len(compared.seeds)
        said[0] = f"So far, with {compared.waiting} of {total} seeds still open: {said[0]}"
    return " ".join(said)


def _found(compared: Comparison) -> str:
    assert compared.scale
    assert compared.improvement
    won, of = compared.wins
    seeds = len(compared.seeds)
    return (
        f"{_subject(compared)} {_amount(compared, compared.scale, compared.improvement)} "
        f"over {seeds} seeds, better in {won:g} of {of} pairs of trials"
    )


def _subject(compared: Comparison) -> str:
    if isinstance(compared.test, FasterTo):
        unit = "machine-seconds" if compared.test.axis == "seconds" else "kimg"
        return f"Time to FD {compared.test.fd:g} in {unit}"
    title = SCORE_TITLES[compared.test.metric]
    return title[0].upper() + title[1:]


def _amount(compared: Comparison, scale: Scale, found: tuple[float, float, float]) -> str:
    """`38.1 % lower (31.0 to 44.5 %)`: an improvement and its interval."""
    value, low, high = found
    words = _words(compared)
    if low * high > 0 and max(abs(low), abs(high)) < 3:
        ends = sorted((abs(low), abs(high)))
        unit = " %" if scale.relative else ""
        one, two = (_number(scale, end) for end in ends)
        return f"{_signed(scale, value, words)} ({one.removesuffix(unit)} to {two})"
    return (
        f"{_signed(scale, value, words)} "
        f"({_signed(scale, low, words)} to {_signed(scale, high, words)})"
    )


def _words(compared: Comparison) -> tuple[str, str]:
    """What a better and a worse number is."""
    if isinstance(compared.test, FasterTo):
        return "shorter", "longer"
    return ("lower", "higher") if compared.test.metric in LESS_IS_BETTER else ("higher", "lower")


def _signed(scale: Scale, improvement: float, words: tuple[str, str]) -> str:
    if scale.kind == "log" and improvement <= -3:
        times = 1 - improvement
        return f"{words[1]} by {times:.1f} times" if times < 1000 else f"{words[1]} by far"
    return f"{_number(scale, abs(improvement))} {words[improvement < 0]}"


def _number(scale: Scale, improvement: float) -> str:
    return f"{100 * improvement:.1f} %" if scale.relative else f"{improvement:.3f}"


def _p(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def _tested(
    compared: Comparison,
    verdict: Verdict,
    p_for: float,
    p_against: float,
    comparisons: int,
    alpha: float,
) -> str:
    """What the tests say of the two questions."""
    assert compared.scale
    low, high = questions(compared.test)
    least, margin = _number(compared.scale, abs(low)), _number(compared.scale, abs(high))
    corrected = f" after correction for {comparisons} comparisons" if comparisons > 1 else ""
    if isinstance(compared.test, NoWorse):
        better = f"for being worse by less than {margin}"
        worse = f"for being worse by more than {margin}"
    else:
        better = f"for an improvement above {least}" if low else "for an improvement"
        worse = f"for one below {margin}" if high else "for a setback"
    if verdict == "holds":
        but = f", which is smaller than the margin of {margin}" if p_against <= alpha else ""
        return f"{_p(p_for)} {better}{corrected}{but}"
    if verdict == "does not hold":
        return f"{_p(p_against)} {worse}{corrected}"
    return f"{_p(p_for)} {better} and {_p(p_against)} {worse}{corrected}"


def _nothing_to_test(compared: Comparison) -> str:
    test = compared.test
    pairs = len(compared.differences)
    if not compared.seeds:
        return "No seed has ended with both methods"
    unmeasured = len(compared.seeds) - len(compared.measured)
    if unmeasured:
        return (
            f"{_subject(compared)} was not measured in {unmeasured} of {len(compared.seeds)} seeds"
        )
    if compared.scale is None:
        return f"{_subject(compared)} of {test.other} is 0: nothing can be a share of it"
    if pairs < 2:
        return f"{pairs} of {len(compared.seeds)} seeds can be compared; two are needed at least"
    return (
        f"The two methods differ by the same amount in all {pairs} seeds, "
        "which leaves no spread to test against"
    )


def _failed(compared: Comparison, verdict: Verdict, p_against: float | None) -> list[str]:
    """How often trials failed, and what follows from it."""
    method, other = compared.failures
    if not method and not other:
        return []
    trials = len(compared.measured)
    what, counted = "failed", ""
    if isinstance(compared.test, FasterTo):
        what = f"failed or did not reach FD {compared.test.fd:g}"
        counted = " (which counts as if right after the last measurement)"
    names = compared.test.method, compared.test.other
    said = f"{names[0]} {what} in {method} of {trials} trials, {names[1]} in {other}{counted}"
    if compared.never_worked and p_against is not None:
        chance = f"{_p(p_against)}, corrected"
        if verdict == "does not hold":
            return [f"{said}: what never works is not better ({chance})."]
        return [f"{said}: too few trials to tell that from chance ({chance})."]
    if method > other:
        return [f"{said}: a claim cannot hold for the one that fails more often."]
    return [f"{said}."]


def _needed(compared: Comparison, comparisons: int, alpha: float) -> list[str]:
    """How many seeds would probably give a verdict, if all stays as it is."""
    if compared.scale is None or compared.p_for is None or compared.draws or compared.never_worked:
        return []
    above, below = (compared.scale.difference(bound) for bound in questions(compared.test))
    method, other = compared.failures
    seeds = seeds_needed(
        compared.differences,
        above if method <= other else math.inf,
        below if other <= method else -math.inf,
        alpha / comparisons,
    )
    if seeds is None:
        return ["Many more seeds would be needed."]
    return [f"About {seeds} seeds would be needed if the spread stays as it is."]


def seeds_needed(
    differences: tuple[float, ...], above: float, below: float, level: float
) -> int | None:
    """How many seeds would show the mean to be above one bound or below another.

    That is the number with which a mean and a spread like those of the seeds so far would be
    just enough: the verdict is then as likely as not.

    Args:
        differences: of the seeds so far: at least two, not all the same.
        above: infinite where that is not to be shown.
        below: minus infinity where that is not.
        level: of the one-sided t-test.

    Returns:
        The number, above that of the differences; None where it would be above 50.
    """
    error = standard_error(differences)
    assert error is not None
    mean, so_far = sum(differences) / len(differences), len(differences)
    distance = max(mean - above, below - mean) / error
    for seeds in range(so_far + 1, MOST_SEEDS + 1):
        if student_tail(distance * math.sqrt(seeds / so_far), seeds - 1) <= level:
            return seeds
    return None
