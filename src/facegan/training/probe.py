"""What is measured beside training at each snapshot: how the two players stand.

The discriminator scores three fixed sets of pictures: training pictures, held-out ones, and
what the generator makes of fixed latents now. Three questions are answered from the scores:
are generated pictures told apart, by how much, and are training pictures recognised (which
held-out ones are not)? A fourth, of the pictures alone: do they differ from each other as
real ones do?

Nothing of the run changes by it: no weight, no statistic, no random number. The same state
gives the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.nn.modules.batchnorm import _BatchNorm

from facegan.data.conditions import scaled
from facegan.data.dataset import Dataset
from facegan.data.pixels import Pixels
from facegan.data.spec import ImageSpec
from facegan.device import Execution
from facegan.networks.interfaces import Generator
from facegan.seeding import image_random
from facegan.training.state import TrainingState

# Pictures in each set: shares are then known to about ±4 %, and 20 snapshots of a ten-minute
# run cost less than 1 % of it.
PICTURES = 128
# Fewer held-out pictures than this say too little about all of them.
FEWEST_HELD_OUT = 32
# How many pass through a network together.
_GROUP = 64
# Pictures are compared as this many cells a side: sixty-four pixels of noise average out in
# each cell of a picture of 64 pixels, while faces, hair and backgrounds still differ.
_CELLS = 8

Values = npt.NDArray[np.float64]
Images = npt.NDArray[np.uint8]
Look = Callable[[Images], Mapping[str, float]]


@dataclass(frozen=True)
class _Real:
    """Fixed real pictures: uint8 [n, H, W, C], and their labels float [n, L] or None."""

    images: npt.NDArray[np.uint8]
    labels: Tensor | None


class Probe:
    """Measures a state. Only the main process needs one: no other process takes part.

    Args:
        dataset: the dataset. Of each split, pictures are taken at even distances, which is the
            same choice every time, and of many people where one person's lie side by side.
        spec: the labels that the networks see.
        pixels: conversion to the recipe's range.
        execution: where and how the run computes.
        look: what else to measure: takes real pictures once and gives what measures generated
            ones, numbers by name; the training loop knows no metrics of its own.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: ImageSpec,
        pixels: Pixels,
        execution: Execution,
        look: Callable[[Images], Look] | None = None,
    ) -> None:
        self._pixels, self._execution = pixels, execution
        self._train = _chosen(dataset, spec, "train")
        self._look = look(self._train.images) if look is not None else None
        held_out = _chosen(dataset, spec, "holdout")
        self._holdout = held_out if len(held_out.images) >= FEWEST_HELD_OUT else None

    def measure(self, state: TrainingState, generated: npt.NDArray[np.uint8]) -> dict[str, float]:
        """Measure the state as it is.

        Args:
            state: is left as it is found, modes and statistics included.
            generated: uint8 [n, H, W, C], the averaged generator's pictures of n fixed seeds.

        Returns:
            Finite numbers by name; one that is not defined is absent:

            - `probe/logits_train`, `probe/logits_holdout`, `probe/logits_fake`: mean scores.
              The generated pictures are the current generator's, which the discriminator is
              trained on. The average's, which it never meets, it rejects even where the two
              players are in balance.
            - `probe/told_apart`: the probability that a training picture scores higher than a
              generated one; 0.5 is chance.
            - `probe/separation`: the distance of their mean scores in standard deviations.
            - `probe/remembered`: the probability that a training picture scores higher than
              a held-out one; 0.5 is chance.
            - `probe/overfitting`: r_v of Karras et al. 2020 (ADA), equation 1: where held-out
              pictures lie between the training pictures (0) and the generated ones (1).
            - `probe/diversity`: see `diversity`;
            - `probe/…`: what `look` measured.
        """
        found = self._scores(state)
        if self._look is not None:
            found |= {f"probe/{name}": value for name, value in self._look(generated).items()}
        varied = diversity(generated, self._train.images)
        if varied is not None:
            found["probe/diversity"] = varied
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _scores(self, state: TrainingState) -> dict[str, float]:
        generator, discriminator = state.networks.generator, state.networks.discriminator
        with as_in_training(generator, discriminator), torch.no_grad():
            train = self._of_real(discriminator, self._train)
            fake = self._of_generated(discriminator, generator)
            holdout = self._of_real(discriminator, self._holdout) if self._holdout else None
        found = {"probe/logits_train": train.mean(), "probe/logits_fake": fake.mean()}
        found["probe/told_apart"] = higher(train, fake)
        found["probe/separation"] = _over(train.mean() - fake.mean(), _spread(train, fake))
        if holdout is not None:
            found["probe/logits_holdout"] = holdout.mean()
            found["probe/remembered"] = higher(train, holdout)
            found["probe/overfitting"] = overfitting(train, holdout, fake)
        return {name: float(value) for name, value in found.items()}

    def _of_real(self, discriminator: nn.Module, real: _Real) -> Values:
        logits = []
        for group in _groups(len(real.images)):
            stored = torch.from_numpy(real.images[group]).to(self._execution.device)
            images = self._execution.layout(self._pixels.to_model(stored))
            logits.append(self._logits(discriminator, images, self._labels(real, group)))
        return np.concatenate(logits)

    def _of_generated(self, discriminator: nn.Module, generator: Generator) -> Values:
        logits = []
        for group in _groups(len(self._train.images)):
            seeds = range(group.start, group.stop)
            z = torch.cat([generator.draw(image_random(seed), 1) for seed in seeds])
            labels = self._labels(self._train, group)
            with self._execution.autocast():
                images = generator(z.to(self._execution.device), labels)
            logits.append(self._logits(discriminator, images, labels))
        return np.concatenate(logits)

    def _logits(self, discriminator: nn.Module, images: Tensor, labels: Tensor | None) -> Values:
        with self._execution.autocast():
            logits = discriminator(images, labels)
        return logits.float().cpu().numpy().astype(np.float64)

    def _labels(self, real: _Real, group: slice) -> Tensor | None:
        return None if real.labels is None else real.labels[group].to(self._execution.device)


@contextmanager
def as_in_training(*networks: nn.Module) -> Iterator[None]:
    """Evaluation mode, but each batch normalised by its own statistics, as training does.

    The running statistics of a discriminator are those of real and generated batches mixed,
    which it never sees in training: with them it tells the two apart much worse than it
    really does. Without any, PyTorch takes those of the batch, updates nothing, and asks no
    other process.
    """
    modules = [module for network in networks for module in network.modules()]
    modes = [module.training for module in modules]
    norms = [module for module in modules if isinstance(module, _BatchNorm)]
    statistics = [(norm.running_mean, norm.running_var) for norm in norms]
    try:
        for module in modules:
            module.training = False
        for norm in norms:
            norm.running_mean = norm.running_var = None
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for norm, (mean, var) in zip(norms, statistics, strict=True):
            norm.running_mean, norm.running_var = mean, var


def diversity(generated: npt.NDArray[np.uint8], real: npt.NDArray[np.uint8]) -> float | None:
    """How varied generated pictures are: 1 = as varied as real ones, 0 = all alike.

    The mean distance of a picture from the one most like it, among n generated pictures,
    over the same among n real ones. Coarse pictures are compared (8×8 cells), so that noise
    does not count. The distance to the nearest falls to about 0 when every picture has a
    double, however many kinds are left; the mean distance of all pairs hardly falls then.

    Args:
        generated: uint8 [N, H, W, C].
        real: uint8 [M, H, W, C].

    Returns:
        The ratio, ≥ 0; None where there are fewer than two of either or the real ones are all
        alike.
    """
    n = min(len(generated), len(real))
    if n < 2:
        return None
    # Nearest distances depend on how many pictures there are: equal numbers are compared.
    groups = [nearest_distance(real[i : i + n]) for i in range(0, len(real) - n + 1, n)]
    natural = float(np.mean(groups))
    return nearest_distance(generated[:n]) / natural if natural > 0 else None


def nearest_distance(images: npt.NDArray[np.uint8]) -> float:
    """Mean over pictures uint8 [n, H, W, C], n ≥ 2, of the distance to the most alike other."""
    pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float()
    coarse = adaptive_avg_pool2d(pixels, min(_CELLS, images.shape[1])).flatten(1).double().numpy()
    distances = np.stack([np.square(coarse - one).sum(1) for one in coarse])
    np.fill_diagonal(distances, np.inf)
    return float(np.sqrt(distances.min(1)).mean())


def higher(these: Values, those: Values) -> float:
    """The probability that one of `these` [n] is higher than one of `those` [m]; ties half."""
    above = (these[:, None] > those).mean()
    return float(above + (these[:, None] == those).mean() / 2)


def overfitting(train: Values, holdout: Values, fake: Values) -> float:
    """r_v of Karras et al. 2020 (arXiv:2006.06676), equation 1, from logits of each kind [n].

    0: held-out pictures score as training pictures do. 1: as generated ones do. Shifting or
    scaling all logits changes nothing.

    Returns:
        The ratio; NaN where training and generated pictures score so nearly the same that
        their difference, which it divides by, is not known.
    """
    gap = train.mean() - fake.mean()
    error = math.sqrt(train.var() / len(train) + fake.var() / len(fake))
    return _over(train.mean() - holdout.mean(), gap if gap > 3 * error else 0.0)


def _spread(a: Values, b: Values) -> float:
    return math.sqrt((a.var() + b.var()) / 2)


def _over(value: float, by: float) -> float:
    return value / by if by > 0 else math.nan


def _chosen(dataset: Dataset, spec: ImageSpec, split: str) -> _Real:
    """At most `PICTURES` pictures of a split, evenly spread over it."""
    rows = dataset.indices(split)
    if len(rows) > PICTURES:
        rows = rows[np.linspace(0, len(rows) - 1, PICTURES).round().astype(np.int64)]
    images = np.ascontiguousarray(dataset.images[rows])
    return _Real(images, scaled(dataset, rows, spec.labels) if spec.labels else None)


def _groups(n: int) -> Iterator[slice]:
    """0…n in as few parts as possible of at most `_GROUP`, all about equal.

    A last part of a few pictures would be normalised by the statistics of those few.
    """
    parts = math.ceil(n / _GROUP)
    for i in range(parts):
        yield slice(i * n // parts, (i + 1) * n // parts)
