"""facegan's trainer on a recipe, timed. Prints {"img_per_s": …, "precision": …}.

python benchmarks/facegan_training.py DATASET --recipe dcgan --steps 20
"""

from __future__ import annotations

import argparse
import json
import time

from facegan.startup import tune_process

tune_process()  # as the command line does, before PyTorch is imported

import prepared  # noqa: E402

from facegan.device import synchronise  # noqa: E402
from facegan.recipe import Recipe  # noqa: E402


def main() -> None:
    """Train for some steps and print the speed of those after the warm-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--recipe", default="dcgan")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of the recipe")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    recipe = Recipe.load(options.recipe).override(*options.set)
    with prepared.trainer(recipe, options.dataset, options.device) as trainer:
        device = trainer.execution.device
        for _ in range(options.warmup):
            trainer.step()
        synchronise(device)
        begin = time.perf_counter()
        for _ in range(options.steps):
            trainer.step()
        synchronise(device)
        seconds = time.perf_counter() - begin
    speed = options.steps * trainer.step_images / seconds
    print(json.dumps({"img_per_s": speed, "precision": trainer.execution.precision}))


if __name__ == "__main__":
    main()
