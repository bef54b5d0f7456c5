"""How far each recipe is from this machine's limits, and what holds it: one table.

    python benchmarks/recipe_profiles.py [DATASET] --threads 1 --batch 16

Each recipe is profiled as `facegan train RECIPE --data DATASET --profile` does it. A smaller batch
makes the large recipes bearable on a processor; arithmetic an image stays what it is.
"""

from __future__ import annotations

import argparse

from facegan.startup import tune_process

tune_process()  # as the command line does, before PyTorch is imported

from facegan.apps.profile import StepProfile, profile  # noqa: E402
from facegan.cli.terminal.profile import held  # noqa: E402
from facegan.errors import FaceganError  # noqa: E402
from facegan.recipe import Recipe, recipe_names  # noqa: E402

_HEAD = (
    "| recipe | batch | img/s | GFLOP an image | of the matrix ceiling | at its limit | held by |\n"
    "|---|---:|---:|---:|---:|---:|---|"
)


def main() -> None:
    """Profile the recipes one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", nargs="?", default="portraits:512@64")
    parser.add_argument("--recipe", action="append", help="only this; repeatable")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--batch", type=int, help="the most; each recipe's own by default")
    options = parser.parse_args()
    roofline = []
    print(_HEAD, flush=True)
    for name in options.recipe or recipe_names():
        recipe = Recipe.load(name)
        if options.batch is not None and options.batch < recipe.training.batch:
            recipe = recipe.override(f"training.batch={options.batch}")
        mix = [options.dataset] * len(recipe.data.mix)
        try:
            found = profile(
                recipe, options.dataset, device=options.device, threads=options.threads, mix=mix
            )
        except FaceganError as error:
            print(f"| `{name}` | | | | | | {error.message} |", flush=True)
            continue
        roofline.append(found.roofline)
        print(_row(found), flush=True)
    if roofline:
        flops, copied = (
            sorted(values)[len(values) // 2]
            for values in ([c.flops for c in roofline], [c.bytes for c in roofline])
        )
        print(f"\nCeilings (median): {flops / 1e9:.0f} GFLOP/s, copy {copied / 1e9:.0f} GB/s")


def _row(found: StepProfile) -> str:
    cells = (
        f"`{found.recipe.name}`",
        found.recipe.training.batch,
        f"{found.img_per_s:,.1f}",
        f"{found.flops / found.images / 1e9:.3g}",
        f"{found.arithmetic_share:.0%}",
        f"{found.limit_share:.0%}",
        held(found).removeprefix("Most is lost in ").rstrip("."),
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
