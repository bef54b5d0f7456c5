"""A generator as one safetensors file: weights and everything needed to use them.

Nothing in it is executable. Its metadata holds one JSON object: the recipe, the image
shape, the pixel range, the dataset's card in short, and how far it was trained.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.data.pixels import Pixels
from facegan.data.spec import ImageSpec, Label
from facegan.errors import RunError
from facegan.recipe import Recipe
from facegan.runs.files import read_safetensors, write_bytes
from facegan.version import __version__

if TYPE_CHECKING:
    from facegan.models.interfaces import Generator

_KEY = "facegan"
_FORMAT = 1


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

    def to_bytes(self) -> bytes:
        """The file's content. The same generator always gives the same bytes."""
        from safetensors.torch import save

        about = {
            "format": _FORMAT,
            "version": __version__,
            "recipe": self.recipe.to_toml(),
            "spec": asdict(self.generator.spec),
            "pixels": asdict(self.pixels),
            "images_seen": self.images_seen,
            "dataset": self.dataset,
        }
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.generator.state_dict().items()}
        return save(tensors, metadata={_KEY: json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> GeneratorFile:
        """Read a file written by `save`, checking it against the network it claims to be."""
        tensors, metadata = read_safetensors(path)
        if _KEY not in metadata:
            raise RunError(
                f"{path} is a safetensors file, but not one that facegan wrote.",
                "Its metadata must hold the recipe; give a generator.safetensors of a run.",
            )
        try:
            about = json.loads(metadata[_KEY])
            if about["format"] > _FORMAT:
                raise RunError(
                    f"{path} was written by facegan {about['version']}, in a newer format.",
                    f"This is facegan {__version__}: upgrade it.",
                )
            recipe = Recipe.parse(about["recipe"], f"the recipe inside {path}")
            labels = tuple(Label(**label) for label in about["spec"].pop("labels"))
            spec = ImageSpec(**about["spec"], labels=labels)
            pixels = Pixels.of(**about["pixels"])
            if pixels.range != recipe.data.range:
                raise ValueError(f"its pixels are {pixels.range}, its recipe {recipe.data.range}")
            generator = recipe.generator.build(spec, recipe.data.range)
            generator.load_state_dict(tensors)
            found = cls(generator.eval(), recipe, pixels, about["images_seen"], about["dataset"])
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"{path} does not hold the generator that its metadata describes: "
                f"{str(error).splitlines()[0]}",
                "The file is damaged or was changed; take the original.",
            ) from error
        return found
