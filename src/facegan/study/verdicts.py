"""From the results of trials to the verdict on each claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facegan.study.comparisons import Comparison, Reach, compare, seeds_at
from facegan.study.contrasts import Kind
from facegan.study.looks import spread_over
from facegan.study.marks import marks
from facegan.study.outcomes import Scale, reached
from facegan.study.plan import Claim, Plan
from facegan.study.reasons import VERDICTS, Correction, Verdict, why
from facegan.study.results import StudyResults
from facegan.study.statistics import holm
from facegan.values import Value

__all__ = ["VERDICTS", "Judged", "Pair", "Verdict", "judge", "look_at"]


@dataclass(frozen=True)
class Pair:
    """What two methods reached with one seed.

    Attributes:
        seed: of both.
        method: what the first reached; None where it failed, or never reached the FD, or was
            not measured in this, or has no such trial.
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
        marks: what was changed of the claim after the first result, each in a few words.
        pairs: all seeds with a trial that has ended.
        waiting: how many trials of the two methods have not.
        means: of the method's and of the other's trials, geometric for distances and times.
        scale: on which they are compared; None where they cannot be.
        difference: on that scale, positive where the method is better, then the lower and the
            upper end of its 95 % interval (two-sided, for this claim alone); None where
            nothing can be computed. Where times were not reached it is understated.
        improvement: the same as a share (0.2: a fifth better) or a difference.
        test: which was made.
        degrees: of freedom of the test.
        probability: of improvement: the share of all pairs of a trial of the method and one of
            the other, seeds equal or not, in which the method does better (ties count half,
            failures lose).
        p_holds: one-sided, of the null that there is no improvement (of `by`), or for
            `no_worse` that it is worse by the margin; None where nothing can be computed, 1
            where the method failed more often than the other.
        p_holds_adjusted: the same, corrected for all claims of the family on all datasets, and
            for looks.
        p_against: one-sided, of the null that there is an improvement of the margin or more,
            or for `no_worse` that it is worse by no more than the margin; 1 where the other
            failed more often.
        p_against_adjusted: the same, corrected.
        p_worse: one-sided, of the null that it is worse by no more than the margin.
        p_worse_adjusted: the same, corrected.
    """

    claim: Claim
    dataset: str
    verdict: Verdict
    why: str
    marks: tuple[str, ...]
    pairs: tuple[Pair, ...]
    waiting: int
    means: tuple[float | None, float | None]
    scale: Scale | None
    difference: tuple[float, float, float] | None
    improvement: tuple[float, float, float] | None
    test: Kind | None
    degrees: float | None
    probability: float | None
    p_holds: float | None
    p_holds_adjusted: float | None
    p_against: float | None
    p_against_adjusted: float | None
    p_worse: float | None
    p_worse_adjusted: float | None

    @property
    def relative(self) -> bool:
        """Whether `improvement` is a share and not a difference."""
        return self.scale is not None and self.scale.relative


def judge(results: StudyResults, reach: Reach = reached) -> tuple[Judged, ...]:
    """Judge each claim on each dataset by the trials that have ended.

    A claim *holds* where the null of `p_holds` is rejected. Otherwise there is *evidence
    against* it where that of `p_worse` is, and it *does not hold* where that of `p_against` is.
    If those of `p_holds` and `p_against` both are, there is an improvement that is smaller than
    the margin: the claim holds, and `why` says that it is small. Each kind of verdict is
    corrected by itself (Holm 1979) for the number of claims times datasets of a family: the
    probability of one or more false *holds* in it is at most the plan's alpha, and the same is
    true of the two others. All are promised for one look at the results, or for the looks that
    the plan declares; a study that is judged again and again until something holds has more
    chances than one.

    What failures and missing measurements do is said in `facegan.study.comparisons`; what the
    tests assume, in `facegan.study.statistics`.

    Args:
        results: of the trials so far.
        reach: what a trial reached in what a claim is about.

    Returns:
        For each claim of the plan in its order, all datasets in theirs.
    """
    plan = results.plan
    shares = look_at(results)
    asked = [(claim, dataset) for claim in plan.claims for dataset in plan.datasets]
    compared = [compare(results, *each, shares[-1] if shares else 0.0, reach) for each in asked]
    found: list[Judged | None] = [None] * len(compared)
    for family in dict.fromkeys(claim.family for claim, _ in asked):
        members = [place for place, (claim, _) in enumerate(asked) if claim.family == family]
        corrected = [
            holm([_over_looks(p, shares) for p in each])
            for each in (
                [compared[place].p_for for place in members],
                [compared[place].p_against for place in members],
                [compared[place].p_worse for place in members],
            )
        ]
        looks = len(plan.judging.looks) + 1
        for place, p_for, p_against, p_worse in zip(members, *corrected, strict=True):
            correction = Correction(
                *(p_for, p_against, p_worse), len(members), family, plan.alpha, looks
            )
            found[place] = _judged(results, compared[place], correction)
    return tuple(one for one in found if one is not None)


def look_at(results: StudyResults) -> tuple[float, ...]:
    """The shares of all seeds at the looks up to the last that can be taken.

    A plan without looks is judged by what is there: one share, 1. With looks, verdicts rest on
    the seeds of the last look of which all trials have ended; empty before the first.
    """
    plan = results.plan
    if not plan.judging.looks:
        return (1.0,)
    shares = [*(look / len(plan.seeds) for look in plan.judging.looks), 1.0]
    return tuple(share for share in shares if _ended(results, share))


def _ended(results: StudyResults, share: float) -> bool:
    plan = results.plan
    for dataset in plan.datasets:
        for name in plan.all_methods():
            seeds = plan.seeds_of(name)
            ended = results.of(dataset, name)
            if any(seed not in ended for seed in seeds[: seeds_at(len(seeds), share)]):
                return False
    return True


def _over_looks(p: float | None, shares: Sequence[float]) -> float | None:
    return None if p is None else spread_over(p, tuple(shares))


def decided(plan: Plan, judged: Sequence[Judged]) -> bool:
    """Whether a study with looks may end before its last seed: every claim has a verdict."""
    return (
        bool(plan.judging.looks)
        and bool(judged)
        and all(one.verdict != "not enough evidence" for one in judged)
    )


def _judged(results: StudyResults, compared: Comparison, corrected: Correction) -> Judged:
    level = corrected.level

    def rejected(p: float | None) -> bool:
        return p is not None and p <= level

    verdict: Verdict = "not enough evidence"
    if rejected(corrected.p_for):
        verdict = "holds"
    elif rejected(corrected.p_worse):
        verdict = "evidence against"
    elif rejected(corrected.p_against):
        verdict = "does not hold"
    won, of = compared.wins
    contrast = compared.contrast
    reason = why(compared, verdict, corrected)
    plan = results.plan
    if plan.judging.looks and not look_at(results):
        reason = f"The first look comes after {plan.judging.looks[0]} seeds of every method."
    return Judged(
        claim=compared.claim,
        dataset=compared.dataset,
        verdict=verdict,
        why=reason,
        marks=marks(plan, results.first, compared.claim),
        pairs=_pairs(compared),
        waiting=compared.waiting,
        means=compared.means,
        scale=compared.scale,
        difference=contrast.interval if contrast is not None else None,
        improvement=compared.improvement,
        test=contrast.kind if contrast is not None else None,
        degrees=contrast.degrees if contrast is not None else None,
        probability=won / of if of else None,
        p_holds=compared.p_for,
        p_holds_adjusted=corrected.p_for,
        p_against=compared.p_against,
        p_against_adjusted=corrected.p_against,
        p_worse=compared.p_worse,
        p_worse_adjusted=corrected.p_worse,
    )


def _pairs(compared: Comparison) -> tuple[Pair, ...]:
    def value(side: object) -> float | None:
        return getattr(side, "value", None)

    return tuple(
        Pair(seed, value(compared.method.get(seed)), value(compared.other.get(seed)))
        for seed in dict.fromkeys((*compared.method, *compared.other))
    )
