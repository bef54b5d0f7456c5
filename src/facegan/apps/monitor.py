"""What training looks at its own progress with: checks of samples, and a small evaluation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.apps.trained_space import caveat
from facegan.cache import cache_folder
from facegan.data.dataset import Dataset
from facegan.data.pixels import Pixels
from facegan.device import Execution
from facegan.evaluation.cache import FeatureCache
from facegan.evaluation.clear_faces import find_clear
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.judge import Judge
from facegan.evaluation.real import FEWEST, choose_real, most_measurable
from facegan.evaluation.results import Evaluation, ScoreName
from facegan.evaluation.spectrum import powers
from facegan.evaluation.wording import at_n, formatted, ratio
from facegan.generation.samples import gathered, pictures
from facegan.networks.interfaces import Generator
from facegan.progress import progress_bar
from facegan.recipe import Recipe
from facegan.runs.best import Best
from facegan.training.watch import Measured

Images = npt.NDArray[np.uint8]

# Cheap enough to be measured many times, and enough to tell distance (FD, KID), sharpness
# (precision) and variety (coverage) apart. Recall would cost as much as all of these.
_SCORES: tuple[ScoreName, ...] = ("fd", "kid", "precision", "coverage")
# Pictures in which faces are looked for: shares are known to six percent.
_FACES = 64
# Of real ones, before it is known whether it is worth while.
_FEW = 24
# A face that the detector takes for one, blurred or not, at a size that takes a few milliseconds.
_SCORE, _SIDE, _BORDER = 0.6, 96, 24
# Where fewer real pictures show a face, generated ones need not.
_SHOWS_FACES = 0.5


class Monitor:
    """Measures a generator the same way each time; see `facegan.training.watch.Measure`.

    Args:
        recipe: says what to measure, and how many pictures.
        dataset: the real pictures.
        pixels: conversion of what the generator makes.
        execution: where to compute.
    """

    def __init__(
        self, recipe: Recipe, dataset: Dataset, pixels: Pixels, execution: Execution
    ) -> None:
        wanted = recipe.evaluation
        n = min(wanted.n, most_measurable(dataset))
        left = len(dataset.indices("train")) - n
        choice = choose_real(dataset, n, min(wanted.n_real, left), "train", seed=0)
        extractor = open_extractor(wanted.extractor, execution.device)
        cache = FeatureCache(cache_folder())
        self._judge = Judge(dataset, choice, "train", 0, [extractor], _SCORES, cache, progress_bar)
        self._pixels = pixels
        self._name = recipe.name
        self._caveat = caveat(recipe, [wanted.extractor])

    def __call__(self, generator: Generator, images_seen: int) -> Measured:
        """Measure the generator's pictures of seeds 0, 1, …"""
        made = pictures(generator, self._pixels, range(self._judge.n))
        images = gathered(made, self._judge.n, generator.spec)
        source = f"{self._name} at {images_seen / 1000:g} kimg"
        evaluation = self._judge.judge(images, source, training=True).evaluation
        evaluation = evaluation.model_copy(update={"caveat": self._caveat})
        line = evaluation.line(images_seen)
        best = _best(evaluation, images_seen)
        return Measured(line, best, in_a_line(evaluation), _scores(evaluation))


def enough_for(dataset: Dataset) -> bool:
    """Whether a dataset has pictures enough for anything to be measured."""
    return most_measurable(dataset) >= FEWEST


def in_a_line(evaluation: Evaluation) -> str:
    """`FD 92 (89 – 95), of real pictures 12: 7.6 ×; coverage 0.31; efflite0@64, n 1,000`."""
    space = evaluation.features[0]
    fd = space.scores["fd"]
    floor = fd.real if fd.others is None else fd.others
    words = [f"FD {formatted(fd.generated)}, of real images {formatted(floor).value}"]
    if fd.best_ratio is not None:
        words[0] += f": {ratio(fd.best_ratio)} at {at_n('fd', evaluation.n_fake)}"
    if "coverage" in space.scores:
        words.append(f"coverage {space.scores['coverage'].generated.value:.2f}")
    words.append(f"{space.extractor}, {at_n('fd', evaluation.n_fake)}")
    return "; ".join(words)


def _scores(evaluation: Evaluation) -> dict[str, float]:
    """Of the generated pictures, by name."""
    found = evaluation.features[0].scores
    return {f"evaluation/{name}": score.generated.value for name, score in found.items()}


def _best(evaluation: Evaluation, images_seen: int) -> Best:
    space = evaluation.features[0]
    fd = space.scores["fd"]
    return Best(
        images_seen=images_seen,
        fd=fd.generated.value,
        low=fd.generated.low,
        high=fd.generated.high,
        real=fd.real.value,
        extractor=space.extractor,
        n_fake=evaluation.n_fake,
        n_real=evaluation.n_real,
    )


class SampleChecks:
    """Measures the pictures of each snapshot against a few real ones: faces, patterns of pixels.

    Args:
        real: uint8 [n, H, W, C], n ≥ 1.
    """

    def __init__(self, real: Images) -> None:
        self._checkered = float(powers(real)[:, -1].mean())
        self._faces = _share(real[:_FEW])
        if self._faces >= _SHOWS_FACES:
            self._faces = _share(real[:_FACES])

    def __call__(self, generated: Images) -> dict[str, float]:
        """Numbers by name.

        - `checkered`: the power of what alternates from pixel to pixel in both directions, over
          that of real pictures;
        - `faces`: the share of pictures with a face;
        - `faces_real`: the same of real ones; both absent where real pictures show none.
        """
        found = {"checkered": float(powers(generated)[:, -1].mean()) / self._checkered}
        if self._faces >= _SHOWS_FACES:
            found["faces"] = _share(generated[:_FACES])
            found["faces_real"] = self._faces
        return found


def _share(images: Images) -> float:
    return float(find_clear(images, side=_SIDE, border=_BORDER, score=_SCORE).mean())
