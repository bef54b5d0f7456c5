"""Real images for each update: held as bytes, gathered, converted."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facegan.data.pack import Pack
from facegan.data.pixels import Pixels
from facegan.data.sampler import Sampler
from facegan.errors import DataError
from facegan.training.execution import Execution

# Larger packs stay memory-mapped: the system's page cache holds what fits.
_IN_MEMORY_BYTES = 4 << 30


class Feed:
    """The training split of a pack, in the order that the seed decides.

    Args:
        pack: the dataset; its `train` split is used.
        pixels: conversion to the recipe's range.
        seed: the run's seed.
        execution: where the batches are wanted.
    """

    def __init__(self, pack: Pack, pixels: Pixels, seed: int, execution: Execution) -> None:
        train = pack.indices("train")
        if len(train) == 0:
            raise DataError(
                f"{pack.path} has no images to train on: its train split is empty.",
                "Import it again with a smaller --holdout.",
            )
        self._pixels = pixels
        self._execution = execution
        self._sampler = Sampler(np.arange(len(train)), seed)
        images = pack.images
        if images.nbytes <= _IN_MEMORY_BYTES:
            images = np.ascontiguousarray(images[train])
            self._rows = np.arange(len(train))
        else:
            self._rows = train
        self._images = images
        self._on_device: Tensor | None = None
        if execution.device.type != "cpu" and images.nbytes <= _IN_MEMORY_BYTES:
            self._on_device = torch.from_numpy(images).to(execution.device)
        self._labels = None
        if pack.labels is not None:
            self._labels = torch.from_numpy(np.ascontiguousarray(pack.labels[train]))

    def batch(self, position: int, size: int) -> tuple[Tensor, Tensor | None]:
        """This process's part of the images at positions [position, position + size).

        Args:
            position: images seen before this batch, over all processes.
            size: images in the batch, over all processes; a multiple of their number.

        Returns:
            Images float [size / world, C, H, W] and labels float [size / world, L] or None.
        """
        execution = self._execution
        part = size // execution.world
        chosen = self._sampler.batch(position, size)[execution.rank * part :][:part]
        index = torch.from_numpy(chosen)
        if self._on_device is not None:
            stored = self._on_device[index.to(execution.device)]
        else:
            stored = torch.from_numpy(self._images[self._rows[chosen]]).to(execution.device)
        images = self._pixels.to_model(stored)
        labels = None if self._labels is None else self._labels[index].to(execution.device)
        return images, labels
