"""The commands that repeat a run, as lines for a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w

from facegan.data.spec import ImageSpec
from facegan.errors import RecipeError
from facegan.evaluation.results import Evaluation
from facegan.recipe import Recipe, difference, recipe_names
from facegan.runs.extension import Extension

# Beyond this many --set, or characters in one, the recipe's own file is easier to read.
_MOST_SETTINGS = 12
_LONGEST_SETTING = 160
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
    start_from: str | None = None,
    extended: Sequence[Extension] = (),
) -> list[Command]:
    """What to type to make the datasets (where drawn), the same run, scores and pictures.

    Args:
        recipe: of the run.
        images: in the whole run; stands in for a budget of time, which another machine
            would turn into another number.
        run: the run's folder, as seen from where the commands are given.
        dataset: its identity, as in provenance.json, with those of the datasets mixed in.
        spec: shape of its images, where known.
        processes: that shared each batch.
        measured: an evaluation of the trained generator, to measure the same again.
        start_from: the model whose weights the run began with, as it was given.
        extended: each time that it was given a larger budget.
    """
    found, places = [], []
    for each, name in zip([dataset, *mixed_in(dataset)], _names(dataset), strict=True):
        places.append(name)
        if (drawing := _draw_portraits(each, spec)) is not None:
            places[-1] = "portraits-again" if each is dataset else f"portraits-{name.lower()}"
            what = "same dataset" if each is dataset else "dataset that was mixed in"
            line = f"facegan data portraits {places[-1]} {drawing}"
            found.append(Command(f"Draw the {what}", line))
    place = places[0]
    again = f"{run}-again"
    parts = ["facegan train", *_recipe_words(recipe, run), "--data", place]
    parts += [f"--mix {other}" for other in places[1:]]
    if start_from is not None:
        parts.append(f"--from {shlex.quote(start_from)}")
    parts += ["--run", shlex.quote(again)]
    shared = [f"--processes {processes}"] if processes > 1 else []
    first = extended[0].images_before if extended else images
    line = " ".join([*parts, _budget(first), *shared])
    found.append(Command("Train the same run again, in a new folder", line))
    for longer in extended:
        more = [_budget(longer.images), f"--extend {longer.schedules}"]
        at = f"Train it for longer, as this run was at {longer.images_seen / 1000:g} kimg"
        found.append(Command(at, " ".join([*parts, *more, *shared])))
    if measured is not None:
        found.append(Command("Measure it the same way", _measure(measured, run, place)))
    found.append(
        Command(
            "The grid of this page, from the trained generator",
            f"facegan generate {shlex.quote(run)} {_GRID} faces.png",
        )
    )
    return found


def _budget(images: int) -> str:
    return f"--budget {images / 1000:.15g}kimg"


def mixed_in(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """The identities of the datasets that took a share of the batches, in their order."""
    found = dataset.get("mixed")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _names(dataset: dict[str, Any]) -> list[str]:
    """What stands for each dataset whose place nobody knows: the main one, and those mixed in."""
    return ["DATASET", *(f"MIXED-{i}" for i in range(1, len(mixed_in(dataset)) + 1))]


def best_command(run: str) -> str:
    """What to type for pictures from the best snapshot."""
    return f"facegan generate {shlex.quote(run)} --best {_GRID} best-faces.png"


def _measure(evaluation: Evaluation, run: str, place: str) -> str:
    words = [f"facegan evaluate {shlex.quote(run)} --data {place}"]
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
    return Recipe.load(recipe.name).of_budget(recipe.training.budget)


def _recipe_words(recipe: Recipe, run: str) -> list[str]:
    """A shipped recipe with settings that give exactly this one, or else the run's own file."""
    own_file = [shlex.quote(f"{run}/recipe.toml")]
    shipped = _shipped(recipe)
    if shipped is None:
        return own_file
    settings = list(_settings(shipped.values(), recipe.values()))
    if len(settings) > _MOST_SETTINGS or max(map(len, settings), default=0) > _LONGEST_SETTING:
        return own_file
    try:
        exact = shipped.override(*settings) == recipe
    except RecipeError:
        exact = False
    if not exact:
        return own_file
    return [recipe.name, *(f"--set {shlex.quote(setting)}" for setting in settings)]


def _settings(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """What `--set` must say to turn one recipe's values into another's.

    Where a schedule takes the place of a number, or a number that of a schedule, it is set whole.
    """
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() <= new.keys():
        inner = [(key, old.get(key), value) for key, value in new.items()]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        inner = [(str(n), *pair) for n, pair in enumerate(zip(old, new, strict=True))]
    else:
        bare = isinstance(new, str) and _WORD.fullmatch(new)
        yield f"{path}={new if bare else _inline(new)}"  # a word that is no TOML is a string
        return
    for key, before, after in inner:
        yield from _settings(before, after, f"{path}.{key}" if path else key)


def _inline(value: Any) -> str:
    """TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return tomli_w.dumps({"value": value}).strip().removeprefix("value = ")


def _draw_portraits(dataset: dict[str, Any], spec: ImageSpec | None) -> str | None:
    """The options that draw this dataset, if it is portraits that facegan drew."""
    match = _PORTRAITS.search(str(dataset.get("source")))
    if dataset.get("name") != "portraits" or match is None or spec is None:
        return None
    options = f"-n {int(match['last']) + 1} --resolution {spec.resolution} --seed {match['seed']}"
    return f"{options} --grey" if spec.channels == 1 else options
