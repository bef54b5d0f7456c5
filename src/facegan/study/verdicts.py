"""From the results of trials to the verdict on each claim."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.study.comparisons import Comparison, compare
from facegan.study.plan import Claim
from facegan.study.reasons import Verdict, why
from facegan.study.results import StudyResults
from facegan.study.statistics import holm
from facegan.values import Value


@dataclass(frozen=True)
class Pair:
    """Two trials from one seed.

    Attributes:
        seed: of both.
        method: what the first reached; None where it failed, or never reached the FD, or was
            not measured in this.
        other: what the second reached; None likewise.
    """

    seed: int
    method: float | None
    other: float | None


@dataclass(frozen=True)
class Judged(Value):
    """A claim and what the trials on one dataset say of it.

    Attributes:
        claim: from the plan.
        dataset: its name in the plan.
        verdict: on it.
        why: the verdict's reason with its numbers, in one or two sentences.
        pairs: all seeds whose two trials have both ended.
        waiting: how many seeds have not.
        relative: whether `improvement` is a share (0.2: a fifth better) or a difference.
        improvement: how much better the method is than the other, then the lower and the upper
            end of its 95 % interval (two-sided, for this claim alone); None where fewer than
            two pairs can be compared. Where times were not reached it is understated.
        probability: of improvement: the share of all pairs of a trial of the method and one of
            the other, seeds equal or not, in which the method does better (ties count half,
            failures lose).
        p_holds: one-sided, of the null that there is no improvement (of `by`), or for
            `no_worse` that it is worse by the margin; None where nothing can be computed, 1
            where the method failed more often than the other.
        p_holds_adjusted: the same, corrected for all claims on all datasets.
        p_against: one-sided, of the null that there is an improvement of the margin or more,
            or for `no_worse` that it is worse by no more than the margin; 1 where the other
            failed more often.
        p_against_adjusted: the same, corrected.
    """

    claim: Claim
    dataset: str
    verdict: Verdict
    why: str
    pairs: tuple[Pair, ...]
    waiting: int
    relative: bool
    improvement: tuple[float, float, float] | None
    probability: float | None
    p_holds: float | None
    p_holds_adjusted: float | None
    p_against: float | None
    p_against_adjusted: float | None


def judge(results: StudyResults) -> tuple[Judged, ...]:
    """Judge each claim on each dataset by the trials that have ended.

    A claim *holds* where the null of `p_holds` is rejected, and *does not hold* where that of
    `p_against` is and the first is not. If both are, there is an improvement that is smaller
    than the margin: the claim holds, and `why` says that it is small. Each kind of verdict is
    corrected by itself (Holm 1979) for the number of claims times datasets: the probability of
    one or more false *holds* is at most the plan's alpha, and that of one or more false *does
    not hold* likewise. Both are promised for each look at the results; a study that is judged
    again and again until something holds has more chances than one.

    What failures and missing measurements do is said in `facegan.study.comparisons`; what the
    tests assume, in `facegan.study.statistics`.

    Returns:
        For each claim of the plan in its order, all datasets in theirs.
    """
    plan = results.plan
    compared = [compare(results, claim, name) for claim in plan.claims for name in plan.datasets]
    holds = holm([each.p_for for each in compared])
    against = holm([each.p_against for each in compared])
    return tuple(
        _judged(*each, len(compared), plan.alpha)
        for each in zip(compared, holds, against, strict=True)
    )


def _judged(
    compared: Comparison,
    p_for: float | None,
    p_against: float | None,
    comparisons: int,
    alpha: float,
) -> Judged:
    verdict: Verdict = "not enough evidence"
    if p_for is not None and p_for <= alpha:
        verdict = "holds"
    elif p_against is not None and p_against <= alpha:
        verdict = "does not hold"
    won, of = compared.wins
    return Judged(
        claim=compared.claim,
        dataset=compared.dataset,
        verdict=verdict,
        why=why(compared, verdict, p_for, p_against, comparisons, alpha),
        pairs=tuple(
            Pair(seed, a.value if a else None, b.value if b else None)
            for seed, (a, b) in zip(compared.seeds, compared.outcomes, strict=True)
        ),
        waiting=compared.waiting,
        relative=compared.scale is not None and compared.scale.relative,
        improvement=compared.improvement,
        probability=won / of if of else None,
        p_holds=compared.p_for,
        p_holds_adjusted=p_for,
        p_against=compared.p_against,
        p_against_adjusted=p_against,
    )
