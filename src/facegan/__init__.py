"""facegan: a laboratory for GANs that generate faces.

    import facegan
    recipe = facegan.Recipe.load("dcgan").override("training.batch=32")
    facegan.train(recipe, data="portraits", run="runs/a", budget="3min")
    facegan.load("runs/a").sample(16)          # in a notebook: the pictures

Each verb of `facegan --help` is a function here. Results are values: `to_dict()`, `to_frame()`.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from facegan.version import __version__ as __version__

if TYPE_CHECKING:
    from facegan.apps.data import draw_portraits as draw_portraits
    from facegan.apps.dataset_doctor import examine_dataset as examine_dataset
    from facegan.apps.dataset_doctor import filter_dataset as filter_dataset
    from facegan.apps.doctor import doctor as doctor
    from facegan.apps.edit import directions as directions
    from facegan.apps.edit import edit as edit
    from facegan.apps.evaluate import evaluate as evaluate
    from facegan.apps.film import film as film
    from facegan.apps.generate import generate as generate
    from facegan.apps.invert import invert as invert
    from facegan.apps.invert import prepare_encoder as prepare_encoder
    from facegan.apps.labelling import label as label
    from facegan.apps.models import export as export_model  # noqa: F401
    from facegan.apps.models import install as install_model  # noqa: F401
    from facegan.apps.models import listed as models  # noqa: F401
    from facegan.apps.models import model_card as model_card
    from facegan.apps.models import push as push_model  # noqa: F401
    from facegan.apps.models import remove as remove_model  # noqa: F401
    from facegan.apps.onnx import export_onnx as export_onnx
    from facegan.apps.packing import pack as pack_model  # noqa: F401
    from facegan.apps.profile import profile as profile
    from facegan.apps.recipes import forecast as forecast
    from facegan.apps.recipes import recipes as recipes
    from facegan.apps.train import Training as Training
    from facegan.apps.train import train as train
    from facegan.data.align import Alignment as Alignment
    from facegan.data.align import align as align
    from facegan.data.dataset import Dataset as Dataset
    from facegan.data.export import export_zip as export_dataset  # noqa: F401
    from facegan.data.importer import import_images as import_images
    from facegan.errors import FaceganError as FaceganError
    from facegan.generation.generator import open_generator as load  # noqa: F401
    from facegan.loggers import Logger as Logger
    from facegan.plugins import load_plugin as load_plugin
    from facegan.recipe import Recipe as Recipe
    from facegan.report.figures import run_figures as run_figures
    from facegan.report.figures import study_figures as study_figures
    from facegan.report.pages import compare as compare
    from facegan.report.pages import report as report
    from facegan.report.pages import study_report as study_report
    from facegan.report.record import open_run as open_run
    from facegan.studio.page import export_page as export_page
    from facegan.studio.serving import serve as serve
    from facegan.studio.serving import studio as open_studio  # noqa: F401
    from facegan.study.plan import Plan as Plan
    from facegan.study.run import study as study
    from facegan.training.reporter import LineReporter as LineReporter
    from facegan.training.reporter import Reporter as Reporter

# Name → module, and what it is called there if that is another: imported when first used, because
# PyTorch alone takes seconds to start. Packages of the same name are callable: `callables.py`.
_PUBLIC = {
    "Alignment": "facegan.data.align",
    "Dataset": "facegan.data.dataset",
    "FaceganError": "facegan.errors",
    "LineReporter": "facegan.training.reporter",
    "Logger": "facegan.loggers",
    "Plan": "facegan.study.plan",
    "Recipe": "facegan.recipe",
    "Reporter": "facegan.training.reporter",
    "Training": "facegan.apps.train",
    "align": "facegan.data.align",
    "compare": "facegan.report.pages",
    "directions": "facegan.apps.edit",
    "doctor": "facegan.apps.doctor",
    "draw_portraits": "facegan.apps.data",
    "edit": "facegan.apps.edit",
    "evaluate": "facegan.apps.evaluate",
    "examine_dataset": "facegan.apps.dataset_doctor",
    "export_dataset": "facegan.data.export:export_zip",
    "export_model": "facegan.apps.models:export",
    "export_onnx": "facegan.apps.onnx",
    "export_page": "facegan.studio.page",
    "film": "facegan.apps.film",
    "filter_dataset": "facegan.apps.dataset_doctor",
    "forecast": "facegan.apps.recipes",
    "generate": "facegan.apps.generate",
    "import_images": "facegan.data.importer",
    "install_model": "facegan.apps.models:install",
    "invert": "facegan.apps.invert",
    "label": "facegan.apps.labelling",
    "load": "facegan.generation.generator:open_generator",
    "load_plugin": "facegan.plugins",
    "model_card": "facegan.apps.models",
    "models": "facegan.apps.models:listed",
    "open_run": "facegan.report.record",
    "open_studio": "facegan.studio.serving:studio",
    "pack_model": "facegan.apps.packing:pack",
    "prepare_encoder": "facegan.apps.invert",
    "profile": "facegan.apps.profile",
    "push_model": "facegan.apps.models:push",
    "recipes": "facegan.apps.recipes",
    "remove_model": "facegan.apps.models:remove",
    "report": "facegan.report.pages",
    "run_figures": "facegan.report.figures",
    "serve": "facegan.studio.serving",
    "study": "facegan.study.run",
    "study_figures": "facegan.report.figures",
    "study_report": "facegan.report.pages",
    "train": "facegan.apps.train",
}


# What was called otherwise in 0.1.0.
_OLD_NAMES = {"Pack": "Dataset"}


def __getattr__(name: str) -> Any:
    if name in _OLD_NAMES:
        name, old = _OLD_NAMES[name], name
        warnings.warn(f"facegan.{old} is called facegan.{name} now.", FutureWarning, stacklevel=2)
    if name not in _PUBLIC:
        raise AttributeError(f"module 'facegan' has no attribute {name!r}")
    module, _, there = _PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module), there or name)


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, "__version__"])


__all__ = [*_PUBLIC, "__version__"]
