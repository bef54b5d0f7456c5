"""What the doctor finds of things that stand before faces.

Draws a microphone, a mask, dark glasses or a hand over every second picture of a sample, and looks
with the doctor's measure `whole` at these and at the others. Prints for each thing the share that
lies below the doctor's limit, and how often a picture with it has a lower measure than one without
(0.5 is chance, 1 is always). Pictures that are so by themselves count as without.

    python benchmarks/occlusion_found.py faces -n 600
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.measures import MEASURES, measure

Canvas = npt.NDArray[np.uint8]
# Things are drawn on a canvas of this side, where an upright face fills the middle.
_SIDE = 256
# The doctor's limit, as a share of the median.
_LIMIT = 0.6


def microphone(canvas: Canvas, random: np.random.Generator) -> None:
    """A ball before the mouth, on a stick from below."""
    x = int(random.uniform(100, 150))
    cv2.circle(canvas, (x, 185), 22, (25, 25, 30), -1)
    cv2.line(canvas, (x, 185), (x + 30, _SIDE), (25, 25, 30), 16)


def mask(canvas: Canvas, random: np.random.Generator) -> None:
    """A light cloth over mouth and nose."""
    y = int(random.uniform(182, 198))
    cv2.ellipse(canvas, (128, y), (62, 48), 0, 0, 360, (150, 190, 215), -1)


def glasses(canvas: Canvas, random: np.random.Generator) -> None:
    """Dark glasses."""
    y = int(random.uniform(106, 118))
    for x in (98, 158):
        cv2.ellipse(canvas, (x, y), (30, 22), 0, 0, 360, (20, 20, 20), -1)
    cv2.line(canvas, (98, y - 4), (158, y - 4), (20, 20, 20), 6)


def hand(canvas: Canvas, random: np.random.Generator) -> None:
    """Four fingers across a cheek, in the colour of the other one."""
    skin = canvas[150:165, 90:110].reshape(-1, 3).mean(0)
    lower = int(random.uniform(0, 30))
    for finger in range(4):
        y = 230 - 24 * finger - lower
        shade = (skin * (0.9 + 0.05 * finger)).tolist()
        cv2.line(canvas, (60, y), (135, y - 30), shade, 22)


THINGS: tuple[Callable[[Canvas, np.random.Generator], None], ...] = (
    microphone,
    mask,
    glasses,
    hand,
)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("-n", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    dataset = Dataset.open(options.dataset)
    random = np.random.default_rng(options.seed)
    rows = random.permutation(len(dataset))[: options.n]
    place = MEASURES.index("whole")
    values: dict[str, list[float]] = {"nothing": [], **{thing.__name__: [] for thing in THINGS}}
    for number, picture in enumerate(map(dataset.copied, rows[:, None])):
        name, image = "nothing", picture[0]
        if number % 2:
            thing = THINGS[number // 2 % len(THINGS)]
            name = thing.__name__
            canvas = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
            thing(canvas, random)
            image = cv2.resize(canvas, image.shape[1::-1], interpolation=cv2.INTER_AREA)
        values[name].append(measure(image)[place])
    known = {name: np.array(each)[np.isfinite(each)] for name, each in values.items()}
    limit = _LIMIT * float(np.median(known["nothing"]))
    print(f"limit {limit:.1f}, seed {options.seed}\n")
    print("| before the face | pictures | no face found | below the limit | told from without |")
    print("|---|---:|---:|---:|---:|")
    for name, found in known.items():
        lower = (found[:, None] < known["nothing"]).mean() if name != "nothing" else float("nan")
        told = "" if np.isnan(lower) else f"{lower:.3f}"
        missed = len(values[name]) - len(found)
        print(
            f"| {name} | {len(values[name])} | {missed} | {(found < limit).mean():.0%} | {told} |"
        )


if __name__ == "__main__":
    main()
