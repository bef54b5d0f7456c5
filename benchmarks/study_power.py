"""What a study's tests find, and how often they are wrong, in studies whose truth is known.

Simulates studies like the shipped `ignm`: sixteen methods, sixteen claims, ten of them about parts
of one method, of which five help. The designs are compared on the same noise: normal, Student's t
with five degrees of freedom, exponential; its size is the same for all methods, or differs by a
log-normal factor (σ = 0.7), as in the published studies.

    python benchmarks/study_power.py            # tables of docs/study-power.md, some minutes
    python benchmarks/study_power.py --studies 2000
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from facegan.study.looks import levels
from facegan.study.shrinkage import shrunk, welch

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
NOISE: dict[str, Draw] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "t5": lambda random, shape: random.standard_t(5, shape) / np.sqrt(5 / 3),
    "exponential": lambda random, shape: random.exponential(size=shape) - 1,
}
METHODS, SCATTER, FACTOR, ALPHA = 16, 0.08, 0.7, 0.05
# (method, other): ten parts of method 0; method 11 against four others and 0; 0 against 12.
PARTS = [(0, i) for i in range(1, 11)]
OTHERS = [(11, 12), (11, 13), (11, 14), (11, 15), (0, 12), (11, 0)]
HELP = range(5)  # of the parts


@dataclass(frozen=True)
class Design:
    """How claims are tested.

    Attributes:
        name: in the tables.
        test: `paired`, `welch` or `moderated`.
        families: whether parts and other claims are corrected apart.
        more: how many times the others' seeds method 0 has.
    """

    name: str
    test: str
    families: bool = False
    more: int = 1


DESIGNS = (
    Design("paired t, one family (until now)", "paired"),
    Design("Welch, one family", "welch"),
    Design("moderated t, one family", "moderated"),
    Design("moderated t, two families", "moderated", families=True),
    Design("the same, three times the seeds of the shared method", "moderated", True, 3),
)


def trials(
    random: np.random.Generator, noise: str, studies: int, seeds: int, uneven: bool, gain: float
) -> Floats:
    """How good trials are, minus log FD [studies, methods, seeds]."""
    size = SCATTER * np.ones((studies, METHODS, 1))
    if uneven:
        size = size * np.exp(FACTOR * random.standard_normal(size.shape))
    better = np.zeros(METHODS)
    if gain:
        # The whole method and what lacks a part that does nothing: equally good.
        better[[0, *(PARTS[i][1] for i in range(10) if i not in HELP)]] = -np.log1p(-gain)
    return better[:, None] + size * NOISE[noise](random, (studies, METHODS, seeds))


def tested(
    x: Floats, seeds: int, design: Design, claims: Sequence[tuple[int, int]]
) -> tuple[Floats, Floats, Floats]:
    """Differences, standard errors, degrees of freedom [studies, claims] by a design's test."""
    one, two = map(list, zip(*claims, strict=True))
    if design.test == "paired":
        between = x[:, one, :seeds] - x[:, two, :seeds]
        error = between.std(-1, ddof=1) / np.sqrt(seeds)
        return between.mean(-1), error, np.full(error.shape, seeds - 1.0)
    counts = np.full(METHODS, float(seeds))
    counts[0] = design.more * seeds
    means = np.stack([x[:, m, : int(n)].mean(-1) for m, n in enumerate(counts)], 1)
    variances = np.stack([x[:, m, : int(n)].var(-1, ddof=1) for m, n in enumerate(counts)], 1)
    degrees = np.broadcast_to(counts - 1, variances.shape)
    moderated = design.test == "moderated"
    if moderated:
        variances, degrees = shrunk(variances, degrees)
    first, second = ((variances[:, i], degrees[:, i], counts[i]) for i in (one, two))
    error, freedom = welch(first, second, moderated)
    return means[:, one] - means[:, two], error, freedom


def rejected(p: Floats, alpha: float) -> NDArray[np.bool_]:
    """Which claims of each row hold after Holm's correction."""
    order = np.argsort(p, 1)
    steps = np.take_along_axis(p, order, 1) * (p.shape[1] - np.arange(p.shape[1]))
    passed = np.maximum.accumulate(steps, 1) <= alpha
    found = np.empty_like(passed)
    np.put_along_axis(found, order, passed, 1)
    return found


def families(design: Design) -> list[list[tuple[int, int]]]:
    """The claims that are corrected together."""
    return [PARTS, OTHERS] if design.families else [PARTS + OTHERS]


def simulate(
    design: Design, noise: str, seeds: int, gain: float, uneven: bool, studies: int
) -> tuple[float, float, float]:
    """Power, false verdicts and coverage of the 95 % interval."""
    random = np.random.default_rng([seeds, round(100 * gain), uneven, list(NOISE).index(noise)])
    x = trials(random, noise, studies, design.more * seeds, uneven, gain)
    found, wrong, inside = [], [], []
    for claims in families(design):
        difference, error, freedom = tested(x, seeds, design, claims)
        holds = rejected(stdtr(freedom, -difference / error), ALPHA)
        true = np.array([_true(claim, gain) for claim in claims])
        if (true > 0).any():
            found.append(
                holds[:, [c in PARTS and t > 0 for c, t in zip(claims, true, strict=True)]].ravel()
            )
        null = true <= 0
        if null.any():
            wrong.append(holds[:, null].any(1).mean())
        reach = stdtrit(freedom, 0.975) * error
        inside.append((np.abs(difference - true) <= reach).ravel())
    power = float(np.mean(np.concatenate(found))) if found else float("nan")
    return power, float(max(wrong)), float(np.mean(np.concatenate(inside)))


def _true(claim: tuple[int, int], gain: float) -> float:
    better = {0, *(PARTS[i][1] for i in range(10) if i not in HELP)} if gain else set()
    return -float(np.log1p(-gain)) * ((claim[0] in better) - (claim[1] in better))


def with_looks(noise: str, gain: float, uneven: bool, studies: int) -> tuple[float, float, float]:
    """Nine seeds, judged after 3, 5 and 9: power, false verdicts, mean seeds until found."""
    design, looks = Design("looks", "moderated", True), (3, 5, 9)
    random = np.random.default_rng([9, round(100 * gain), uneven, list(NOISE).index(noise)])
    x = trials(random, noise, studies, 9, uneven, gain)
    shares = tuple(look / 9 for look in looks)
    ever = np.zeros((studies, len(PARTS)), bool)
    when = np.full((studies, len(PARTS)), 9.0)
    true = np.array([_true(claim, gain) for claim in PARTS])
    for number, look in enumerate(looks, 1):
        difference, error, freedom = tested(x, look, design, PARTS)
        p = stdtr(freedom, -difference / error)
        # Holm's steps, each with the level that this look has of its share of alpha.
        order = np.argsort(p, 1)
        steps = [levels(shares[:number], ALPHA / (len(PARTS) - k))[-1] for k in range(len(PARTS))]
        passed = np.take_along_axis(p, order, 1) <= np.array(steps)
        passed = np.logical_and.accumulate(passed, 1)
        now = np.empty_like(passed)
        np.put_along_axis(now, order, passed, 1)
        when[now & ~ever] = look
        ever |= now
    wrong = float(ever[:, true <= 0].any(1).mean())
    if not gain:
        return float("nan"), wrong, float("nan")
    return float(ever[:, true > 0].mean()), wrong, float(when[:, true > 0].mean())


def of_few(test: str, methods: int, seeds: int, factor: float, studies: int) -> float:
    """False verdicts where all of a few methods are compared with one of them; none is better."""
    random = np.random.default_rng([methods, seeds])
    size = SCATTER * np.exp(factor * random.standard_normal((studies, methods, 1)))
    x = size * random.standard_normal((studies, methods, seeds))
    variances, degrees = x.var(2, ddof=1), np.full((studies, methods), seeds - 1.0)
    if test == "moderated":
        variances, degrees = shrunk(variances, degrees)
    n = np.asarray(float(seeds))
    first, second = ((variances[:, i], degrees[:, i], n) for i in (slice(1), slice(1, None)))
    error, freedom = welch(first, second, test == "moderated")
    difference = x[:, :1].mean(2) - x[:, 1:].mean(2)
    return float(rejected(stdtr(freedom, -difference / error), ALPHA).any(1).mean())


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print Markdown."""
    print(f"\n| {' | '.join(titles)} |")
    print("|---|" + "---:|" * (len(titles) - 1))
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Simulate and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--studies", type=int, default=20_000)
    studies = arguments.parse_args().studies
    cases = list(itertools.product((3, 5), (0.2, 0.3)))
    for uneven in (True, False):
        print(f"\nPower, normal noise, {'uneven' if uneven else 'even'} scatter:")
        table(
            ["design", *(f"{n} seeds, {100 * gain:.0f} %" for n, gain in cases)],
            (
                [
                    d.name,
                    *(f"{simulate(d, 'normal', n, g, uneven, studies)[0]:.2f}" for n, g in cases),
                ]
                for d in DESIGNS
            ),
        )
    print("\nStudies with a false verdict, none of the claims true; the worst of even and uneven:")
    columns = list(itertools.product(NOISE, (3, 5)))
    table(
        ["design", *(f"{noise}, {n} seeds" for noise, n in columns)],
        (
            [
                d.name,
                *(
                    f"{max(simulate(d, noise, n, 0.0, u, studies)[1] for u in (False, True)):.3f}"
                    for noise, n in columns
                ),
            ]
            for d in DESIGNS
        ),
    )
    print("\nThe same with even scatter alone:")
    table(
        ["design", *(f"{noise}, {n} seeds" for noise, n in columns)],
        (
            [
                d.name,
                *(f"{simulate(d, noise, n, 0.0, False, studies)[1]:.3f}" for noise, n in columns),
            ]
            for d in DESIGNS
        ),
    )
    print("\nCoverage of the 95 % interval of an improvement, uneven scatter:")
    table(
        ["test", *(f"{noise}, {n} seeds" for noise, n in columns)],
        (
            [
                d.test,
                *(f"{simulate(d, noise, n, 0.3, True, studies)[2]:.3f}" for noise, n in columns),
            ]
            for d in DESIGNS[:3]
        ),
    )
    print("\nFound, by noise, uneven scatter:")
    chosen = DESIGNS[0], DESIGNS[1], DESIGNS[3]
    table(
        ["design", *(f"{noise}, {n} seeds, {100 * g:.0f} %" for noise in NOISE for n, g in cases)],
        (
            [
                d.name,
                *(
                    f"{simulate(d, noise, n, g, True, studies)[0]:.2f}"
                    for noise in NOISE
                    for n, g in cases
                ),
            ]
            for d in chosen
        ),
    )
    print("\nStudies of fewer methods with a false verdict, normal noise, 3 seeds, the worst of")
    print("scatter that differs by σ = 0, 0.5, 1 and 1.5:")
    counts = (3, 4, 6, 8, 12, 16, 24)
    table(
        ["test", *(f"{count} methods" for count in counts)],
        (
            [
                test,
                *(
                    f"{max(of_few(test, m, 3, f, studies) for f in (0, 0.5, 1, 1.5)):.3f}"
                    for m in counts
                ),
            ]
            for test in ("welch", "moderated")
        ),
    )
    print("\nLooks after 3, 5 and 9 seeds, ten parts in one family, uneven scatter:")
    rows = []
    for noise in NOISE:
        nothing = with_looks(noise, 0.0, True, studies)[1]
        some = [with_looks(noise, gain, True, studies) for gain in (0.2, 0.3)]
        told = (f"{power:.2f} ({when:.1f})" for power, _, when in some)
        rows.append([noise, f"{nothing:.3f}", *told])
    titles = ["noise", "false verdicts", "power at 20 % (mean seeds)", "at 30 %"]
    table(titles, rows)


if __name__ == "__main__":
    main()
