"""Where a generator's pictures differ from real ones: which band, which statistics, which scale.

    python benchmarks/where_it_differs.py DATASET MODEL [--n 2000] [--extractor efflite0]

Prints tables of what can be known without training:

- FD over the floor, and recall, of the pictures as they are, with a Gaussian blur of σ 1, and at
  half their resolution. Real and generated ones are changed alike, so that what falls away is the
  part of the distance that lies in fine detail.
- The power of generated over real pictures, ring by ring of spatial frequency. 1 is right; less
  is blur, more is a mesh.
- FD and recall of the same network with other statistics of its batch normalisations, taken anew
  over latents (the standing statistics of Brock, Donahue & Simonyan 2019, arXiv:1809.11096).
- The same with latents made larger or smaller.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from facegan.startup import tune_process

tune_process()  # as the command line does, before PyTorch is imported

import torch  # noqa: E402

from facegan.cache import cache_folder  # noqa: E402
from facegan.data.dataset import Dataset  # noqa: E402
from facegan.evaluation.cache import FeatureCache, extract  # noqa: E402
from facegan.evaluation.extractors import open_extractor  # noqa: E402
from facegan.evaluation.real import choose_real  # noqa: E402
from facegan.evaluation.results import ScoreName  # noqa: E402
from facegan.evaluation.scores import Scorer  # noqa: E402
from facegan.generation.generator import open_generator  # noqa: E402
from facegan.generation.samples import pictures  # noqa: E402
from facegan.networks.interfaces import Generator  # noqa: E402
from facegan.seeding import image_random  # noqa: E402

Images = npt.NDArray[np.uint8]
# Seeds of pictures are far below; those of the statistics' latents begin here.
_OTHER_SEEDS = 10**7
SCORES: tuple[ScoreName, ...] = ("fd", "recall")
TABLES = ("spectrum", "bands", "statistics", "scale")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model")
    parser.add_argument("--n", type=int, default=2000, help="generated pictures, and the floor's")
    parser.add_argument("--reference", type=int, default=5000, help="real pictures in it")
    parser.add_argument("--latents", type=int, default=20_000, help="for statistics taken anew")
    parser.add_argument("--extractor", default="efflite0")
    parser.add_argument("--table", action="append", choices=TABLES, help="all of them by default")
    options = parser.parse_args()
    options.table = options.table or TABLES
    dataset = Dataset.open(options.dataset)
    opened = open_generator(options.model, device="cpu")
    generator, pixels = opened.loaded.generator, opened.loaded.pixels
    choice = choose_real(dataset, options.n, options.reference, "train", 0)
    reference, floor = (
        np.asarray(dataset.images[rows]) for rows in (choice.reference, choice.floor)
    )
    extractor = open_extractor(options.extractor)

    def made(network: Generator, scale: float = 1.0) -> Images:
        return np.concatenate(list(pictures(network, pixels, range(options.n), scale)))

    def scorer(change: Callable[[Images], Images]) -> Scorer:
        real, held = (extract(extractor, change(images)) for images in (reference, floor))
        return Scorer(real, held, SCORES, 0)

    def line(name: str, against: Scorer, images: Images) -> None:
        scores = against.scores(extract(extractor, images))
        fd, recall = scores["fd"], scores["recall"]
        print(
            f"| {name} | {fd.generated.value:.2f} | {fd.real.value:.2f} | {fd.ratio or 0:.2f} | "
            f"{recall.generated.value:.3f} | {recall.real.value:.3f} |",
            flush=True,
        )

    print(f"{options.model}, n {options.n:,}, reference {len(reference):,}, {options.extractor}")
    head = "\n| pictures | FD | floor | ratio | recall | of real ones |\n|---|" + "---:|" * 5
    generated = made(generator)
    if "spectrum" in options.table:
        print("\n| frequency, cycles a picture | power, generated over real |\n|---|---:|")
        powers = _spectrum(generated) / _spectrum(reference)
        edges = np.unique(np.geomspace(1, len(powers), 13).round().astype(int))
        for low, high in pairwise(edges):
            print(f"| {low}–{high - 1} | {powers[low:high].mean():.2f} |", flush=True)
    cache = FeatureCache(cache_folder())
    of_reference, of_floor = (
        cache.features(extractor, dataset, rows) for rows in (choice.reference, choice.floor)
    )
    plain = Scorer(of_reference, of_floor, SCORES, 0)
    print(head)
    line("as they are", plain, generated)
    if "bands" in options.table:
        for name, change in (("blur σ 1", _blurred), ("half the resolution", _halved)):
            line(name, scorer(change), change(generated))
    if "statistics" in options.table:
        for batch in (16, 256):
            network = anew(generator, options.latents, batch)
            line(f"statistics anew, batches of {batch}", plain, made(network))
    if "scale" in options.table:
        for scale in (0.9, 1.1, 1.2):
            line(f"z × {scale:g}", plain, made(generator, scale))


@torch.no_grad()
def anew(generator: Generator, latents: int, batch: int) -> Generator:
    """A copy whose batch normalisations have the mean statistics of so many latents."""
    network = copy.deepcopy(generator)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over batches
    network.train()
    for number in range(latents // batch):
        random = image_random(_OTHER_SEEDS + number)
        network(generator.draw(random, batch), generator.draw_labels(random, batch))
    return network.eval()


def _spectrum(images: Images) -> npt.NDArray[np.float64]:
    """Mean power of grey pictures at each whole radius of frequency, from 0 to half the side."""
    side = images.shape[1]
    grey = images.mean(3) / 255
    window = np.hanning(side)[:, None] * np.hanning(side)
    total = np.zeros((side, side))
    for begin in range(0, len(grey), 500):
        part = grey[begin : begin + 500]
        part = (part - part.mean((1, 2), keepdims=True)) * window
        total += (np.abs(np.fft.fft2(part)) ** 2).sum(0)
    frequency = np.fft.fftfreq(side) * side
    radius = np.hypot(frequency[:, None], frequency).round().astype(int)
    rings = np.bincount(radius.ravel(), total.ravel()) / np.bincount(radius.ravel())
    return rings[: side // 2 + 1] / len(images)


def _each(images: Images, change: Callable[[Image.Image], Image.Image]) -> Images:
    squeezed = images[..., 0] if images.shape[3] == 1 else images
    changed = np.stack([np.asarray(change(Image.fromarray(image))) for image in squeezed])
    return changed.reshape(*changed.shape[:3], images.shape[3])


def _blurred(images: Images) -> Images:
    return _each(images, lambda image: image.filter(ImageFilter.GaussianBlur(1)))


def _halved(images: Images) -> Images:
    side = images.shape[1] // 2
    return _each(images, lambda image: image.resize((side, side), Image.Resampling.BOX))


if __name__ == "__main__":
    main()
