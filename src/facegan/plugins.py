"""Kinds of your own, in a script or a package: loaded when asked for, and only then.

A plug-in is a Python module that registers what it has when it is imported:

    # mine.py
    from facegan.losses.adversarial import ADVERSARIAL, Adversarial
    ADVERSARIAL.add("mine", Adversarial(discriminator, generator))

From Python, `import mine` is enough. `load_plugin` does the same for a file, for a module, or for
what an installed package offers under an entry point of the group `facegan.plugins`. What was
loaded is noted in the environment variable `FACEGAN_PLUGINS`, from which the processes of a study
load it too. Recipes and models name kinds, never modules: nothing is imported because a file asks
for it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from facegan.errors import FaceganError, UnknownKindError
from facegan.registry import modules_of

if TYPE_CHECKING:
    from pydantic import BaseModel

GROUP, VARIABLE = "facegan.plugins", "FACEGAN_PLUGINS"
_PREFIX = "facegan_plugin_"


def load_plugin(name: str | Path) -> ModuleType:
    """Load a plug-in, once: a second call gives the same module.

    Args:
        name: the path of a `.py` file, the name of an entry point, or that of a module.

    Raises:
        FaceganError: there is no such plug-in, or it fails while it is loaded.
    """
    text = str(name)
    is_file = text.endswith(".py")
    try:
        module = _from_file(Path(text).resolve()) if is_file else _installed(text)
    except FaceganError:
        raise
    except Exception as error:
        raise FaceganError(
            f"The plug-in {text} failed while it was loaded: {type(error).__name__}: {error}",
            "Mend it: 'python' with its name shows where.",
        ) from error
    known = [each for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]
    noted = str(Path(text).resolve()) if is_file else text
    if noted not in known:
        os.environ[VARIABLE] = os.pathsep.join([*known, noted])
    return module


def needed(section: BaseModel) -> list[str]:
    """The plug-ins that a recipe's kinds come from, as a person would look for them: modules by
    their name, files by the last part of their path.
    """
    outside = [
        name
        for name in modules_of(section)
        if name != "facegan" and not name.startswith("facegan.")
    ]
    return sorted(
        Path(str(sys.modules[name].__file__)).name if _is_file(name) else name for name in outside
    )


def with_plugins(error: UnknownKindError, plugins: Sequence[str]) -> UnknownKindError:
    """The error for a recipe whose plug-ins were noted beside it when it was in use."""
    if not plugins:
        return error
    noted = f"It was made with {', '.join(plugins)}."
    return UnknownKindError(error.message, f"{error.hint} {noted}")


def load_noted() -> None:
    """Load the plug-ins that `FACEGAN_PLUGINS` names."""
    for name in os.environ.get(VARIABLE, "").split(os.pathsep):
        if name:
            load_plugin(name)


def _is_file(module: str) -> bool:
    """Whether a module was loaded from a file that no import finds."""
    known = module == "__main__" or module.startswith(_PREFIX)
    return known and getattr(sys.modules.get(module), "__file__", None) is not None


def _from_file(path: Path) -> ModuleType:
    for module in list(sys.modules.values()):  # as a script, or loaded before
        if getattr(module, "__file__", None) and Path(str(module.__file__)).resolve() == path:
            return module
    if not path.is_file():
        raise FaceganError(f"There is no plug-in {path}.", "Give the path of a Python file.")
    name = f"{_PREFIX}{path.stem}"
    number = 1
    while name in sys.modules:
        number += 1
        name = f"{_PREFIX}{path.stem}_{number}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # as for any .py file
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _installed(name: str) -> ModuleType:
    offered = {point.name: point.module for point in entry_points(group=GROUP)}
    module = offered.get(name, name)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and misses another
        packages = f" Installed packages offer: {', '.join(sorted(offered))}." if offered else ""
        raise FaceganError(
            f"There is no plug-in {name!r}: no module of that name can be imported.",
            f"Give the path of a Python file, ending in .py, or install the package.{packages}",
        ) from error
