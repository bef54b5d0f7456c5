"""What each recipe makes of the same faces in the same time: the table of docs/results.md.

    python benchmarks/recipes_table.py DATASET --out results [--budget 15min] [--n 5000] [RECIPE…]

Trains the named recipes (all shipped ones by default) one after the other, measures each as
`facegan evaluate` does, and prints a Markdown table. A RECIPE may carry settings:
`dcgan-32:generator.channels=32,discriminator.channels=32:dcgan` is the recipe dcgan with two
values changed, under another name. Stopped at any time, the same command goes on. Run it
alone: a time budget becomes a number of images by the speed measured before the first step.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import facegan
from facegan.evaluation.results import ScoreName
from facegan.recipe import recipe_names
from facegan.startup import tune_process

_SCORES: tuple[ScoreName, ...] = ("fd", "kid", "precision", "recall", "coverage")


def main() -> None:
    """Train, measure, print."""
    tune_process()
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("dataset")
    arguments.add_argument("recipes", nargs="*", metavar="RECIPE")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--budget", default="15min")
    arguments.add_argument("--n", type=int, default=5000)
    given = arguments.parse_args()
    rows = []
    for wanted in given.recipes or recipe_names():
        run = given.out / wanted.split(":")[0]
        finished = train(wanted, given.dataset, run, given.budget)
        if finished:
            rows.append(measured(run, given.dataset, given.n))
            print_table(rows)


def train(wanted: str, dataset: str, run: Path, budget: str) -> bool:
    """Train one recipe, or go on with it; whether it reached its end."""
    name, settings, base = [*wanted.split(":"), "", ""][:3]
    changed = [each for each in settings.split(",") if each]
    recipe = facegan.Recipe.load(base or name).override(*changed)
    try:
        return facegan.train(recipe, data=dataset, run=run, budget=budget).finished
    except facegan.FaceganError as error:
        print(f"{name} failed: {error.message}", flush=True)
        return False


def measured(run: Path, dataset: str, n: int) -> dict[str, Any]:
    """Scores and speed of a run; kept beside it, so that going on does not measure again."""
    kept = run / "table.json"
    if kept.is_file():
        return json.loads(kept.read_text("utf-8"))
    found = facegan.evaluate(run, data=dataset, n=n, copying=False, faces=False)
    scores = found.features[0].scores
    provenance = json.loads((run / "provenance.json").read_text("utf-8"))
    timing = [json.loads(line) for line in (run / "timing.jsonl").read_text("utf-8").splitlines()]
    row = {
        "name": run.name,
        "kimg": provenance["plan"]["images"] / 1000,
        "planned": provenance["plan"]["measured_img_per_s"],
        "seconds": timing[-1]["seconds"],
        "floor": scores["fd"].real.value,
    }
    for score in _SCORES:
        value = scores[score].generated
        row[score] = [value.value, value.low, value.high]
    kept.write_text(json.dumps(row), "utf-8")
    facegan.generate(run, out=run / "grid.png", n=64, grid=True)
    return row


def print_table(rows: list[dict[str, Any]]) -> None:
    """All rows so far, best FD first."""
    columns = ["FD", "over floor", "KID × 10³", "precision", "recall", "coverage", "img/s", "kimg"]
    print(f"\n| recipe | {' | '.join(columns)} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in sorted(rows, key=lambda row: row["fd"][0]):
        value, low, high = row["fd"]
        cells = [
            f"`{row['name']}`",
            f"{value:.1f} ({low:.1f}–{high:.1f})",
            f"{value / row['floor']:.1f} ×",
            f"{1000 * row['kid'][0]:.0f}",
            *(f"{row[score][0]:.3f}" for score in ("precision", "recall", "coverage")),
            f"{row['planned']:.0f}" if row["planned"] else "",
            f"{row['kimg']:.0f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
