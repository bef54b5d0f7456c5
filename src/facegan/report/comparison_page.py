"""The page that compares runs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from facegan.documents import render
from facegan.evaluation.wording import duration, kimg
from facegan.report.charts import overlays, seconds_at
from facegan.report.comparable import Group, apart, groups, labels_of
from facegan.report.differences import differing, recipes
from facegan.report.filmstrip import COLUMNS, ROOM, Frame, filmstrip
from facegan.report.gallery import Shown, gallery
from facegan.report.limits import limits_of
from facegan.report.measures import Kind, explained
from facegan.report.plots import Chart, drawn, key
from facegan.report.run_page import commands_of, datasets, is_drawn, made_with
from facegan.report.table import Column, Row, Table, texts
from facegan.runs.commands import Command
from facegan.runs.reading import Reading

# Up to so many runs, whole grids stand side by side; of more, the first rows of each.
_WHOLE_GRIDS = 6
_ROWS = 2
# All grids of a page together; as base64 this makes about 3.5 MB.
_ROOM = ROOM + 650_000
# Twice the CSS pixels that a grid has on a wide screen.
_WIDEST = 1056
# Of so many runs or fewer, several of the closest pairs are shown; of more, the closest.
_FEW, _PAIRS_OF_FEW = 8, 3
_BESIDE_SCORES: tuple[tuple[Kind, str, str], ...] = (
    ("faces", "Faces", "The share of images in which a detector finds a face."),
    (
        "modes",
        "Known truth",
        "Which combinations of known attributes are generated, and how often.",
    ),
    (
        "copying",
        "Copying",
        "How close generated images are to the training set. The first row is what to "
        "expect without copying.",
    ),
)


@dataclass(frozen=True)
class _Run:
    """A run as the page shows it.

    Attributes:
        label: what it is called.
        key: CSS classes of its colour and dash.
        reading: all of it.
        film: (grid, seconds, share of the run) of each snapshot.
        findings: (kimg, finding) of the diagnosis.
        commands: that repeat it.
        pairs: its closest pairs.
    """

    label: str
    key: str
    reading: Reading
    film: list[tuple[Frame, float, float]]
    findings: list[tuple[str, Any]]
    commands: list[Command]
    pairs: list[Shown]


@dataclass(frozen=True)
class _Scores:
    """Runs that may be compared, with charts of their scores."""

    group: Group
    charts: list[Chart]


def comparison_page(
    readings: Sequence[Reading],
    real: bool = True,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> str:
    """The page as HTML, the same for the same files.

    Args:
        readings: two runs or more, in the order in which the page shows them.
        real: whether real faces, and the names of real people, may be in it.
        progress: called with (runs done, runs in all).
    """
    labels = labels_of(readings)
    rows = COLUMNS if len(readings) <= _WHOLE_GRIDS else _ROWS
    runs = []
    for number, (reading, label) in enumerate(zip(readings, labels, strict=True)):
        progress(number, len(readings))
        runs.append(_run(reading, label, number, len(readings), rows, real))
    scores = groups(readings, labels, "scores")
    return render(
        "facegan.report",
        "comparison.html",
        runs=runs,
        table=_table(runs),
        labels=labels,
        rows=rows,
        stops=len({frame.kimg for run in runs for frame, *_ in run.film}),
        axes=_axes(readings),
        scores=[
            _Scores(group, drawn(overlays(group, readings), f"over{n}-"))
            for n, group in enumerate(scores)
        ],
        explained=explained([group.track for group in scores]),
        apart=apart(scores, labels),
        others=[
            (title, note, found)
            for kind, title, note in _BESIDE_SCORES
            if (found := groups(readings, labels, kind))
        ],
        recipes=recipes(readings, labels),
        datasets=differing([datasets(reading) for reading in readings], labels),
        machines=differing([dict(made_with(reading)) for reading in readings], labels),
        command=" ".join(
            ["facegan report", *map(shlex.quote, labels), "--out comparison.html"]
            + ([] if real else ["--without-real"])
        ),
        limits=limits_of(
            [measured for reading in readings for measured in reading.evaluations],
            all(map(is_drawn, readings)),
            real,
            runs=len(readings),
        ),
    )


def _run(reading: Reading, label: str, number: int, of: int, rows: int, real: bool) -> _Run:
    frames = filmstrip(
        reading.run.samples,
        at_most=max(4, min(24, 120 // of)),
        room=_ROOM // of,
        rows=rows,
        widest=_WIDEST,
    )
    return _Run(
        label,
        key(number),
        reading,
        [
            (
                frame,
                seconds_at(reading.timing, 1000 * frame.kimg),
                1000 * frame.kimg / reading.total if reading.total else 0.0,
            )
            for frame in frames
        ],
        [(kimg(finding.images_seen), finding) for finding in reading.findings],
        commands_of(reading),
        gallery(reading, real, _PAIRS_OF_FEW if of <= _FEW else 1),
    )


def _table(runs: Sequence[_Run]) -> Table:
    """The runs at a glance."""
    rows = [Row(run.label, texts(list(_facts(run.reading).values())), run.key) for run in runs]
    columns = [Column(name, name) for name in _facts(runs[0].reading)]
    return Table("runs", "run", columns, rows, "cards")


def _facts(reading: Reading) -> dict[str, str]:
    networks = reading.networks
    seen = kimg(reading.seen)
    return {
        "recipe": reading.recipe.name,
        "dataset": str(reading.dataset.get("name", "unknown")),
        "pixels": str(networks.spec.resolution) if networks else "–",
        "kimg": seen if reading.finished else f"{seen} of {kimg(reading.total)}",
        "time": duration(reading.seconds) if reading.timing else "–",
        "images a second": f"{reading.speed:,.0f}" if reading.timing else "–",
        "generator": f"{networks.generator:,}" if networks else "–",
        "discriminator": f"{networks.discriminator:,}" if networks else "–",
    }


def _axes(readings: Sequence[Reading]) -> list[tuple[str, str]]:
    """At equal values of what snapshots may stand side by side."""
    timed = [("seconds", "time")] if all(reading.timing for reading in readings) else []
    return [("kimg", "number of images"), *timed, ("share", "part of each run")]
