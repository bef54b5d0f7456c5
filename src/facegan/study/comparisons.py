"""One claim on one dataset: two groups of trials, the improvement, and how probable by chance.

Three questions are asked, each by a one-sided t-test (see `facegan.study.outcomes` for what is
compared, `facegan.study.contrasts` for how):

- for: is the improvement above `by` (for `no_worse`: above −margin)?
- against: is it below the margin, or below `by` where that is more (for `no_worse`: below
  −margin)?
- worse: is it below −margin, so that the method is worse by more than the margin?

By default the seeds of the two methods are not paired: one seed gives two methods other first
weights, and in the published studies trials of one seed were no more alike than others.

A trial that failed, or never reached the FD, is counted and never helps:

- The tests are made twice: of the trials that finished, and with each failed trial at the mean
  of the other method. The weaker of the two results counts. (Of paired trials, a pair with a
  failed one is a difference of 0.)
- If a larger share of the method's trials failed than of the other's, the first question cannot
  be answered yes; if of the other's, neither can the second and the third.
- A time that is known within bounds alone counts as near to the other's as it can be, and the
  spread of both methods as the larger of the two.
- If the method failed every time and the other did not, there is nothing to compare. The second
  and third question then have the p of Fisher's exact test on the failures: what never works is
  not better, if that is no chance. It waits for the last trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from facegan.study.claims import Better, NoWorse, Test
from facegan.study.contrasts import (
    FEWEST_METHODS,
    Contrast,
    Prior,
    between_groups,
    between_pairs,
    gains,
)
from facegan.study.outcomes import Reached, Scale, reached, scale_for
from facegan.study.plan import Claim
from facegan.study.results import StudyResults, TrialResult

Reach = Callable[[TrialResult, Test], Reached | None]
Probabilities = tuple[float | None, float | None, float | None]
_UNKNOWN: Probabilities = (None, None, None)


@dataclass(frozen=True)
class Comparison:
    """What the trials on one dataset say of a claim, before correction for other claims.

    Attributes:
        claim: from the plan.
        test: the claim's comparison.
        dataset: its name in the plan.
        method: what the method's trials that have ended reached, by seed; None where one was
            not measured in what the claim is about.
        other: the same of the other method.
        waiting: how many trials of the two have not ended.
        scale: on which they are compared; None where they cannot be.
        contrast: between those that did not fail; None where nothing can be computed.
        prior: of the spreads of all methods, where it was used.
        p_for: of the null that the answer to the first question is no; None where too little
            is known.
        p_against: the same of the second.
        p_worse: the same of the third.
    """

    claim: Claim
    test: Test
    dataset: str
    method: Mapping[int, Reached | None]
    other: Mapping[int, Reached | None]
    waiting: int
    scale: Scale | None
    contrast: Contrast | None
    prior: Prior | None
    p_for: float | None
    p_against: float | None
    p_worse: float | None

    @property
    def failures(self) -> tuple[int, int]:
        """How often the method and the other failed, or did not reach the FD."""
        return _failures(self.method), _failures(self.other)

    @property
    def trials(self) -> tuple[int, int]:
        """How many trials of each have ended."""
        return len(self.method), len(self.other)

    @property
    def unmeasured(self) -> int:
        """Trials that finished without what the claim is about."""
        return sum(r is None for r in (*self.method.values(), *self.other.values()))

    @property
    def improvement(self) -> tuple[float, float, float] | None:
        """As what is shown, a share or a difference, and the two ends of its interval."""
        if self.contrast is None or self.scale is None:
            return None
        mean, low, high = map(self.scale.improvement, self.contrast.interval)
        return mean, low, high

    @property
    def means(self) -> tuple[float | None, float | None]:
        """Of the trials that did not fail: geometric for logarithms, otherwise as usual."""
        if self.scale is None:
            return None, None
        sides = gains(self.scale, _measured(self.method), _measured(self.other))[:2]
        one, two = (self.scale.back(math.fsum(s) / len(s)) if s else None for s in sides)
        return one, two

    @property
    def wins(self) -> tuple[float, int]:
        """In how many pairs of trials, whatever their seeds, the method is better; of how many.

        Ties count half.
        """
        if self.scale is None:
            return 0.0, 0
        methods, others = _measured(self.method).values(), _measured(self.other).values()
        won = sum(self.scale.wins(a, b) for a in methods for b in others)
        return won, len(methods) * len(others)

    @property
    def never_worked(self) -> bool:
        """Whether the method failed every time, and the other did not, and all have ended."""
        failed, other = self.failures
        return (
            self.scale is not None
            and not self.waiting
            and failed == len(self.method) > 0
            and other < len(self.other)
        )


def compare(
    results: StudyResults,
    claim: Claim,
    dataset: str,
    share: float = 1.0,
    reach: Reach = reached,
) -> Comparison:
    """Compare the trials of a claim's two methods on a dataset, as far as they have ended.

    Args:
        results: of the study.
        claim: of its plan, or another about its methods.
        dataset: its name in the plan.
        share: of each method's seeds, in their order, that are compared.
        reach: what a trial reached in what a claim is about.
    """
    test = claim.parsed
    asked = [results.plan.seeds_of(name) for name in (test.method, test.other)]
    used = [seeds[: seeds_at(len(seeds), share)] for seeds in asked]
    ended = [results.of(dataset, name) for name in (test.method, test.other)]
    method, other = (
        {seed: reach(trials[seed], test) for seed in seeds if seed in trials}
        for seeds, trials in zip(used, ended, strict=True)
    )
    waiting = sum(len(seeds) for seeds in used) - len(method) - len(other)
    scale = scale_for(test, _measured(method).values(), _measured(other).values())
    found = Comparison(
        *(claim, test, dataset, method, other, waiting, scale, None, None, *_UNKNOWN),
    )
    if scale is None:
        return found
    kind = results.plan.judging.test
    shared = None
    if kind != "paired":
        shared = _prior(results, test, dataset, scale, share, reach)
    contrasts = _contrasts(found, scale, shared, kind == "paired")
    found = replace(found, contrast=contrasts[0], prior=shared)
    # A trial without the score may lack it for being bad: what is left says too little.
    if found.unmeasured:
        return found
    if found.never_worked:
        p = _all_against(len(method), len(other), found.failures[1])
        return replace(found, p_for=1.0, p_against=p, p_worse=p)
    p_for, p_against, p_worse = _probabilities(found, scale, contrasts)
    return replace(found, p_for=p_for, p_against=p_against, p_worse=p_worse)


def seeds_at(seeds: int, share: float) -> int:
    """How many of a method's seeds belong to a share of all."""
    return math.floor(share * seeds + 1e-9)


def _contrasts(
    found: Comparison, scale: Scale, shared: Prior | None, paired: bool
) -> list[Contrast | None]:
    """Of the trials that finished; then, where some failed, with these as no difference."""
    one, two = _measured(found.method), _measured(found.other)
    if paired:
        between = [scale.between(one[seed], two[seed]) for seed in one if seed in two]
        known = [difference for difference in between if difference is not None]
        draws = [0.0] * (len(between) - len(known))
        # Draws do not make a test where there is none.
        versions = [known, [*known, *draws]] if draws and len(known) > 1 else [known]
        return [between_pairs(numbers) for numbers in versions]
    a, b, bounded = gains(scale, one, two)
    found_ones = [between_groups(a, b, shared, bounded)]
    missing = len(one) - len(a), len(two) - len(b)
    if any(missing) and found_ones[0] is not None:
        means = math.fsum(a) / len(a), math.fsum(b) / len(b)
        with_failed = [*a, *[means[1]] * missing[0]], [*b, *[means[0]] * missing[1]]
        found_ones.append(between_groups(*with_failed, shared, bounded))
    return found_ones


def _probabilities(
    found: Comparison, scale: Scale, contrasts: Sequence[Contrast | None]
) -> Probabilities:
    if contrasts[0] is None:
        return _UNKNOWN
    made = [contrast for contrast in contrasts if contrast is not None]
    low, high = (scale.difference(bound) for bound in questions(found.test))
    floor = scale.difference(-found.test.margin)
    p_for = max(contrast.above(low) for contrast in made)
    p_against = max(contrast.below(high) for contrast in made)
    p_worse = max(contrast.below(floor) for contrast in made)
    (one, two), (trials, others) = found.failures, found.trials
    if one * others > two * trials:
        p_for = 1.0
    if two * trials > one * others:
        p_against = p_worse = 1.0
    return p_for, p_against, p_worse


def _prior(
    results: StudyResults, test: Test, dataset: str, scale: Scale, share: float, reach: Reach
) -> Prior | None:
    """That of all methods' spreads, where the plan's test has one and there are enough."""
    kind = results.plan.judging.test
    if scale.kind != "log" or not isinstance(test, Better | NoWorse) or kind == "welch":
        return None
    groups = []
    for name in results.plan.all_methods():
        seeds = results.plan.seeds_of(name)
        trials = results.of(dataset, name)
        reaches = [
            reach(trials[seed], test)
            for seed in seeds[: seeds_at(len(seeds), share)]
            if seed in trials
        ]
        values = [r.most for r in reaches if r is not None and r.value is not None]
        if len(values) > 1 and all(value > 0 for value in values):
            groups.append([scale.gain(value) for value in values])
    if kind == "auto" and len(groups) < FEWEST_METHODS:
        return None
    return Prior.of(groups)


def _all_against(trials: int, others: int, failed: int) -> float:
    """Fisher's one-sided p where all of one side's trials failed, and so many of the other's."""
    return math.comb(others, failed) / math.comb(trials + others, trials + failed)


def questions(test: Test) -> tuple[float, float]:
    """Above which improvement a claim holds, and below which it does not."""
    if isinstance(test, NoWorse):
        return -test.margin, -test.margin
    by = test.by if isinstance(test, Better) else 0.0
    return by, max(by, test.margin)


def _measured(side: Mapping[int, Reached | None]) -> dict[int, Reached]:
    return {seed: reached for seed, reached in side.items() if reached is not None}


def _failures(side: Mapping[int, Reached | None]) -> int:
    return sum(reached.value is None for reached in _measured(side).values())
