"""Drive training from Python: look between the steps, stop on a condition, go on later.

python examples/step_by_step.py [DATASET] [RUN] [BUDGET]
"""

from __future__ import annotations

import sys
from pathlib import Path

import facegan


class Watch(facegan.Reporter):
    """Keeps the values of every tick, and stops when the discriminator has won."""

    def __init__(self) -> None:
        self.lines: list[dict[str, float]] = []

    def tick(self, line: dict[str, float], timing: dict[str, float]) -> None:
        """After every line of the journal."""
        self.lines.append(line | timing)

    def should_stop(self) -> bool:
        """Asked after every step; what has been learned so far is saved before the run leaves."""
        return bool(self.lines) and self.lines[-1]["logits_real"] > 20.0


def main(data: str = "portraits:2000@32", run: str = "runs/steps", budget: str = "20kimg") -> None:
    """Train in two parts, as if somebody had stopped in between."""
    recipe = facegan.Recipe.load("dcgan").override(
        "generator.channels=16", "discriminator.channels=16", "training.batch=32"
    )
    watch = Watch()
    # A step at a time. Leaving the loop saves.
    with facegan.Training(recipe, data, run, budget=budget, reporter=watch) as training:
        for step in training:
            if step.images_seen >= step.total // 2:
                break
        training.pictures(16).save(Path(run) / "half-way.png")
    print(f"half-way: {training.outcome.images_seen} images")

    # The same call goes on, to the end, and computes what one uninterrupted run computes.
    outcome = facegan.train(recipe, data, run, budget=budget, reporter=watch)
    print(f"finished: {outcome.finished}, {len(watch.lines)} ticks")

    # What was learned, as numbers and as pictures.
    rows = facegan.open_run(run).rows()  # .to_frame() gives a pandas DataFrame
    print(
        f"last losses: {rows[-1]['discriminator/adversarial']:.3f} (D), "
        f"{rows[-1]['generator/adversarial']:.3f} (G)"
    )
    facegan.load(run).sample(16, seed=0).save(Path(run) / "faces.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
