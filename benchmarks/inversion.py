"""How near a generator comes to photographs of people whom it never saw.

    python benchmarks/inversion.py lfw64 --count 50

DATASET is one that the generator's training data were imported as; its held-out people are taken,
one picture of each. `--others` takes as many other people: on them the limits of the verdict are
set, and on those taken without it the limits are shown. For the first guess, and after the
optimisation, it prints the distance that is minimised and its parts, the distance in dlib's space
of identities (0.6 is King's threshold for one person), and processor-seconds for a photograph.
Beside them: the same between two pictures of one held-out person, and between two people.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from facegan.data.dataset import Dataset
from facegan.data.grid import grid
from facegan.data.pictures import png_bytes
from facegan.editing.encoder import encoder_of
from facegan.editing.identity import Identity
from facegan.editing.inversion import ALIKE, STEPS, Inverted, invert_all
from facegan.editing.perceptual import Perceptual
from facegan.generation.generator import open_generator

_SAME_PERSON = 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--others", action="store_true", help="people whom it passes over else")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--sheet", type=Path, help="photographs over what was found; real people")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset, model = Dataset.open(options.dataset), open_generator(options.model)
    perceptual, identity = Perceptual(), Identity()
    encoder = encoder_of(model, perceptual)
    print(encoder.fitted)
    chosen, partners = people(dataset, options.count, options.others)
    photographs = np.asarray(dataset.images[chosen])
    guesses: list[Inverted] = []
    found: list[Inverted] = []
    seconds = []
    for photograph in photographs:
        begin = time.process_time()
        for steps, results in ((0, guesses), (options.steps, found)):
            results += invert_all(
                model, photograph[None], steps=steps, encoder=encoder, perceptual=perceptual
            )
        seconds.append(time.process_time() - begin)
    who = identity.vectors(photographs)

    def shown(name: str, pictures: np.ndarray, errors: list[float] | None = None) -> None:
        looks = _perceptual(perceptual, photographs, pictures)
        away = np.linalg.norm(identity.vectors(pictures) - who, axis=1)
        pixels = np.sqrt(((photographs.astype(float) - pictures) ** 2).mean((1, 2, 3)))
        print(
            f"| {name} | {'' if errors is None else f'{np.mean(errors):.2f}'} | {looks.mean():.2f} "
            f"| {pixels.mean():.0f} | {away.mean():.2f} | {(away < _SAME_PERSON).mean():.0%} |"
        )

    print("| pictures | error | maps | RMS of pixels | identity | below 0.6 |")
    print("|---|---:|---:|---:|---:|---:|")
    shown("first guess", np.stack([f.picture for f in guesses]), [f.error for f in guesses])
    shown("optimised", np.stack([f.picture for f in found]), [f.error for f in found])
    if len(partners):
        there = np.flatnonzero(partners >= 0)
        others = np.asarray(dataset.images[partners[there]])
        away = np.linalg.norm(identity.vectors(others) - who[there], axis=1)
        looks = _perceptual(perceptual, photographs[there], others)
        print(
            f"| another photograph of the same person (n = {len(there)}) | | {looks.mean():.2f} | "
            f"| {away.mean():.2f} | {(away < _SAME_PERSON).mean():.0%} |"
        )
    shown("another person", np.roll(photographs, 1, 0))
    shares = np.array([f.error / encoder.fitted.apart for f in found])
    spread = np.percentile(shares, [10, 50, 90]).round(2)
    print(f"error in distances between two generated faces, 10, 50, 90 %: {spread}")
    away = np.linalg.norm(identity.vectors(np.stack([f.picture for f in found])) - who, axis=1)
    same = away < _SAME_PERSON
    print("that share, and whether the face found counts as the person's:")
    print(" ".join(f"{shares[k]:.3f}{'+' if same[k] else '-'}" for k in shares.argsort()))
    limit, right = _dividing(shares, same)
    print(f"up to {limit:.3f} as the person's own: right for {right:.0%}")
    alike = (shares <= ALIKE) == same
    print(f"up to {ALIKE} as the person's own: right for {alike.mean():.0%}")
    for verdict, times in Counter(f.verdict for f in found).items():
        print(f"{times}: {verdict}")
    print(f"processor-seconds for a photograph: {np.median(seconds):.1f}, one thread")
    if options.sheet is not None:
        rows = np.concatenate([photographs[:16], np.stack([f.picture for f in found])[:16]])
        options.sheet.write_bytes(png_bytes(grid(rows, min(16, options.count))))


def people(dataset: Dataset, count: int, others: bool) -> tuple[np.ndarray, np.ndarray]:
    """The first picture of so many held-out people, evenly spread, and a second of each (or −1).

    `others` are as many of whom none is among them.
    """
    rows = dataset.indices("holdout")
    names = np.array([dataset.identities[row] for row in rows])
    everybody = sorted(set(names))
    chosen = _spread(everybody, count)
    if others:
        chosen = _spread([name for name in everybody if name not in chosen], count)
    first, second = [], []
    for name in chosen:
        own = rows[names == name]
        first.append(own[0])
        second.append(own[1] if len(own) > 1 else -1)
    return np.array(first), np.array(second)


def _dividing(shares: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """The share that best tells who counts as the person, and how often it does."""
    limits = np.sort(shares)
    right = [((shares <= limit) == same).mean() for limit in limits]
    best = int(np.argmax(right))
    return float(limits[best]), float(right[best])


def _spread(names: list[str], count: int) -> list[str]:
    return [names[k] for k in np.linspace(0, len(names) - 1, count).astype(int)]


def _perceptual(perceptual: Perceptual, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        maps = [
            perceptual.maps(torch.from_numpy(each.copy()).permute(0, 3, 1, 2).float() / 255)
            for each in (one, other)
        ]
        return perceptual.between(*maps).numpy()


if __name__ == "__main__":
    main()
