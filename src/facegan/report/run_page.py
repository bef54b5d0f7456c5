"""The page of one run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from facegan.evaluation.wording import duration, kimg, settings
from facegan.recipe import Recipe, stage_starts
from facegan.report.agreement import agreement_table
from facegan.report.charts import journal_plots
from facegan.report.filmstrip import filmstrip, shown_width
from facegan.report.gallery import gallery, newest_copying
from facegan.report.limits import not_told
from facegan.report.measures import Track, of_kind, shares, tracks
from facegan.report.plots import drawn
from facegan.report.rendering import render
from facegan.report.scores import best_snapshot, copy_table, explained, score_tables
from facegan.runs.commands import Command, changes_from_shipped, commands, mixed_in
from facegan.runs.provenance import dataset_identity
from facegan.runs.reading import Reading, part, whole


def run_page(reading: Reading, real: bool = True) -> str:
    """The page of a run as HTML, the same for the same files.

    Args:
        reading: the run.
        real: whether real faces, and the names of real people, may be in it.
    """
    found = tracks(reading.evaluations)
    stages = _stages(reading.recipe, reading.total)
    frames = filmstrip(reading.run.samples)
    starts = [stage.begin for stage in stages[1:]]
    plots = journal_plots(reading.ticks, reading.probes, reading.timing, reading.total, starts)
    return render(
        "run.html",
        run=reading,
        recipe=reading.recipe,
        seen=kimg(reading.seen),
        total=kimg(reading.total),
        share=reading.seen / reading.total if reading.total else 0.0,
        facts=_facts(reading, found),
        frames=frames,
        grid_width=shown_width(frames[-1].width) if frames else 0,
        findings=[(kimg(finding.images_seen), finding) for finding in reading.findings],
        scores=score_tables(of_kind(found, "scores"), reading.total),
        explained=explained(of_kind(found, "scores")),
        faces=[(kimg(track.last.images_seen), track) for track in of_kind(found, "faces")],
        modes=[
            (kimg(track.last.images_seen), track, shares(track.last.evaluation.modes))
            for track in of_kind(found, "modes")
        ],
        best=best_snapshot(reading.best, reading.name) if reading.best else None,
        agreement=agreement_table(reading.evaluations),
        copying=copy_table(of_kind(found, "copying"), newest_copying(reading)),
        gallery=gallery(reading, real),
        curves=drawn(plots, "curve"),
        stages=stages,
        sections=_sections(reading.recipe),
        toml=reading.recipe.to_toml(),
        changes=changes_from_shipped(reading.recipe),
        dataset=dataset_identity(reading.dataset),
        mixed=[dataset_identity(other) for other in mixed_in(reading.dataset)],
        provenance=made_with(reading),
        commands=commands_of(reading),
        limits=not_told(reading.evaluations, is_drawn(reading), real),
    )


def _facts(reading: Reading, found: list[Track]) -> list[tuple[str, str, str]]:
    """(what, value, more) in the order of a first glance."""
    facts = []
    if reading.timing:
        facts.append(("Time", duration(reading.seconds), "of training"))
        facts.append(("Speed", f"{reading.speed:,.0f}", "images a second, typically"))
    execution = reading.execution
    threads = f"{execution.get('threads')} threads" if execution.get("threads") else ""
    how = ", ".join(str(word) for word in (execution.get("precision"), threads) if word)
    facts.append(("Device", str(execution.get("device", "unknown")).upper(), how))
    networks, shape = reading.networks, ""
    if networks is not None:
        side, colours = networks.spec.resolution, "grey" if networks.spec.channels == 1 else ""
        shape = f"{side} × {side} pixels, {colours or 'colour'}"
    facts.append(("Dataset", str(reading.dataset.get("name", "unknown")), shape))
    if networks is not None:
        for player, size, kind in (
            ("Generator", networks.generator, reading.recipe.generator.kind),
            ("Discriminator", networks.discriminator, reading.recipe.discriminator.kind),
        ):
            facts.append((player, f"{size:,}", f"numbers to learn ({kind})"))
    return facts + _first_scores(found)


def _first_scores(found: list[Track]) -> list[tuple[str, str, str]]:
    """FD and recall in the first space, with what it takes to judge them."""
    for track in of_kind(found, "scores")[:1]:
        space, n = track.instrument.name, track.last.evaluation.n_fake
        return [
            (
                measure.title[0].upper() + measure.title[1:],
                measure.generated.value,
                f"{measure.generated.between}; real pictures {measure.real.value} "
                f"({space}, n {n:,})",
            )
            for measure in track.last.measures
            if measure.title in ("FD", "FID", "coverage")
        ]
    return []


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
        players = [(str(player), settings(values[player])) for player in stage.train]
        stages.append(_Stage(begin, end, players))
    return stages


def _sections(recipe: Recipe) -> list[tuple[str, str]]:
    """The recipe's tables, each as one line of words."""
    return [
        (section, settings(values))
        for section, values in recipe.values().items()
        if isinstance(values, dict) and values
    ]


def made_with(reading: Reading) -> list[tuple[str, str]]:
    """Versions, machine and first weights; the dataset and the plan have their own places."""
    provenance = reading.provenance
    rows = [("facegan", provenance.get("facegan")), ("commit", provenance.get("commit"))]
    rows += [(key, provenance.get(key)) for key in ("python", "platform")]
    rows += part(provenance, "packages").items()
    rows += reading.execution.items()
    if warm := part(provenance, "warm_start"):
        rows.append(("began_with", f"{warm.get('source')} (SHA-256 {warm.get('sha256')})"))
    return [
        (str(key).replace("_", " "), "not known" if value is None else str(value))
        for key, value in rows
    ]


def commands_of(reading: Reading) -> list[Command]:
    """The commands that repeat a run, and measure it as it was measured last."""
    full = [m.evaluation for m in reading.evaluations if not m.evaluation.training]
    return commands(
        reading.recipe,
        reading.total,
        reading.name,
        reading.dataset,
        reading.networks.spec if reading.networks else None,
        whole(reading.execution.get("world")),
        full[-1] if full else None,
        part(reading.provenance, "warm_start").get("source"),
    )


def datasets(reading: Reading) -> dict[str, Any]:
    """The dataset's identity, and a line for each one that was mixed in."""
    found = dataset_identity(reading.dataset)
    for number, other in enumerate(mixed_in(reading.dataset), 1):
        found[f"mixed in {number}"] = f"{other.get('name')}, {other.get('fingerprint')}"
    return found


def is_drawn(reading: Reading) -> bool:
    """Whether the dataset is portraits that facegan drew."""
    return reading.dataset.get("name") == "portraits"
