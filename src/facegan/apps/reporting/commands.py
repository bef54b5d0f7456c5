"""The commands that repeat a run, as lines for a shell."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

import tomli_w

from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.evaluation.results import Evaluation
from facegan.recipe import Recipe, difference, recipe_names

# Beyond this many --set, the recipe's own file is easier to read.
_MOST_SETTINGS = 12
_GRID = "-n 64 --seed 0 --grid --out"
_WORD = re.compile(r"(?!(true|false|inf|nan)$)[a-z][a-z0-9_]*")
_PORTRAITS = re.compile(r"seed (?P<seed>[0-9]+), items 0 to (?P<last>[0-9]+)")


@dataclass(frozen=True)
class Command:
    """One line for a shell, and what it does."""

    purpose: str
    line: str


def commands(
    recipe: Recipe,
    images: int,
    run: str,
    dataset: dict[str, Any],
    spec: ImageSpec | None = None,
    processes: int = 1,
    measured: Evaluation | None = None,
) -> list[Command]:
    """What to type to make the dataset (where it was drawn), the same run, scores and pictures.

    Args:
        recipe: of the run.
        images: in the whole run; stands in for a budget of time, which another machine
            would turn into another number.
        run: the run's folder, as seen from where the commands are given.
        dataset: its identity, as in provenance.json.
        spec: shape of its images, where known.
        processes: that shared each batch.
        measured: an evaluation of the trained generator, to measure the same again.
    """
    found = []
    pack = "PACK"
    if (drawing := _draw_portraits(dataset, spec)) is not None:
        pack = "portraits-again"
        found.append(Command("Draw the same dataset", f"facegan data portraits {pack} {drawing}"))
    again = f"{run}-again"
    parts = ["facegan train", *_recipe_words(recipe, run)]
    parts += ["--data", pack, "--run", shlex.quote(again), f"--budget {images / 1000:.15g}kimg"]
    if processes > 1:
        parts.append(f"--processes {processes}")
    found.append(Command("Train the same run again, in a new folder", " ".join(parts)))
    if measured is not None:
        found.append(Command("Measure it the same way", _measure(measured, run, pack)))
    found.append(
        Command(
            "The grid of this page, from the trained generator",
            f"facegan generate {shlex.quote(run)} {_GRID} faces.png",
        )
    )
    return found


def best_command(run: str) -> str:
    """What to type for pictures from the best snapshot."""
    return f"facegan generate {shlex.quote(run)} --best {_GRID} best-faces.png"


def _measure(evaluation: Evaluation, run: str, pack: str) -> str:
    words = [f"facegan evaluate {shlex.quote(run)} --data {pack}"]
    words += [f"-n {evaluation.n_fake} --n-real {evaluation.n_real}"]
    words += [f"--extractor {shlex.quote(space.extractor)}" for space in evaluation.features]
    if evaluation.reference != "train":
        words.append(f"--reference {evaluation.reference}")
    if evaluation.seed:
        words.append(f"--seed {evaluation.seed}")
    return " ".join(words)


def changes_from_shipped(recipe: Recipe) -> list[str] | None:
    """Where a recipe differs from the shipped one of its name, budget aside.

    Returns:
        Lines `path: old → new`, or None where no recipe of that name is shipped.
    """
    shipped = _shipped(recipe)
    return None if shipped is None else difference(shipped, recipe)


def _shipped(recipe: Recipe) -> Recipe | None:
    """The shipped recipe of that name, with this one's budget."""
    if recipe.name not in recipe_names():
        return None
    return Recipe.load(recipe.name).with_budget(recipe.training.budget)


def _recipe_words(recipe: Recipe, run: str) -> list[str]:
    """A shipped recipe with settings that give exactly this one, or else the run's own file."""
    own_file = [shlex.quote(f"{run}/recipe.toml")]
    shipped = _shipped(recipe)
    if shipped is None:
        return own_file
    changes = difference(shipped, recipe)
    if len(changes) > _MOST_SETTINGS:
        return own_file
    try:
        settings = [_setting(recipe, change.split(": ")[0]) for change in changes]
        exact = shipped.override(*settings) == recipe
    except (RecipeError, LookupError):
        exact = False
    if not exact:
        return own_file
    return [recipe.name, *(f"--set {shlex.quote(setting)}" for setting in settings)]


def _setting(recipe: Recipe, path: str) -> str:
    value: Any = recipe.values()
    for key in path.split("."):
        value = value[int(key) if isinstance(value, list) else key]
    if isinstance(value, str) and _WORD.fullmatch(value):
        return f"{path}={value}"  # a bare word that is no TOML is taken as a string
    return f"{path}={tomli_w.dumps({'value': value}).strip().removeprefix('value = ')}"


def _draw_portraits(dataset: dict[str, Any], spec: ImageSpec | None) -> str | None:
    """The options that draw this dataset, if it is portraits that facegan drew."""
    match = _PORTRAITS.search(str(dataset.get("source")))
    if dataset.get("name") != "portraits" or match is None or spec is None:
        return None
    options = f"-n {int(match['last']) + 1} --resolution {spec.resolution} --seed {match['seed']}"
    return f"{options} --grey" if spec.channels == 1 else options
