"""How fast facegan trains, as ratios to plain scripts on the same machine and device.

For each network, the plain script and facegan's trainer (as `facegan train` computes the recipe)
in turn, each in its own process, several times; every figure and the ratios are printed:

- `dcgan`: `plain_dcgan.py` and the recipe `dcgan`, batch 64;
- `r3gan`: `plain_r3gan.py`, and a recipe of R3GAN twice: with its penalties by double backward on
  every update, as the script has them, and as it is shipped.

    python benchmarks/train_speed.py [DATASET] --rounds 5
    python benchmarks/train_speed.py [DATASET] --device cuda --network dcgan --network r3gan --profile
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Way:
    """One way to train a network: a script and what it is told."""

    name: str
    script: str
    arguments: tuple[str, ...]


def main() -> None:
    """Alternate, and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "dataset", nargs="?", help="a dataset of 64-pixel pictures; drawn if absent"
    )
    parser.add_argument("--network", action="append", choices=("dcgan", "r3gan"))
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--channels", type=int, default=64, help="of DCGAN")
    parser.add_argument("--r3gan", metavar="RECIPE", help="r3gan-cpu, on a GPU r3gan-medium")
    parser.add_argument("--profile", action="store_true", help="then how far each recipe gets")
    options = parser.parse_args()
    gpu = options.device != "cpu"
    sized = options.r3gan or ("r3gan-medium" if gpu else "r3gan-cpu")
    networks = {"dcgan": _dcgan(options.channels), "r3gan": _r3gan(sized)}
    with tempfile.TemporaryDirectory() as folder:
        dataset = options.dataset
        if dataset is None:
            dataset = str(Path(folder) / "portraits")
            command = ["data", "portraits", dataset, "-n", "2000", "--resolution", "64"]
            subprocess.run([sys.executable, "-m", "facegan", *command], check=True)
        common = [dataset, "--steps", str(options.steps), "--device", options.device]
        for network in options.network or ["dcgan"]:
            compare(network, networks[network], common, options.rounds)
        if options.profile:
            print(flush=True)
            script = str(_HERE / "recipe_profiles.py")
            subprocess.run(
                [sys.executable, script, dataset, "--device", options.device], check=True
            )


def compare(network: str, ways: list[Way], common: list[str], rounds: int) -> None:
    """Measure the first way and the others in turn, and print the ratios."""
    print(f"{network}, img/s")
    print("round " + "".join(f"{way.name:>22}" for way in ways), flush=True)
    ratios: dict[str, list[float]] = {way.name: [] for way in ways[1:]}
    for number in range(1, rounds + 1):
        found = [_measure(way, common) for way in ways]
        base = found[0]["img_per_s"]
        cells = [f"{base:22,.1f}"]
        for way, each in zip(ways[1:], found[1:], strict=True):
            ratios[way.name].append(each["img_per_s"] / base)
            cells.append(
                f"{each['img_per_s']:,.1f} {each['precision']} {ratios[way.name][-1]:.2f}×"
            )
        print(f"{number:5} " + "".join(f"{cell:>22}" for cell in cells), flush=True)
    for name, values in ratios.items():
        print(
            f"{name} is {statistics.median(values):.2f} × as fast as {ways[0].name} "
            f"(median of {len(values)}; {min(values):.2f} to {max(values):.2f})",
            flush=True,
        )


def _dcgan(channels: int) -> list[Way]:
    widths = (f"generator.channels={channels}", f"discriminator.channels={channels}")
    return [
        Way("plain float32", "plain_dcgan.py", ("--channels", str(channels))),
        Way("facegan", "facegan_training.py", _told("dcgan", *widths)),
    ]


def _r3gan(recipe: str) -> list[Way]:
    exact = ("method.penalty.estimate={kind='exact'}", "method.penalty.every=1")
    return [
        Way("plain float32", "plain_r3gan.py", ("--recipe", recipe)),
        Way("double backward", "facegan_training.py", _told(recipe, *exact)),
        Way(recipe, "facegan_training.py", _told(recipe)),
    ]


def _told(recipe: str, *settings: str) -> tuple[str, ...]:
    return ("--recipe", recipe, *(part for each in settings for part in ("--set", each)))


def _measure(way: Way, common: list[str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(_HERE / way.script), *common, *way.arguments],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{way.script} failed: {(done.stderr.splitlines() or ['no message'])[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
