"""Trained generators by run, file or model, and the pictures that seeds and labels decide."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from facegan.data.conditions import scaled_by_column, unscaled, values_by_column
from facegan.data.spec import Label
from facegan.device import Execution, Precision, choose_device, slow_bf16
from facegan.errors import FaceganError, printable
from facegan.generation.album import Pictures
from facegan.generation.inference import for_inference
from facegan.generation.samples import image_inputs, labelled_pictures, pictures_at
from facegan.models.file import GeneratorFile
from facegan.models.store import DEFAULT, find_model, model_at
from facegan.networks.interfaces import Generator
from facegan.runs.find import find_generator

Engine = Literal["torch", "onnx"]


@dataclass(frozen=True, repr=False)
class OpenGenerator:
    """A generator, ready on its device.

    Attributes:
        path: its file.
        loaded: the network and where it comes from.
        network: the same as it computes pictures.
        model: its name, where it is a model in the box or installed.
        precision: what it computes in.
        engine: what computes pictures of seeds: `torch`, or `onnx` for ONNX Runtime.
    """

    path: Path
    loaded: GeneratorFile
    network: Generator
    model: str | None = None
    precision: Precision = "fp32"
    engine: Engine = "torch"

    @property
    def labels(self) -> tuple[Label, ...]:
        """Those that it was trained with; none for a generator without conditions."""
        return self.loaded.generator.spec.labels

    def named(self, labels: Mapping[str, float | str]) -> dict[str, float]:
        """Wanted labels, names in any case, by the names that the generator knows them by.

        Raises:
            FaceganError: it knows no such label, or the value is impossible.
        """
        scaled_by_column(labels, self.labels)
        return {
            self.labels[c].name: value for c, value in values_by_column(labels, self.labels).items()
        }

    def pictures(
        self,
        seeds: Sequence[int],
        truncation: float = 1.0,
        labels: Mapping[str, float | str] | None = None,
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
        return (images for images, _ in self.labelled_pictures(seeds, truncation, labels))

    def labelled_pictures(
        self,
        seeds: Sequence[int],
        truncation: float = 1.0,
        labels: Mapping[str, float | str] | None = None,
    ) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]]:
        """The same as `pictures`, each group with its labels as the dataset has them.

        Yields:
            uint8 [n, H, W, C] and float32 [n, L], NaN where one is missing; None without labels.
        """
        columns = scaled_by_column(labels or {}, self.labels)
        groups = labelled_pictures(
            self.network, self.loaded.pixels, seeds, truncation, columns, self.precision
        )
        return (
            (images, None if rows is None else unscaled(rows, self.labels))
            for images, rows in groups
        )

    def sample(
        self,
        n: int = 16,
        seed: int = 0,
        *,
        truncation: float = 1.0,
        labels: Mapping[str, float | str] | None = None,
    ) -> Pictures:
        """Pictures of the seeds seed, seed + 1, …, in memory; a notebook shows them as a grid.

        Args:
            n: how many.
            seed: of the first, 0 or more.
            truncation: ψ in [0, 1]; less than 1 draws latents towards their mean: more typical,
                less varied.
            labels: name → value that all pictures share, as `facegan.generate` takes them.

        Raises:
            FaceganError: for what cannot be asked for.
        """
        if n < 1 or seed < 0 or not 0.0 <= truncation <= 1.0:
            raise FaceganError(
                f"n is {n}, seed {seed}, truncation {truncation:g}.",
                "Allowed: n from 1, seed from 0, truncation in [0, 1].",
            )
        asked, seeds = self.named(labels or {}), range(seed, seed + n)
        images = np.concatenate(list(self.pictures(seeds, truncation, asked)))
        return Pictures(images, seeds, self.about(truncation, asked))

    def about(self, truncation: float, labels: Mapping[str, float]) -> dict[str, str]:
        """What a picture's metadata says of how it was made."""
        loaded = self.loaded
        said = {} if self.model is None else {"model": self.model}
        said |= {
            "recipe": loaded.recipe.name,
            "kimg": f"{loaded.images_seen / 1000:g}",
            "dataset": str(loaded.dataset.get("name")),
            "truncation": f"{truncation:g}",
        }
        if self.precision != "fp32":
            said["precision"] = self.precision
        if self.engine != "torch":
            said["engine"] = self.engine
        if labels:
            said["labels"] = ", ".join(f"{name}={value:g}" for name, value in labels.items())
        return said

    def __repr__(self) -> str:
        spec, loaded = self.loaded.generator.spec, self.loaded
        return (
            f"OpenGenerator({self.model or self.path}: {loaded.recipe.name}, "
            f"{loaded.images_seen / 1000:g} kimg of {loaded.dataset.get('name')}, "
            f"{spec.resolution}×{spec.resolution})"
        )

    def pictures_at(
        self, z: torch.Tensor, labels: torch.Tensor | None = None
    ) -> npt.NDArray[np.uint8]:
        """Pictures of given latents at once, without waiting for a group of them.

        Args:
            z: float [N, Z], as they enter the network.
            labels: float [N, L], scaled as while training; for a generator with labels.

        Returns:
            uint8 [N, H, W, C]; a last bit may differ from `pictures`.
        """
        return pictures_at(self.network, self.loaded.pixels, z, labels, self.precision)

    def label_values(self, seeds: Sequence[int]) -> npt.NDArray[np.float32] | None:
        """The labels that `pictures` gives each picture, as the dataset has them.

        Returns:
            float32 [len(seeds), L], NaN where one is missing; None without labels.
        """
        if not self.labels:
            return None
        rows = [image_inputs(self.loaded.generator, seed)[1] for seed in seeds]
        return unscaled(torch.cat([row for row in rows if row is not None]), self.labels)


def open_generator(
    source: str | Path | None = None,
    best: bool = False,
    device: str = "auto",
    precision: Precision = "fp32",
    engine: Engine = "torch",
) -> OpenGenerator:
    """Open a generator, saying on standard error which damaged checkpoints were passed over.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name; None for the
            model that is used where nothing is asked for.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.
        precision: `fp32`, or `bf16`: faster, and pictures that differ a little.
        engine: `torch`, or `onnx`: ONNX Runtime (extra `onnx`), on the processor and in fp32. Few
            pictures come sooner; they differ by a level of 255 at most.
    """
    if precision not in get_args(Precision):
        raise FaceganError(f"`precision` {precision} is unknown.", "Use fp32 or bf16.")
    if engine not in get_args(Engine):
        raise FaceganError(f"The engine {engine} is unknown.", "Use torch or onnx.")
    if engine == "onnx" and (precision != "fp32" or device not in ("auto", "cpu")):
        raise FaceganError(
            f"ONNX Runtime is asked for, in {precision} on {device}.",
            "It computes in fp32 on the processor here: leave one of them out.",
        )
    if source is None:
        source = find_model(DEFAULT).path
    path = find_generator(source, lambda message: print(printable(message), file=sys.stderr), best)
    model = model_at(path)
    loaded = GeneratorFile.load(path)
    if engine == "onnx":
        from facegan.generation.onnx_engine import by_onnx

        network: Generator = by_onnx(loaded, path)
        name = None if model is None else model.name
        return OpenGenerator(path, loaded, network, name, precision, engine)
    Execution(choose_device(device), channels_last=True).place(loaded.generator)
    if precision == "bf16" and (said := slow_bf16(choose_device(device))):
        print(said, file=sys.stderr)
    network = for_inference(loaded.generator) if precision == "bf16" else loaded.generator
    return OpenGenerator(path, loaded, network, None if model is None else model.name, precision)
