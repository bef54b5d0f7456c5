"""What differences a study will find, before it is run.

A claim that is tested with too few seeds ends as *not enough evidence* whatever is true. How
large an improvement must be to be found in four of five studies follows from the seeds, the
number of claims, the test, and the noise: how far the trials of one method scatter. Studies are
simulated, with noise as in earlier results or as in those that are published with facegan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from facegan.evaluation.wording import listed
from facegan.seeding import BOOTSTRAP, random
from facegan.study.claims import FasterTo
from facegan.study.contrasts import FEWEST_METHODS, Prior
from facegan.study.looks import levels
from facegan.study.plan import Claim, Plan
from facegan.study.results import StudyResults
from facegan.study.shrinkage import shrunk, welch
from facegan.study.words import factor

POWER = 0.8
_STUDIES = 4000
# A claim about one of these is foretold: the noise of their logarithms is known.
_KNOWN = ("fd", "fd_infinity")


@dataclass(frozen=True)
class Noise:
    """How far log FD scatters from seed to seed.

    Attributes:
        variance: s₀², typical of a method.
        degrees: d₀: the less, the more methods differ in it; infinite where they do not.
        source: where that is known from.
    """

    variance: float
    degrees: float
    source: str

    @classmethod
    def of(cls, results: StudyResults, source: str) -> Noise | None:
        """That of earlier results; None where they are too few."""
        groups = []
        for dataset in results.plan.datasets:
            for name in results.plan.all_methods():
                trials = results.of(dataset, name).values()
                fds = [t.score("fd") for t in trials if t.status == "finished"]
                groups.append([math.log(fd) for fd in fds if fd is not None and fd > 0])
        found = Prior.of(groups)
        return None if found is None else cls(found.variance, found.degrees, source)


# Of the 24 methods of docs/studies, three seeds each; a test compares.
PUBLISHED = Noise(0.00388, 2.61, "the published studies")


@dataclass(frozen=True)
class Design:
    """What decides how much a claim can find.

    Attributes:
        seeds: of the method and of the other.
        comparisons: claims of its family, each dataset counted.
        alpha: level of the family.
        methods: of the study.
        others: seeds of the other methods of the study.
        moderated: whether spreads are shrunk over the methods.
        shares: of all seeds at each look.
    """

    seeds: tuple[int, int]
    comparisons: int
    alpha: float
    methods: int
    others: int
    moderated: bool
    shares: tuple[float, ...] = (1.0,)


def detectable(design: Design, noise: Noise) -> float:
    """The difference of logarithms that is found in four of five studies.

    It is taken to pass by itself: at the level that the first of Holm's steps leaves to each
    claim. Where other claims of the family hold, it is easier.

    Returns:
        The difference; infinite where a method has fewer than two seeds.
    """
    if min(design.seeds) < 2:
        return math.inf
    methods = max(design.methods, 2) if design.moderated else 2
    counts = np.array([*design.seeds, *[design.others] * (methods - 2)], float)
    generator = random(0, BOOTSTRAP, 0)
    shape = (_STUDIES, methods)
    true = np.full(shape, noise.variance)
    if math.isfinite(noise.degrees):
        true = true * noise.degrees / generator.chisquare(noise.degrees, shape)
    degrees = np.broadcast_to(np.maximum(counts - 1, 1), shape)
    found = true * generator.chisquare(degrees) / degrees
    if design.moderated:
        found, freedom = shrunk(found, degrees)
    else:
        freedom = degrees
    one, two = ((found[:, i], freedom[:, i], counts[i : i + 1]) for i in range(2))
    error, freedom = welch(one, two, design.moderated)
    level = levels(design.shares, design.alpha / design.comparisons)[-1]
    by_chance = generator.standard_normal(shape) * np.sqrt(true / counts)
    needed = stdtrit(freedom, 1 - level) * error - by_chance[:, 0] + by_chance[:, 1]
    return float(np.quantile(needed, POWER))


def power_lines(plan: Plan, noise: Noise = PUBLISHED) -> list[str]:
    """What each claim of a plan can find, and what more seeds would add, in lines."""
    told = [claim for claim in plan.claims if _known(claim)]
    if not plan.claims:
        return []
    said = [
        f"How many times better a method must be for its claim to hold in {100 * POWER:.0f} % of "
        f"studies, with noise as in {noise.source} (FD of a method scatters by "
        f"{100 * math.sqrt(noise.variance):.0f} % from seed to seed, typically):"
    ]
    groups: dict[tuple[int, int, str], list[Claim]] = {}
    for claim in told:
        test = claim.parsed
        one, two = (len(plan.seeds_of(name)) for name in (test.method, test.other))
        groups.setdefault((one, two, claim.family), []).append(claim)
    for (one, two, family), claims in groups.items():
        base = _design(plan, (one, two), family)
        further = [
            (f"{extra} seeds", _design(plan, (max(one, extra), max(two, extra)), family, extra))
            for extra in _further(min(one, two))
        ]
        shared = _shared(claims)
        if shared and len(claims) > 2:
            extra = 3 * min(one, two)
            first = claims[0].parsed.method == shared
            seeds = (max(one, extra), two) if first else (one, max(two, extra))
            if seeds != (one, two):
                further.append((f"{extra} seeds of {shared} alone", _design(plan, seeds, family)))
        more = [f"{_factor(design, noise)} with {what}" for what, design in further]
        said.append(
            f"  {_factor(base, noise)} with {_seeds(one, two)} ({_level(base, family)}); "
            f"{listed(more)}:"
        )
        said += [f"    {claim.test}" for claim in claims]
    rest = [claim.test for claim in plan.claims if claim not in told]
    if rest:
        said.append(f"  Not foretold, for their noise is not known: {listed(rest)}.")
    return said


def _known(claim: Claim) -> bool:
    test = claim.parsed
    return not isinstance(test, FasterTo) and test.metric in _KNOWN


def _design(plan: Plan, seeds: tuple[int, int], family: str, others: int = 0) -> Design:
    members = sum(claim.family == family for claim in plan.claims) * len(plan.datasets)
    methods = len(plan.all_methods())
    kind = plan.judging.test
    looks = plan.judging.looks
    return Design(
        seeds,
        members,
        plan.alpha,
        methods,
        max(others, len(plan.seeds)),
        kind == "moderated" or (kind == "auto" and methods >= FEWEST_METHODS),
        (*(look / len(plan.seeds) for look in looks), 1.0),
    )


def _further(seeds: int) -> Sequence[int]:
    return sorted({seeds + 2, 2 * seeds, 3 * seeds} - {seeds})


def _shared(claims: Sequence[Claim]) -> str:
    """The method that all of some claims are about; empty where there is none."""
    common = set.intersection(*({c.parsed.method, c.parsed.other} for c in claims))
    return min(common, default="")


def _seeds(one: int, two: int) -> str:
    return f"{one} seeds each" if one == two else f"{one} and {two} seeds"


def _level(design: Design, family: str) -> str:
    test = "moderated t" if design.moderated else "Welch's test"
    within = f" of the family {family}" if family else ""
    claims = "1 claim" if design.comparisons == 1 else f"{design.comparisons} claims"
    looks = f" and {len(design.shares)} looks" if len(design.shares) > 1 else ""
    return f"{test}, {100 * design.alpha:g} % over {claims}{within}{looks}"


def _factor(design: Design, noise: Noise) -> str:
    difference = detectable(design, noise)
    return factor(difference) if math.isfinite(difference) else "nothing"
