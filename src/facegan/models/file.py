"""A generator as one safetensors file: weights and everything needed to use them.

Nothing in it is executable. Its metadata holds one JSON object: the recipe, the image
shape, the pixel range, the dataset's card in short, and how far it was trained.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.data.pixels import Pixels
from facegan.errors import UnknownKindError
from facegan.files import read_safetensors, write_bytes
from facegan.models.about import FORMAT, KEY, WRONG, changed, read_about
from facegan.plugins import needed, with_plugins
from facegan.recipe import Recipe
from facegan.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

    from facegan.networks.interfaces import Generator


@dataclass(frozen=True)
class GeneratorFile:
    """A generator, ready to use, and where it comes from.

    Attributes:
        generator: the averaged network, in evaluation mode, float32 on the CPU.
        recipe: what it was trained with.
        pixels: conversion of its output to bytes.
        images_seen: how many images the discriminator had been shown.
        dataset: name, licence, source and fingerprint of the training data.
    """

    generator: Generator
    recipe: Recipe
    pixels: Pixels
    images_seen: int
    dataset: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the file."""
        write_bytes(path, self.to_bytes())

    def to_bytes(self, card: Mapping[str, Any] | None = None, half: bool = False) -> bytes:
        """The file's content. The same generator always gives the same bytes.

        Args:
            card: of a model, what `facegan.models.card.Card` says.
            half: whether weights are written in half precision, as `halved` rounds them.
        """
        from safetensors.torch import save

        about = {
            "format": FORMAT,
            "version": __version__,
            "recipe": self.recipe.to_toml(),
            "spec": asdict(self.generator.spec),
            "pixels": asdict(self.pixels),
            "images_seen": self.images_seen,
            "dataset": self.dataset,
        }
        plugins = needed(self.recipe)
        if plugins:
            about["plugins"] = plugins
        if card is not None:
            about["card"] = dict(card)
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.generator.state_dict().items()}
        if half:
            tensors = {k: halved(v) for k, v in tensors.items()}
        return save(tensors, metadata={KEY: json.dumps(about)})

    def halved(self) -> GeneratorFile:
        """The same with weights that half precision can hold, still as float32 numbers.

        Matrices and kernels are rounded to float16, which keeps three more bits than bfloat16.
        Lists of numbers (biases, statistics) stay as they are: they matter most and weigh least.
        """
        generator = copy.deepcopy(self.generator)
        for tensor in generator.state_dict().values():
            tensor.copy_(halved(tensor))
        return replace(self, generator=generator)

    @classmethod
    def load(cls, path: Path) -> GeneratorFile:
        """Read a file that `to_bytes` made, checking it against the network it claims to be.

        Memory is taken for the tensors in the file alone, whatever sizes its recipe names.
        """
        from facegan.networks.meta_device import on_meta_device

        about = read_about(path)
        tensors, _ = read_safetensors(path)
        try:
            recipe = Recipe.parse(about.recipe, f"the recipe inside {path}")
        except UnknownKindError as error:
            raise with_plugins(error, about.plugins) from error
        try:
            pixels = Pixels.of(**about.pixels)
            if pixels.range != recipe.data.range:
                raise ValueError(f"its pixels are {pixels.range}, its recipe {recipe.data.range}")
            with on_meta_device():
                generator = recipe.generator.build(about.spec, recipe.data.range)
            kinds = {key: own.dtype for key, own in generator.state_dict().items()}
            tensors = {key: t.to(kinds.get(key, t.dtype)) for key, t in tensors.items()}
            generator.load_state_dict(tensors, assign=True)
            _require_finite(tensors)
        except WRONG as error:
            raise changed(path, error) from error
        return cls(generator.eval(), recipe, pixels, about.images_seen, about.dataset)


def _require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that make nothing but noise. The labels' rows may lack values."""
    import torch

    for name, tensor in tensors.items():
        if name.rpartition(".")[2] != "label_rows" and not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has values that are not finite numbers")


def halved(tensor: Tensor) -> Tensor:
    """In float16 if it is a matrix or a kernel that float16 can hold, or else as it is."""
    import torch

    if tensor.dim() < 2 or not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return tensor if torch.isinf(half).any() else half
