"""Real images for each update: gathered as bytes, converted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facegan.augment import Adaptive
from facegan.data.ahead import ReadAhead
from facegan.data.conditions import scaled, spec_with_labels
from facegan.data.dataset import Dataset
from facegan.data.pixels import Pixels
from facegan.data.sampler import Sampler
from facegan.data.spec import ImageSpec
from facegan.device import Execution, to_device
from facegan.errors import DataError, RecipeError
from facegan.memory import memory_limit
from facegan.networks.interfaces import LABEL_ROWS
from facegan.recipe import Recipe
from facegan.seeding import MIRROR, MIX, RESERVE, random

# Smaller datasets are held on a GPU. Else batches are read from the file, which the system's cache
# holds as far as it fits: once, however many processes train on it.
_ON_DEVICE_BYTES = 4 << 30

Rows = npt.NDArray[np.int64]
# Images float [n, C, H, W] in the recipe's range, and labels float [n, L], scaled, or None.
Real = tuple[Tensor, Tensor | None]


class BatchSource:
    """The training split of a dataset, in the order that the seed decides, and of others beside it.

    Attributes:
        spec: shape of the images, and the labels that come with them.
        pixels: their conversion to the recipe's range.

    Args:
        dataset: the dataset; its `train` split is used.
        spec: shape of the images, and the labels wanted.
        pixels: conversion to the recipe's range.
        seed: the run's seed.
        execution: where the batches are wanted.
        others: further datasets, of which `batch` takes shares.
        reserve: the share of the training images that is kept back for `held_out`.
        mirror: whether half of all images are mirrored, those kept back too.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: ImageSpec,
        pixels: Pixels,
        seed: int,
        execution: Execution,
        others: Sequence[Dataset] = (),
        reserve: float = 0.0,
        mirror: bool = False,
    ) -> None:
        for other in others:
            require_same_shape(dataset, other)
        self.spec, self.pixels = spec, pixels
        self._execution, self._seed, self._mirror = execution, seed, mirror
        self._main = _Images(dataset, spec, pixels, execution)
        self._others = [_Images(other, spec, pixels, execution) for other in others]
        order = np.arange(len(self._main))
        self._held_out = order[:0]
        if reserve > 0:
            kept = max(round(reserve * len(order)), 1)
            order = random(seed, RESERVE, 0).permutation(len(order))
            self._held_out, order = np.sort(order[:kept]), np.sort(order[kept:])
            if len(order) == 0:
                raise DataError(f"{dataset.path}: one image is too few to keep some back.")
        self._sampler = Sampler(order, seed)
        self._next: tuple[tuple[int, int], Rows] | None = None

    @classmethod
    def of(
        cls, recipe: Recipe, dataset: Dataset, execution: Execution, others: Sequence[Dataset] = ()
    ) -> BatchSource:
        """What a recipe asks for of a dataset, and of those that are mixed in.

        Raises:
            DataError: the dataset lacks labels that the recipe asks for, or has too few images.
            RecipeError: the recipe gives shares to another number of datasets.
        """
        mix = recipe.data.mix
        if len(others) != len(mix):
            raise RecipeError(
                f"{len(others)} datasets are given to mix in, and data.mix has {len(mix)} shares.",
                "Give as many as there are shares, in their order: `mix` portraits with "
                "`data.mix=[0.5]`.",
            )
        adaptive = None if recipe.augment is None else recipe.augment.probability
        held_out = isinstance(adaptive, Adaptive) and adaptive.heuristic == "held_out"
        return cls(
            dataset,
            spec_with_labels(dataset, recipe.data.labels),
            value_range_of(recipe, dataset.card),
            recipe.training.seed,
            execution,
            others,
            adaptive.reserve if isinstance(adaptive, Adaptive) and held_out else 0.0,
            recipe.data.mirror,
        )

    def batch(self, position: int, size: int, shares: Sequence[float] = ()) -> Real:
        """This process's part of the images at positions [position, position + size).

        Args:
            position: images seen before this batch, over all processes.
            size: images in the batch, over all processes; a multiple of their number.
            shares: of each of the other datasets, the probability that it takes the place of
                the main one's image at a position.
        """
        mine = self._mine(size)
        chosen, following = self._chosen(position, size, mine)
        mirrored = random(self._seed, MIRROR, position).random(size)[mine] < 0.5
        if not any(shares):
            return self._mirrored(self._main.take(chosen, following), mirrored)
        # With replacement, so that what was mixed before need not be remembered.
        draws = random(self._seed, MIX, position).random((2, size))[:, mine]
        source = np.searchsorted(np.cumsum(shares), draws[0], side="right")
        images, labels = self._main.take(chosen, following)
        for number, other in enumerate(self._others):
            places = np.flatnonzero(source == number)
            if len(places) == 0:
                continue
            their_images, their_labels = other.take((draws[1, places] * len(other)).astype(int))
            index = to_device(torch.from_numpy(places), images.device)
            images[index] = their_images
            if labels is not None and their_labels is not None:
                labels[index] = their_labels
        return self._mirrored((images, labels), mirrored)

    def held_out(self, position: int, size: int) -> Real | None:
        """This process's part of `size` images that `batch` never gives; None if none are kept.

        Drawn by chance for each position.
        """
        if len(self._held_out) == 0:
            return None
        randomly = random(self._seed, RESERVE, 1 + position)
        drawn = randomly.integers(len(self._held_out), size=size)[self._mine(size)]
        mirrored = randomly.random(size)[self._mine(size)] < 0.5
        return self._mirrored(self._main.take(self._held_out[drawn]), mirrored)

    def label_rows(self) -> Tensor | None:
        """Labels to draw from while generating: [LABEL_ROWS, L], evenly over the split."""
        return self._main.labels_of(np.linspace(0, len(self._main) - 1, LABEL_ROWS).round())

    def _chosen(self, position: int, size: int, mine: slice) -> tuple[Rows, Rows | None]:
        """This process's images at a position, and those that the next step will ask for."""
        if self._next is not None and self._next[0] == (position, size):
            chosen = self._next[1]
        else:
            chosen = self._sampler.batch(position, size)[mine]
        self._next = None
        if not self._main.reads_ahead:
            return chosen, None
        following = self._sampler.batch(position + size, size)[mine]
        self._next = (position + size, size), following
        return chosen, following

    def _mirrored(self, real: Real, which: npt.NDArray[np.bool_]) -> Real:
        images, labels = real
        if not self._mirror:
            return real
        chosen = to_device(torch.from_numpy(which), images.device)[:, None, None, None]
        return torch.where(chosen, images.flip(3), images), labels

    def _mine(self, size: int) -> slice:
        part = size // self._execution.world
        return slice(self._execution.rank * part, (self._execution.rank + 1) * part)


def value_range_of(recipe: Recipe, card: dict[str, Any]) -> Pixels:
    """The pixel conversion of a recipe on a dataset."""
    return Pixels.of(recipe.data.range, card.get("mean", ()), card.get("std", ()))


class _Images:
    """The training split of one dataset."""

    def __init__(
        self, dataset: Dataset, spec: ImageSpec, pixels: Pixels, execution: Execution
    ) -> None:
        train = dataset.indices("train")
        if len(train) == 0:
            raise DataError(
                f"{dataset.path} has no images to train on: its train split is empty.",
                "Import it again with a smaller `holdout`.",
            )
        self._pixels = pixels
        self._device = execution.device
        self._dataset, self._rows = dataset, train
        self._on_device: Tensor | None = None
        if execution.device.type != "cpu" and dataset.images.nbytes <= _ON_DEVICE_BYTES:
            self._on_device = torch.from_numpy(dataset.copied(train)).to(execution.device)
        self._labels = scaled(dataset, train, spec.labels) if spec.labels else None
        self._ahead = ReadAhead(dataset.copied) if self._worth_it() else None

    def _worth_it(self) -> bool:
        """Whether reading takes time: from a disk, to a device, or because it decodes."""
        if self._on_device is not None:
            return False
        size = self._dataset.images.nbytes
        outside = self._device.type != "cpu" or self._dataset.encoded
        return outside or 4 * size > memory_limit() > 0

    @property
    def reads_ahead(self) -> bool:
        """Whether it helps to know which images come next."""
        return self._ahead is not None

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, chosen: Rows, following: Rows | None = None) -> Real:
        """The images of these numbers, each in [0, len); those that follow begin to be read."""
        if self._on_device is not None:
            stored = self._on_device[to_device(torch.from_numpy(chosen), self._device)]
        else:
            rows = self._rows[chosen]
            if self._ahead is None:
                copied = self._dataset.copied(rows)
            else:
                copied = self._ahead(rows, None if following is None else self._rows[following])
            stored = to_device(torch.from_numpy(copied), self._device)
        labels = self.labels_of(chosen)
        return self._pixels.to_model(stored), None if labels is None else to_device(
            labels, self._device
        )

    def labels_of(self, chosen: npt.NDArray[np.generic]) -> Tensor | None:
        if self._labels is None:
            return None
        return self._labels[torch.from_numpy(chosen.astype(np.int64))]


def require_same_shape(dataset: Dataset, other: Dataset) -> None:
    """Refuse to mix images of different shapes."""
    mine, theirs = dataset.spec, other.spec
    if (mine.resolution, mine.channels) != (theirs.resolution, theirs.channels):
        raise DataError(
            f"{other.path} has images of {theirs.resolution}×{theirs.resolution} with "
            f"{theirs.channels} channels, {dataset.path} of {mine.resolution}×{mine.resolution} "
            f"with {mine.channels}.",
            "Import one of them again in the shape of the other.",
        )
