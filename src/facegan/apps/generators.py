"""Trained generators by run, file or model, and the pictures that seeds and labels decide."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from facegan.data.conditions import fixed, unscaled
from facegan.data.spec import Label
from facegan.errors import printable
from facegan.runs.find import find_generator
from facegan.runs.generator_file import GeneratorFile
from facegan.runs.shelf import DEFAULT, find_model, model_at
from facegan.training.execution import Execution, choose_device
from facegan.training.samples import image_inputs, pictures


@dataclass(frozen=True)
class OpenGenerator:
    """A generator, ready on its device.

    Attributes:
        path: its file.
        loaded: the network and where it comes from.
        model: its name, where it is a model in the box or installed.
    """

    path: Path
    loaded: GeneratorFile
    model: str | None = None

    @property
    def labels(self) -> tuple[Label, ...]:
        """Those that it was trained with; none for a generator without conditions."""
        return self.loaded.generator.spec.labels

    def named(self, labels: Mapping[str, float]) -> dict[str, float]:
        """Wanted labels, names in any case, by the names that the generator knows them by.

        Raises:
            FaceganError: it knows no such label, or the value is impossible.
        """
        columns = fixed(labels, self.labels)
        return dict(zip((self.labels[c].name for c in columns), labels.values(), strict=True))

    def pictures(
        self,
        seeds: Sequence[int],
        truncation: float = 1.0,
        labels: Mapping[str, float] | None = None,
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """The picture of each seed, uint8 [n, H, W, C], a few at a time.

        Args:
            seeds: one for each picture.
            truncation: ψ in [0, 1]; less than 1 draws latents towards their mean.
            labels: name → value, as the dataset has it, that all pictures share. The other
                labels are those of a training image that the seed chooses.

        Raises:
            FaceganError: at once, for labels that `named` refuses.
        """
        columns = fixed(labels or {}, self.labels)
        return pictures(self.loaded.generator, self.loaded.pixels, seeds, truncation, columns)

    def label_values(
        self, seeds: Sequence[int], labels: Mapping[str, float] | None = None
    ) -> npt.NDArray[np.float32] | None:
        """The labels that `pictures` gives each picture, as the dataset has them.

        Returns:
            float32 [len(seeds), L], NaN where one is missing; None without labels.
        """
        if not self.labels:
            return None
        columns = fixed(labels or {}, self.labels)
        rows = [image_inputs(self.loaded.generator, seed, columns)[1] for seed in seeds]
        return unscaled(torch.cat([row for row in rows if row is not None]), self.labels)


def open_generator(
    source: str | Path | None, best: bool = False, device: str = "auto"
) -> OpenGenerator:
    """Open a generator, saying on standard error which damaged checkpoints were passed over.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name; None for the
            model that is used where nothing is asked for.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.
    """
    if source is None:
        source = find_model(DEFAULT).path
    path = find_generator(source, lambda message: print(printable(message), file=sys.stderr), best)
    model = model_at(path)
    loaded = GeneratorFile.load(path)
    Execution(choose_device(device), channels_last=True).place(loaded.generator)
    return OpenGenerator(path, loaded, None if model is None else model.name)
