"""One claim on one dataset: pairs of trials, the improvement, and how probable by chance.

Two questions are asked, each by a one-sided t-test on the differences between paired trials
(see `facegan.study.outcomes` for how they are taken):

- for: is the improvement above `by` (for `no_worse`: above −margin)?
- against: is it below the margin, or below `by` where that is more (for `no_worse`: below
  −margin, so that the method is worse by more than is allowed)?

A trial that failed, or never reached the FD, is counted and never helps:

- A pair with a failed trial, or of which cannot be told which was better, is a draw. Draws
  enter as a difference of 0, and the tests are also made without them; the weaker of the two
  results counts.
- If the method failed more often than the other, the first question cannot be answered yes; if
  the other did, the second cannot.
- A time that is known within bounds alone counts as near to the other's as it can be. (Where
  half of all times are early and the others never come, 3 seeds give false verdicts in 7 % of
  studies instead of 5; for log-normal times they stay at 5.)
- If the method failed every time and the other did not, there are no differences to test. The
  second question then has the p of Fisher's exact test on the failures: what never works is
  not better, if that is no chance. It waits for the last trial.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from facegan.study.claims import Better, NoWorse, Test
from facegan.study.outcomes import Reached, Scale, reached, scale_for
from facegan.study.plan import Claim
from facegan.study.results import StudyResults
from facegan.study.statistics import mean_against, mean_interval


@dataclass(frozen=True)
class Comparison:
    """What the trials on one dataset say of a claim, before correction for other claims.

    Attributes:
        claim: from the plan.
        test: the claim's comparison.
        dataset: its name in the plan.
        seeds: whose two trials have both ended.
        outcomes: what the method and the other reached, for each of `seeds`; None where a
            trial was not measured in what the claim is about.
        waiting: how many seeds have not ended.
        scale: on which they are compared; None where they cannot be.
        differences: on that scale, of all pairs but draws, in the order of `seeds`.
        draws: pairs that count as a difference of 0.
        p_for: of the null that the answer to the first question is no; None where too little
            is known.
        p_against: of the null that the answer to the second is no.
    """

    claim: Claim
    test: Test
    dataset: str
    seeds: tuple[int, ...]
    outcomes: tuple[tuple[Reached | None, Reached | None], ...]
    waiting: int
    scale: Scale | None
    differences: tuple[float, ...]
    draws: int
    p_for: float | None
    p_against: float | None

    @property
    def measured(self) -> list[tuple[Reached, Reached]]:
        """The pairs of which both trials were measured, or failed."""
        return [(a, b) for a, b in self.outcomes if a is not None and b is not None]

    @property
    def failures(self) -> tuple[int, int]:
        """How often the method and the other failed, or did not reach the FD."""
        return _failures(self.measured)

    @property
    def improvement(self) -> tuple[float, float, float] | None:
        """The mean over the pairs that are no draws, and the two ends of its interval."""
        found = mean_interval(self.differences)
        if found is None or self.scale is None:
            return None
        mean, low, high = (self.scale.improvement(difference) for difference in found)
        return mean, low, high

    @property
    def wins(self) -> tuple[float, int]:
        """In how many pairs of trials, seeds equal or not, the method is better; and of how many.

        Ties count half.
        """
        if self.scale is None:
            return 0.0, 0
        methods = [a for a, _ in self.outcomes if a is not None]
        others = [b for _, b in self.outcomes if b is not None]
        won = sum(self.scale.wins(a, b) for a in methods for b in others)
        return won, len(methods) * len(others)

    @property
    def never_worked(self) -> bool:
        """Whether the method failed every time, and the other did not, and all have ended."""
        failed, other = self.failures
        trials = len(self.outcomes)
        return self.scale is not None and not self.waiting and other < failed == trials


def compare(results: StudyResults, claim: Claim, dataset: str) -> Comparison:
    """Compare the trials of a claim's two methods on a dataset, as far as they have ended."""
    test = claim.parsed
    method, other = results.of(dataset, test.method), results.of(dataset, test.other)
    seeds = tuple(seed for seed in results.plan.seeds if seed in method and seed in other)
    outcomes = tuple((reached(method[s], test), reached(other[s], test)) for s in seeds)
    waiting = len(results.plan.seeds) - len(seeds)
    measured = [(a, b) for a, b in outcomes if a is not None and b is not None]
    scale = scale_for(test, measured)
    between = [scale.between(a, b) for a, b in measured] if scale else []
    differences = tuple(difference for difference in between if difference is not None)
    draws = len(between) - len(differences)
    p_for = p_against = None
    # A trial without the score may lack it for being bad: what is left says too little.
    if scale and len(measured) == len(outcomes):
        low, high = (scale.difference(bound) for bound in questions(test))
        p_for, p_against = against_chance(differences, draws, low, high, _failures(measured))
    found = Comparison(
        *(claim, test, dataset, seeds, outcomes, waiting, scale, differences, draws),
        *(p_for, p_against),
    )
    if found.never_worked:
        return replace(found, p_for=1.0, p_against=_all_against(len(seeds), found.failures[1]))
    return found


def _all_against(trials: int, failed: int) -> float:
    """Fisher's one-sided p where all of one side's trials failed, and so many of the other's."""
    return math.comb(trials, failed) / math.comb(2 * trials, trials + failed)


def questions(test: Test) -> tuple[float, float]:
    """Above which improvement a claim holds, and below which it does not."""
    if isinstance(test, NoWorse):
        return -test.margin, -test.margin
    by = test.by if isinstance(test, Better) else 0.0
    return by, max(by, test.margin)


def against_chance(
    differences: tuple[float, ...], draws: int, low: float, high: float, failures: tuple[int, int]
) -> tuple[float | None, float | None]:
    """How probable differences like these are if a claim's question is to be answered no.

    Args:
        differences: of pairs that are no draws.
        draws: how many pairs are.
        low: the first question: is the mean above this?
        high: the second: is it below this?
        failures: how often the method and the other failed.

    Returns:
        p for the first and the second; None for both where there are fewer than two
        differences, or all are the same.
    """
    tests = [mean_against(differences, low)], [mean_against(differences, high)]
    if draws and len(differences) > 1:
        tests[0].append(mean_against((*differences, *[0.0] * draws), low))
        tests[1].append(mean_against((*differences, *[0.0] * draws), high))
    # Differences that are all the same leave no test, with or without draws.
    if tests[0][0] is None:
        return None, None
    p_for = max(found[0] for found in tests[0] if found is not None)
    p_against = max(found[1] for found in tests[1] if found is not None)
    return (
        1.0 if failures[0] > failures[1] else p_for,
        1.0 if failures[1] > failures[0] else p_against,
    )


def _failures(pairs: Iterable[tuple[Reached, Reached]]) -> tuple[int, int]:
    pairs = list(pairs)
    return sum(a.value is None for a, _ in pairs), sum(b.value is None for _, b in pairs)
