"""Small generators, and directions that nobody found, as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan.data.spec import ImageSpec, Label
from facegan.editing.directions import Directions, DirectionSearch, path_beside
from facegan.files import sha256
from facegan.models.file import GeneratorFile
from facegan.training.batch_source import value_range_of

LABELS = (Label("smiling", True), Label("age", False, 40.0, 12.0))


def write_generator(
    tiny: Callable[..., Any],
    path: Path,
    labels: tuple[Label, ...] = (),
    channels: int = 3,
    resolution: int = 32,
    recipe: str = "gan",
    size: int = 8,
) -> Path:
    """A small generator whose pictures differ, as a file."""
    settings = (f"generator.latent.size={size}", *(["data.labels=all"] if labels else []))
    made = tiny(recipe, *settings)
    torch.manual_seed(1)
    generator = made.generator.build(ImageSpec(resolution, channels, labels), made.data.range)
    with torch.no_grad():
        for tensor in generator.parameters():
            # Through more layers, larger ones would make of rounding what can be seen.
            tensor.normal_(0.0, 0.5 if recipe == "gan" else 0.3)
    if labels:
        generator.label_rows.normal_()
    pixels = value_range_of(made, {"mean": [0.5] * channels, "std": [0.25] * channels})
    GeneratorFile(generator.eval(), made, pixels, 5000, {"name": "blobs"}).save(path)
    return path


def write_directions(
    model: Path, names: tuple[str, ...] = ("Smiling", "Age"), size: int = 8
) -> None:
    """Directions that were found by nobody, beside a generator."""
    random = np.random.default_rng(0)
    k = len(names)
    numbers = np.float32
    effect = np.eye(k, dtype=numbers) + numbers(0.3) * (1 - np.eye(k, dtype=numbers))
    found = DirectionSearch(
        model=sha256(model),
        latent="normal",
        kinds=("attribute",) * k,
        explained=(0.5,) * k,
        faces=1000,
        seed=0,
        measured=10,
        step=2.0,
        identity="none",
    )
    one = np.ones(k, numbers)
    Directions(
        names,
        random.standard_normal((k, size)).astype(numbers),
        *(one, one, effect, effect, one, effect, effect, one),
        found,
    ).save(path_beside(model))
