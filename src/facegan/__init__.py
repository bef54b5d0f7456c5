"""facegan: a laboratory for GANs that generate faces.

    import facegan
    recipe = facegan.Recipe.load("dcgan").override("training.batch=32")
    facegan.train(recipe, data="portraits", run="runs/a", budget="3min")
    facegan.generate("runs/a", out="faces", n=16)

Each function here is also a command: `facegan --help`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from facegan.version import __version__ as __version__

if TYPE_CHECKING:
    from facegan.apps.evaluate import evaluate as evaluate
    from facegan.apps.generate import generate as generate
    from facegan.apps.train import train as train
    from facegan.data.dataset import Dataset as Dataset
    from facegan.data.importer import import_images as import_images
    from facegan.errors import FaceganError as FaceganError
    from facegan.recipe import Recipe as Recipe
    from facegan.report.pages import compare as compare
    from facegan.report.pages import report as report

# Name → module: imported when first used, because PyTorch alone takes seconds to start.
_PUBLIC = {
    "FaceganError": "facegan.errors",
    "Dataset": "facegan.data.dataset",
    "Recipe": "facegan.recipe",
    "compare": "facegan.report.pages",
    "evaluate": "facegan.apps.evaluate",
    "generate": "facegan.apps.generate",
    "import_images": "facegan.data.importer",
    "report": "facegan.report.pages",
    "train": "facegan.apps.train",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'facegan' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, "__version__"])
