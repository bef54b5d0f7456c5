"""Which metric sees what: real faces, spoilt in known ways, in the place of generated ones.

    python benchmarks/metric_response.py DATASET [--n 2500] [--extractor efflite0]

The people of the dataset are divided into four groups that share nobody: a reference, a floor,
those whose pictures are spoilt, and held-out ones that copying is calibrated on. Prints a
Markdown table: each score over the score of the floor at the same n, and what the copying
report counts.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from facegan.apps.datasets import cache_folder
from facegan.data.dataset import Dataset
from facegan.data.pictures import open_picture
from facegan.evaluation.cache import FeatureCache, extract
from facegan.evaluation.copying import RealFaces, Space, find_copies
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.extractors.base import Extractor
from facegan.evaluation.pixel_embedding import PixelEmbedding
from facegan.evaluation.results import ScoreName
from facegan.evaluation.scores import Scorer
from facegan.progress import progress_bar
from facegan.seeding import REAL_CHOICE, random
from facegan.startup import tune_process

Images = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]
SCORES: tuple[ScoreName, ...] = ("fd", "kid", "precision", "recall", "density", "coverage")


def main() -> None:
    """Spoil, measure, print."""
    tune_process()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--n", type=int, default=2500)
    parser.add_argument("--extractor", default="efflite0")
    options = parser.parse_args()
    dataset, n = Dataset.open(options.dataset), options.n
    train, floor, source, holdout = _four_groups(dataset, n)
    real = RealFaces(train, holdout, dataset.names, dataset.identities)
    extractors: list[Extractor] = [open_extractor(options.extractor), PixelEmbedding()]
    cache = FeatureCache(cache_folder())
    print(
        f"{dataset.card['name']}, {dataset.spec.resolution} px, n {n:,}, reference {len(train):,}, "
        f"held out {len(holdout):,}, {options.extractor}\n"
    )
    known: list[tuple[Features, Features, Features]] = []
    for extractor in extractors:
        with progress_bar(f"real, {extractor.name}") as progress:
            whole = cache.features(extractor, dataset, np.arange(len(dataset)), progress=progress)
            turned = cache.features(extractor, dataset, holdout, mirrored=True, progress=progress)
        known.append((whole, whole[holdout], turned))
    whole = known[0][0]
    scorer = Scorer(whole[train], whole[floor], SCORES, seed=0)
    names = ("FD", "KID", "precision", "recall", "density", "coverage")
    print("| pictures | " + " | ".join(names) + " | closer | near | authentic | of held-out |")
    print("|---|" + "---:|" * 10)
    for name, images in _spoilt(dataset, source, train, n):
        spaces = []
        for extractor, (every, held_out, held_out_turned) in zip(extractors, known, strict=True):
            with progress_bar(f"{name}, {extractor.name}") as progress:
                generated = extract(extractor, images, progress=progress)
                turned = extract(extractor, images, mirrored=True, progress=progress)
            spaces.append(
                Space(extractor.name, every[train], held_out, held_out_turned, generated, turned)
            )
        scores = scorer.scores(spaces[0].generated)
        copies = find_copies(spaces, real, range(n))
        cells = [
            f"{scores['fd'].generated.value / scores['fd'].real.value:.2f} ×",
            f"{1000 * scores['kid'].generated.value:.2f}",
            *(f"{scores[key].generated.value:.2f}" for key in SCORES[2:]),
        ]
        both = copies.embeddings
        cells += [
            " / ".join(f"{seen.closer:.2f}" for seen in both),
            " / ".join(f"{seen.near:,}" for seen in both),
            " / ".join(f"{100 * seen.authentic.value:.0f} %" for seen in both),
            " / ".join(f"{100 * seen.authentic_real.value:.0f} %" for seen in both),
        ]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        print(f"{name}: {copies.said}", file=sys.stderr, flush=True)
    print(f"\nOf the floor: FD {scorer.scores(whole[floor])['fd'].real.value:.3g}.")


def _four_groups(dataset: Dataset, n: int) -> tuple[npt.NDArray[np.int64], ...]:
    """(reference, floor, to be spoilt, held out): nobody is shown in two of them."""
    people, number = np.unique(dataset.identities, return_inverse=True)
    order = random(0, REAL_CHOICE, 10).permutation(len(people))
    rank = np.argsort(order)[number]
    pictures = np.argsort(rank, kind="stable")
    ends = np.searchsorted(np.arange(len(pictures)), [n, 2 * n, 3 * n])
    cuts = []
    for end in ends:  # to the end of the last person's pictures
        cuts.append(int(np.searchsorted(rank[pictures], rank[pictures[end - 1]], "right")))
    floor, source, holdout, train = np.split(pictures, cuts)
    return np.sort(train), np.sort(floor[:n]), np.sort(source[:n]), np.sort(holdout)


def _spoilt(
    dataset: Dataset, source: npt.NDArray[np.int64], train: npt.NDArray[np.int64], n: int
) -> list[tuple[str, Images]]:
    """(what was done, uint8 [n, H, W, C]) for each way of spoiling."""
    images = np.asarray(dataset.images[source])
    copies = np.asarray(dataset.images[np.sort(random(0, REAL_CHOICE, 11).permutation(train)[:n])])
    ways: list[tuple[str, Images]] = [("as they are", images), ("mirrored", images[:, :, ::-1])]
    for sigma in (0.5, 1, 2):
        ways.append((f"blur σ {sigma:g}", _each(images, _blur(sigma))))
    for sigma in (5, 10, 25):
        ways.append((f"noise σ {sigma}", _noise(images, sigma)))
    for quality in (50, 20):
        ways.append((f"JPEG {quality}", _each(images, _jpeg(quality))))
    ways.append(("half resolution", _each(images, _half)))
    ways.append(("shifted 2 px", np.roll(images, 2, axis=2)))
    ways.append(("mouths upside down", _mouths(images)))
    for kept in (1000, 200, 50):
        ways.append((f"{kept} of them repeated", images[np.arange(n) % kept]))
    ways.append(("copies of the reference", copies))
    ways.append(("mirrored copies", copies[:, :, ::-1]))
    ways.append(("copies, JPEG 20", _each(copies, _jpeg(20))))
    return [(name, np.ascontiguousarray(pictures)) for name, pictures in ways]


def _each(images: Images, change: Callable[[Image.Image], Image.Image]) -> Images:
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in images])


def _blur(sigma: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.filter(ImageFilter.GaussianBlur(sigma))


def _jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return open_picture(file, ("JPEG",)).convert("RGB")

    return change


def _half(image: Image.Image) -> Image.Image:
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def _noise(images: Images, sigma: float) -> Images:
    noise = random(0, REAL_CHOICE, 12).normal(0, sigma, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def _mouths(images: Images) -> Images:
    """The Thatcher effect: of an aligned face, the mouth alone stands on its head."""
    changed, side = images.copy(), images.shape[1]
    top, bottom, left, right = (round(part * side) for part in (0.62, 0.86, 0.28, 0.72))
    changed[:, top:bottom, left:right] = images[:, top:bottom, left:right][:, ::-1]
    return changed


if __name__ == "__main__":
    main()
