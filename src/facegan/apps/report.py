"""`report.html`: what happened in a run, as one page that opens anywhere."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from facegan.apps.commands import changes_from_shipped, commands
from facegan.apps.curves import curves
from facegan.apps.filmstrip import filmstrip
from facegan.data.spec import ImageSpec
from facegan.errors import RunError
from facegan.optimizers import stage_starts
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.directory import RunDirectory
from facegan.runs.files import write_text
from facegan.runs.journal import Journal
from facegan.runs.provenance import dataset_identity

# The widest that the page shows a grid, in CSS pixels.
_GRID_WIDTH = 1056


def report(run: str | Path) -> Path:
    """Write RUN/report.html from the run's other files, and from nothing else.

    The page holds all that it shows, loads nothing, and is the same for the same files. A run
    that is not finished, or has barely begun, gives a page of what there is.

    Args:
        run: the run's folder.

    Returns:
        The page.

    Raises:
        RunError: where no run was begun, or its recipe or provenance cannot be read.
        StorageError: if the page cannot be written.
    """
    folder = RunDirectory(run).require()
    write_text(folder.report, _page(folder))
    return folder.report


def _page(run: RunDirectory) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    recipe, provenance = run.recipe(), run.provenance()
    dataset, execution = _part(provenance, "dataset"), _part(provenance, "execution")
    metrics, timing = _lines(run.metrics), _lines(run.timing)
    frames = filmstrip(run.samples)
    trained = _trained(run, recipe)
    seen = metrics[-1]["images_seen"] if metrics else 0
    total = max(_whole(_part(provenance, "plan").get("images")), seen)
    stages = _stages(recipe, total)
    name = run.path.resolve().name
    environment = Environment(
        loader=PackageLoader("facegan", "apps"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        recipe=recipe,
        name=name,
        seen=kimg(seen),
        total=kimg(total),
        share=seen / total if total else 0.0,
        finished=0 < total <= seen,
        facts=_facts(recipe, dataset, execution, timing, trained),
        frames=frames,
        grid_width=_grid_width(frames[-1].width) if frames else 0,
        curves=[
            (curve, Markup(curve.svg))
            for curve in curves(metrics, timing, total, [stage.begin for stage in stages[1:]])
        ],
        stages=stages,
        sections=_sections(recipe),
        toml=recipe.to_toml(),
        changes=changes_from_shipped(recipe),
        budget=recipe.training.budget,
        dataset=dataset_identity(dataset),
        provenance=_listed(provenance),
        commands=commands(
            recipe,
            total,
            name,
            dataset,
            trained.spec if trained else None,
            _whole(execution.get("world")),
        ),
    )


@dataclass(frozen=True)
class _Trained:
    """The last whole checkpoint's networks."""

    spec: ImageSpec
    generator: int
    discriminator: int


def _trained(run: RunDirectory, recipe: Recipe) -> _Trained | None:
    import torch

    from facegan.models.interfaces import parameter_count
    from facegan.runs.generator_file import GeneratorFile

    try:
        last = checkpoint.latest(run.checkpoints)
        if last is None:
            return None
        generator = GeneratorFile.load(last.path / checkpoint.GENERATOR).generator
    except RunError:
        return None
    with torch.device("meta"):
        discriminator = recipe.discriminator.build(generator.spec)
    return _Trained(generator.spec, parameter_count(generator), parameter_count(discriminator))


def _facts(
    recipe: Recipe,
    dataset: dict[str, Any],
    execution: dict[str, Any],
    timing: list[dict[str, Any]],
    trained: _Trained | None,
) -> list[tuple[str, str, str]]:
    """(what, value, more) in the order of a first glance."""
    facts = []
    if timing:
        speed = statistics.median(_number(line.get("img_per_s")) for line in timing)
        facts.append(("Time", duration(_number(timing[-1].get("seconds"))), "of training"))
        facts.append(("Speed", f"{speed:,.0f}", "images a second, typically"))
    threads = f"{execution.get('threads')} threads" if execution.get("threads") else ""
    how = ", ".join(str(word) for word in (execution.get("precision"), threads) if word)
    facts.append(("Device", str(execution.get("device", "unknown")).upper(), how))
    shape = ""
    if trained is not None:
        side, colours = trained.spec.resolution, "colour" if trained.spec.channels == 3 else "grey"
        shape = f"{side} × {side} pixels, {colours}"
    facts.append(("Dataset", str(dataset.get("name", "unknown")), shape))
    if trained is not None:
        kind = recipe.generator.kind
        facts.append(("Generator", f"{trained.generator:,}", f"numbers to learn ({kind})"))
        kind = recipe.discriminator.kind
        facts.append(("Discriminator", f"{trained.discriminator:,}", f"numbers to learn ({kind})"))
    return facts


@dataclass(frozen=True)
class _Stage:
    """A stage as the page lists it; `begin` and `end` in images."""

    begin: int
    end: int
    players: list[tuple[str, str]]

    @property
    def between(self) -> str:
        return f"{kimg(self.begin)} to {kimg(self.end)} kimg"


def _stages(recipe: Recipe, total: int) -> list[_Stage]:
    bounds = [*(round(total * start) for start in stage_starts(recipe.stages)), total]
    stages = []
    for stage, (begin, end) in zip(recipe.stages, pairwise(bounds), strict=True):
        values = stage.model_dump(mode="json")
        players = [(str(player), _words(values[player])) for player in stage.train]
        stages.append(_Stage(begin, end, players))
    return stages


def _sections(recipe: Recipe) -> list[tuple[str, str]]:
    """The recipe's tables, each as one line of words."""
    values = recipe.values()
    named = ("data", "generator", "discriminator", "method", "training")
    return [(section, _words(values[section])) for section in named]


def _words(values: dict[str, Any]) -> str:
    """`adam, lr 0.0002, betas 0.5 0.999`: a table of a recipe in reading order."""
    words = [str(values["kind"])] if "kind" in values else []
    for key, value in values.items():
        if key == "kind" or value is None:
            continue
        if isinstance(value, dict):
            text = f"({_words(value)})"
        elif isinstance(value, list):
            text = " ".join(map(str, value))
        else:
            text = str(value)
        words.append(f"{key.replace('_', ' ')} {text}")
    return ", ".join(words)


def _listed(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    """Versions and machine, the dataset and the plan aside: they have their own places."""
    rows = [("facegan", provenance.get("facegan")), ("commit", provenance.get("commit"))]
    rows += [(key, provenance.get(key)) for key in ("python", "platform")]
    rows += _part(provenance, "packages").items()
    rows += _part(provenance, "execution").items()
    return [
        (str(key).replace("_", " "), "not known" if value is None else str(value))
        for key, value in rows
    ]


def _grid_width(natural: int) -> int:
    """CSS pixels: whole screen pixels for each of the picture's, where it is small enough."""
    return natural * max(1, _GRID_WIDTH // natural)


def kimg(images: int) -> str:
    """Thousands of images, exactly, without idle zeros."""
    return f"{images / 1000:.15g}"


def duration(seconds: float) -> str:
    """`45 s`, `3 min 2 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, part = divmod(minutes, 60)
    return f"{hours} h {part} min" if hours else f"{minutes} min {rest} s"


def _lines(journal: Journal) -> list[dict[str, Any]]:
    return [line for line in journal.lines() if isinstance(line["images_seen"], int)]


def _part(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
