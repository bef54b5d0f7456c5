"""The page of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from facegan.documents import render
from facegan.evaluation.results import CopySearchResult, Estimate
from facegan.evaluation.wording import (
    OTHERS,
    Formatted,
    brief,
    compared,
    duration,
    fixed,
    floor_title,
    formatted,
    kimg,
    plain,
    ratio,
    settings,
)
from facegan.recipe import Recipe, stage_starts
from facegan.report.charts import journal_plots, score_plots
from facegan.report.filmstrip import filmstrip, shown_width
from facegan.report.gallery import gallery, newest_copying
from facegan.report.kinds import kinds_shown, spectrum_shown
from facegan.report.limits import limits_of
from facegan.report.measures import Measure, Track, explained, of_kind, shares, tracks
from facegan.report.plots import Chart, drawn
from facegan.report.table import Cell, Column, Row, Table, ratio_below
from facegan.runs.best import Best
from facegan.runs.commands import Command, best_command, changes_from_shipped, commands, mixed_in
from facegan.runs.provenance import dataset_identity
from facegan.runs.reading import Measured, Reading, part, whole

NBSP = "\N{NO-BREAK SPACE}"


def run_page(reading: Reading, real: bool = True) -> str:
    """The page of a run as HTML, the same for the same files.

    Args:
        reading: the run.
        real: whether real faces, and the names of real people, may be in it.
    """
    found = tracks(reading.evaluations)
    stages = _stages(reading.recipe, reading.length.schedules, reading.total)
    frames = filmstrip(reading.run.samples)
    starts = [stage.begin for stage in stages[1:]]
    plots = journal_plots(reading.ticks, reading.probes, reading.timing, reading.total, starts)
    scores = of_kind(found, "scores")
    return render(
        "facegan.report",
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
        scores=_scores(scores, reading.total),
        explained=explained(scores),
        faces=[(kimg(track.last.images_seen), track) for track in of_kind(found, "faces")],
        modes=[
            (kimg(track.last.images_seen), track, shares(track.last.evaluation.modes))
            for track in of_kind(found, "modes")
        ],
        best=_best(reading.best, reading.name) if reading.best else None,
        agreement=_agreement(reading.evaluations),
        kinds=kinds_shown(reading.evaluations),
        spectrum=spectrum_shown(reading.evaluations),
        copying=_copying(of_kind(found, "copying"), newest_copying(reading)),
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
        limits=limits_of(reading.evaluations, is_drawn(reading), real),
    )


def _facts(reading: Reading, found: list[Track]) -> list[tuple[str, str, str]]:
    """(what, value, more) in the order of a first glance."""
    facts = []
    if reading.timing:
        facts.append(("Time", duration(reading.seconds), "of training"))
        facts.append(("Speed", f"{reading.speed:,.0f}", "images a second (typical)"))
    execution = reading.execution
    threads = execution.get("threads")
    threads = f"{threads} thread{'' if threads == 1 else 's'}" if threads else ""
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
            facts.append((player, f"{size:,}", f"trainable parameters ({kind})"))
    return facts + _first_scores(found)


def _first_scores(found: list[Track]) -> list[tuple[str, str, str]]:
    """FD and coverage in the first space, with what it takes to judge them.

    FD∞ and its ratio, where they were measured: the ratio of FD is mostly one of n.
    """
    for track in of_kind(found, "scores")[:1]:
        space, measures = track.instrument.name, {m.name: m for m in track.last.measures}
        distance = "fd_infinity" if "fd_infinity" in measures else "fd"
        return [
            (
                measure.title[0].upper() + measure.title[1:],
                measure.generated.value,
                f"{_times(measure)}{measure.generated.between}; real images "
                f"{(measure.others or measure.real).value} "
                f"({space}, {measure.at.replace(' ', NBSP)})",
            )
            for name in (distance, "coverage")
            if (measure := measures.get(name))
        ]
    return []


def _times(measure: Measure) -> str:
    """`13 × the floor; `, of distances."""
    below = ratio_below(measure.ratio)
    return f"{below} the floor; " if below and measure.wanted == "less" else ""


@dataclass(frozen=True)
class _Scores:
    """The scores in one space at the latest time, and how they came about.

    Attributes:
        track: over the run.
        kimg: when they were taken.
        table: of the latest.
        charts: over training, where they were taken more than once.
        aside: whether they say less than others on the page: taken while training, with fewer
            pictures.
    """

    track: Track
    kimg: str
    table: Table
    charts: list[Chart]
    aside: bool


def _scores(found: Sequence[Track], total: int) -> list[_Scores]:
    full = any(not track.last.evaluation.training for track in found)
    return [
        _Scores(
            track,
            kimg(track.last.images_seen),
            _score_table(track),
            drawn(score_plots(track, total), f"score{number}-"),
            full and track.last.evaluation.training,
        )
        for number, track in enumerate(found)
    ]


def _score_table(track: Track) -> Table:
    measures = track.last.measures
    two = any(one.others is not None for one in measures)
    columns = [
        Column("generated", "generated"),
        Column("real", floor_title(track.last.evaluation.floors)),
        *([Column("others", OTHERS)] if two else []),
        Column("ratio", "ratio to others" if two else "ratio"),
        Column("bar", "", style="wide"),
    ]
    rows = [
        Row(
            one.title,
            [
                Cell(one.generated),
                Cell(one.real),
                *([None if one.others is None else Cell(one.others)] if two else []),
                Cell(Formatted(one.ratio), one.at if ratio_below(one.ratio) else ""),
                Cell(Formatted(""), bar=one.bar),
            ],
            note=f"{one.wanted} is better",
            code=one.name,
        )
        for one in measures
    ]
    return Table(f"scores {track.instrument.name}", "", columns, rows, "numbers scores")


def _agreement(evaluations: Sequence[Measured]) -> dict[str, Any] | None:
    """Whether generated pictures show the labels they were asked for, as measured last."""
    asked = [
        (each.images_seen, found)
        for each in evaluations
        if (found := each.evaluation.agreement) is not None
    ]
    if not asked:
        return None
    seen, found = asked[-1]
    columns = [Column(name, name) for name in ("measure", "generated", "real")]
    rows = [
        Row(
            label.name,
            [
                Cell(Formatted(label.measure)),
                Cell(formatted(label.generated)),
                Cell(formatted(label.real)),
            ],
            note=_off_by(label.error, label.error_real),
        )
        for label in found.labels
    ]
    return {
        "said": compared(found, f" at {kimg(seen)} kimg"),
        "table": Table("agreement", "label", columns, rows, "numbers"),
        "left_out": found.left_out,
    }


def _off_by(generated: float | None, real: float | None) -> str:
    if generated is None:
        return ""
    beside = "" if real is None else f"; real images by {real:.1f}"
    return f"off by {generated:.1f} on average{beside}"


def _copying(found: Sequence[Track], newest: Measured | None) -> dict[str, Any] | None:
    """What every embedding saw of copying, side by side, in the newest evaluation that looked."""
    if newest is None or newest.evaluation.copying is None:
        return None
    chosen = [track for track in found if track.last.evaluation is newest.evaluation]
    columns = [Column(track.instrument.name, track.instrument.name) for track in chosen]
    rows = [
        Row(each[0].title, [Cell(m.generated, _floor(m)) for m in each], code=each[0].name)
        for each in zip(*(track.last.measures for track in chosen), strict=True)
    ]
    return {
        "found": newest.evaluation.copying,
        "kimg": kimg(newest.images_seen),
        "table": Table("copying", "", columns, rows, "numbers"),
        "searched": _searched(newest.evaluation.copying.searched),
    }


def _searched(found: CopySearchResult | None) -> Table | None:
    """What the search found, beside what chance gives."""
    if found is None:
        return None
    both = found.to_train + found.to_holdout
    held_out = both * found.holdout_share
    by_chance = (found.expected, both - held_out, held_out)
    counts = (
        ("matched", f"match as closely as 1 real image in {found.one_in}", both, found.chance),
        ("train", "of these, training images", found.to_train, None),
        ("holdout", "of these, holdout images", found.to_holdout, found.sides),
    )
    rows = [
        Row(
            title,
            [
                Cell(Formatted(f"{count:,}")),
                Cell(Formatted(fixed(chance, 0 if chance >= 10 else 1))),
                None if p is None else Cell(Formatted(brief(p) if p >= 1e-4 else "< 0.0001")),
            ],
            code=code,
        )
        for (code, title, count, p), chance in zip(counts, by_chance, strict=True)
    ]
    columns = [Column("found", "generated"), Column("chance", "by chance"), Column("p", "p")]
    return Table("searched", "", columns, rows, "numbers")


def _floor(measure: Measure) -> str:
    return f"{measure.floor}: {measure.real}"


def _best(best: Best, run: str) -> dict[str, str]:
    """The best snapshot in words; `run` is its folder's name."""
    fd = formatted(Estimate(value=best.fd, low=best.low, high=best.high))
    return {
        "kimg": kimg(best.images_seen),
        "title": "FID" if best.extractor == "inception" else "FD",
        "value": fd.value,
        "between": fd.between,
        "real": plain(best.real),
        "ratio": ratio(best.fd / best.real) if best.real > 0 else "",
        "extractor": best.extractor,
        "n_fake": f"{best.n_fake:,}",
        "n_real": f"{best.n_real:,}",
        "command": best_command(run),
    }


@dataclass(frozen=True)
class _Stage:
    """A stage as the page lists it; `begin` and `end` in images."""

    begin: int
    end: int
    players: list[tuple[str, str]]

    @property
    def between(self) -> str:
        return f"{kimg(self.begin)} to {kimg(self.end)} kimg"


def _stages(recipe: Recipe, schedules: int, total: int) -> list[_Stage]:
    """The stages, which divide the images over which schedules run; the last goes on to the end."""
    bounds = [*(round(schedules * start) for start in stage_starts(recipe.stages)), total]
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
    rows += [("longer", each.sentence()) for each in reading.extensions]
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
        reading.extensions,
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
