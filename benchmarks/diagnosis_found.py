"""What the diagnosis says of thirty short runs: broken on purpose, and healthy.

    python benchmarks/diagnosis_found.py DATASET [--kimg 8] [--out DIR] [--only NAME …]

Small networks on DATASET (32 px), on one core: about an hour. Each run is begun anew in a folder of
DIR, or read if it is finished there. Prints a Markdown table: what was done, what ought to be
said, what was said and when, and the run's last numbers; below it, how many were missed and how
many alarms were false. The sample grids in DIR show who is right.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from facegan.apps.train import train
from facegan.recipe import Recipe
from facegan.runs.reading import Reading, read
from facegan.startup import tune_process

SMALL = (
    *("generator.channels=16", "discriminator.channels=16", "training.precision=fp32"),
    *("evaluation.n=200", "evaluation.n_real=1000", "evaluation.times=10"),
)
SMALL_MLP = ("training.precision=fp32", "evaluation.n=200", "evaluation.n_real=1000")


@dataclass(frozen=True)
class Case:
    """A run.

    Attributes:
        name: of its folder.
        done: what was done to it.
        wanted: kinds of which one ought to be said; empty for a healthy run.
        recipe: it begins with.
        changes: of the recipe's values.
        longer: times the usual budget.
    """

    name: str
    done: str
    wanted: tuple[str, ...]
    recipe: str = "dcgan"
    changes: tuple[str, ...] = ()
    longer: float = 1.0


def _rates(generator: float, discriminator: float) -> tuple[str, str]:
    return f"stages.*.generator.lr={generator:g}", f"stages.*.discriminator.lr={discriminator:g}"


COLLAPSED = ("collapse", "saturation", "divergence", "imbalance", "no face")
CASES = (
    # Healthy.
    Case("dcgan", "nothing", ()),
    Case("dcgan-seed1", "nothing, another seed", (), changes=("training.seed=1",)),
    Case("dcgan-long", "nothing, twice as long", (), longer=2.0),
    Case("rates-5e-4", "rates 5e-4", (), changes=_rates(5e-4, 5e-4)),
    Case("rates-1e-3", "rates 1e-3", (), changes=_rates(1e-3, 1e-3)),
    Case("two-rates", "discriminator twice as fast", (), changes=_rates(3e-4, 6e-4)),
    Case("hinge", "hinge loss", (), changes=("method.loss=hinge",)),
    Case("least-squares", "least squares", (), changes=("method.loss=least_squares",)),
    Case("relativistic", "relativistic loss", (), changes=("method.loss=relativistic",)),
    Case("r1", "R1 penalty", (), changes=("method.penalty.kind=r1", "method.penalty.gamma=0.1")),
    Case("batch-32", "batch 32", (), changes=("training.batch=32",)),
    Case(
        "beta1-0",
        "beta1 0",
        (),
        changes=("stages.*.generator.betas=[0.0,0.99]", "stages.*.discriminator.betas=[0.0,0.99]"),
    ),
    # Broken.
    Case(
        "g-1e-7",
        "generator's rate 1e-7",
        ("collapse", "saturation", "no face"),
        changes=_rates(1e-7, 2e-4),
    ),
    Case("g-0", "generator's rate 0", ("idle",), changes=_rates(0.0, 2e-4)),
    Case("d-0", "discriminator's rate 0", ("idle",), changes=_rates(2e-4, 0.0)),
    Case(
        "d-1e-7",
        "discriminator's rate 1e-7",
        ("collapse", "imbalance", "no face", "idle"),
        changes=_rates(2e-4, 1e-7),
    ),
    Case("g-fast", "generator 40 × faster", COLLAPSED, changes=_rates(8e-3, 2e-4)),
    Case("d-fast", "discriminator 50 × faster", COLLAPSED, changes=_rates(1e-4, 5e-3)),
    Case("rates-0.1", "both rates 0.1", (*COLLAPSED, "artefacts"), changes=_rates(0.1, 0.1)),
    Case("rates-1", "both rates 1", (*COLLAPSED, "artefacts"), changes=_rates(1.0, 1.0)),
    Case("rates-1e-6", "both rates 1e-6", COLLAPSED, changes=_rates(1e-6, 1e-6)),
    Case("minimax", "minimax loss", ("saturation", "collapse"), changes=("method.loss=minimax",)),
    Case(
        "minimax-d-fast",
        "minimax, discriminator 10 × faster",
        ("saturation", "collapse"),
        changes=("method.loss=minimax", *_rates(1e-4, 1e-3)),
    ),
    Case(
        "critic-free",
        "Wasserstein loss without a penalty",
        COLLAPSED,
        changes=("method.loss=wasserstein", *_rates(1e-3, 1e-3)),
    ),
    Case(
        "r1-huge",
        "R1 gamma 10,000",
        COLLAPSED,
        changes=("method.penalty.kind=r1", "method.penalty.gamma=10000"),
    ),
    Case("n-critic", "50 updates of D for each of G", COLLAPSED, changes=("method.n_critic=50",)),
    Case("batch-2", "batch 2", (*COLLAPSED, "artefacts"), changes=("training.batch=2",)),
    Case("z-1", "latent of one number", ("collapse",), changes=("generator.latent.size=1",)),
    Case(
        "beta1-09",
        "beta1 0.99, rates 5e-3",
        COLLAPSED,
        changes=(
            *_rates(5e-3, 5e-3),
            "stages.*.generator.betas=[0.99,0.999]",
            "stages.*.discriminator.betas=[0.99,0.999]",
        ),
    ),
    Case(
        "ema-huge",
        "EMA of 1,000 kimg",
        ("no face", "collapse"),
        changes=("training.ema_half_life=1000", "training.ema_rampup=1000"),
    ),
)


def main() -> None:
    """Train, read, print."""
    tune_process()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--kimg", type=float, default=8.0)
    parser.add_argument("--out", type=Path, default=Path("diagnosis-runs"))
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    cases = [case for case in CASES if not options.only or case.name in options.only]
    found: list[tuple[Case, Reading | None]] = []
    for case in cases:
        run = options.out / case.name
        try:
            _train(case, options.dataset, run, options.kimg)
        except Exception as error:  # a run that stops says so itself, and is a result
            print(f"{case.name}: {error}", file=sys.stderr, flush=True)
        found.append((case, read(run) if (run / "recipe.toml").exists() else None))
        print(_row(*found[-1]), file=sys.stderr, flush=True)
    print("| run | expected | said, at kimg | variety | faces | checkered | FD, last / best |")
    print("|---|---|---|---:|---:|---:|---:|")
    for pair in found:
        print(_row(*pair))
    broken = [(c, r) for c, r in found if c.wanted]
    missed = [c.done for c, r in broken if not _hit(c, r)]
    false = [c.done for c, r in found if not c.wanted and r is not None and _wrong(r)]
    print(f"\nMissed, of {len(broken)} broken runs: {', '.join(missed) or 'none'}.")
    print(
        f"False alarms, of {len(found) - len(broken)} healthy runs: {', '.join(false) or 'none'}."
    )


def _train(case: Case, dataset: Path, run: Path, kimg: float) -> None:
    small = SMALL if case.recipe == "dcgan" else SMALL_MLP
    changes = (*small, f"training.budget={kimg * case.longer:g}kimg", *case.changes)
    if (run / "recipe.toml").exists() and read(run).finished:
        return
    recipe = Recipe.load(case.recipe).override(*changes)
    train(recipe, dataset, run, threads=1, loggers=[])


def _hit(case: Case, reading: Reading | None) -> bool:
    # A run that ended with an error was told all that there is to say.
    return reading is None or not reading.finished or bool(_kinds(reading) & set(case.wanted))


def _kinds(reading: Reading) -> set[str]:
    return {str(finding.kind) for finding in reading.findings} - {"plateau"}


def _wrong(reading: Reading) -> set[str]:
    """What was said of a healthy run and is not so: no face is said rightly where there is none."""
    last = reading.probes[-1] if reading.probes else {}
    right = {"no face"} if last.get("probe/faces", 1.0) <= 0.02 else set()
    return _kinds(reading) - right


def _row(case: Case, reading: Reading | None) -> str:
    if reading is None:
        return f"| {case.done} | {', '.join(case.wanted) or 'nothing'} | stopped | | | | |"
    said = [f"{f.kind} {f.images_seen / 1000:.1f}" for f in reading.findings]
    if not reading.finished:
        said.append(f"stopped at {reading.seen / 1000:.1f}")
    if not said:
        said = ["nothing" if not reading.standing.doubts else "nothing for certain, and a doubt"]
    last = reading.probes[-1] if reading.probes else {}
    fds = [
        m.evaluation.features[0].scores["fd"].generated.value
        for m in reading.evaluations
        if m.evaluation.features and "fd" in m.evaluation.features[0].scores
    ]
    numbers = [f"{last.get(f'probe/{name}', float('nan')):.2f}" for name in ("diversity", "faces")]
    numbers.append(f"{last.get('probe/checkered', float('nan')):.3g}")
    numbers.append(f"{fds[-1]:.0f} / {min(fds):.0f}" if fds else "")
    wanted = " or ".join(case.wanted) if len(case.wanted) < 5 else "any trouble"
    return f"| {case.done} | {wanted or 'nothing'} | {', '.join(said)} | {' | '.join(numbers)} |"


if __name__ == "__main__":
    main()
