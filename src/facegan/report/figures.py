"""Figures of runs and of studies for papers: curves, bars, strips of pictures, tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.data.pictures import read_png
from facegan.documents import render
from facegan.errors import FaceganError
from facegan.evaluation.results import SCORE_TITLES, Evaluation
from facegan.evaluation.wording import (
    arrow,
    brief,
    formatted,
    in_unit,
    score_title,
)
from facegan.files import write_text
from facegan.report.charts import journal_plots, overlays, score_plots
from facegan.report.comparable import groups, labels_of
from facegan.report.filmstrip import COLUMNS, GAP, evenly
from facegan.report.measures import of_kind, tracks
from facegan.report.paper import (
    Bar,
    Effect,
    write_bars,
    write_csv,
    write_effects,
    write_plot,
    write_strip,
)
from facegan.report.plots import Plot
from facegan.runs.reading import Reading, read

if TYPE_CHECKING:
    from PIL.Image import Image

    from facegan.study.folder import StudyFolder
    from facegan.study.results import StudyResults

# Moments of a run, and pictures of each, in a strip.
_MOMENTS = 6


def run_figures(runs: Sequence[str | Path], folder: str | Path) -> list[Path]:
    """Write all figures of a run, or of several beside one another.

    Args:
        runs: their folders.
        folder: for the files; made where it is not there.

    Returns:
        The files: every figure as PDF, PNG and SVG, its numbers as CSV, tables as LaTeX and
        CSV, and `figures.tex`, a document of all of them.

    Raises:
        FaceganError: a run is given twice.
        RunError: where no run was begun, or it cannot be read.
        StorageError: if they cannot be written.
    """
    paths = [Path(run).resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise FaceganError("A run is given twice.", "Give each run once.")
    readings = [read(run) for run in runs]
    out = Path(folder)
    if len(readings) == 1:
        written = _one(readings[0], out)
        title = readings[0].name
    else:
        written = _several(readings, out)
        title = ", ".join(labels_of(readings))
    return [*written, _document(out, title, written)]


def study_figures(study: str | Path, folder: str | Path) -> list[Path]:
    """Write all figures of a study; see `run_figures`.

    Raises:
        RunError: where no study was begun.
        StorageError: if they cannot be written.
    """
    from facegan.report.study_budgets import band_plot
    from facegan.report.study_curves import plots as curve_plots
    from facegan.report.study_scores import shown_methods
    from facegan.report.study_tables import write_tables
    from facegan.study.budgets import at_budgets
    from facegan.study.folder import StudyFolder
    from facegan.study.verdicts import judge

    source, out = StudyFolder(study), Path(folder)
    results = source.results()
    judged, methods = judge(results), shown_methods(results.plan)
    written: list[Path] = []
    for dataset in results.plan.datasets:
        suffix = f"-{dataset}" if len(results.plan.datasets) > 1 else ""
        for plot in curve_plots(results, dataset, methods):
            written += write_plot(plot, out, f"figure-curves-{plot.name.replace(' ', '-')}{suffix}")
        standings = at_budgets(results, dataset)
        plot_of_budgets = band_plot(results, standings, methods)
        if plot_of_budgets is not None:
            written += write_plot(plot_of_budgets, out, f"figure-budgets{suffix}")
        bars, floor = _bars(results, dataset)
        if bars:
            title = score_title("fd", results.plan.measure.extractors[0])
            written += write_bars(bars, title, floor, out, f"figure-bars{suffix}")
        found = [
            Effect(one.claim.says, one.difference, one.verdict, bool(one.marks))
            for one in judged
            if one.dataset == dataset
            and one.difference is not None
            and one.scale is not None
            and one.scale.kind == "log"
        ]
        if found:
            margin = max(one.claim.parsed.margin for one in judged)
            axis = "times better (left of 1: worse), 95 % interval"
            if any(effect.marked for effect in found):
                axis += "; * changed after results"
            written += write_effects(found, margin, axis, out, f"figure-claims{suffix}")
        rows = _study_rows(source, results, dataset)
        if rows:
            written += write_strip(rows, out, f"figure-strip{suffix}")
    written += write_tables(out, results, judged)
    return [*written, _document(out, results.plan.title or results.plan.name, written)]


def _one(reading: Reading, out: Path) -> list[Path]:
    plots = journal_plots(reading.ticks, reading.probes, reading.timing, reading.total)
    found = of_kind(tracks(reading.evaluations), "scores")
    plots += [plot for track in found for plot in score_plots(track, reading.total)]
    written = _plots(plots, out)
    frames = _samples(reading.run.samples)
    rows = [
        (f"{brief(at)} kimg", row) for at, path in evenly(frames, _MOMENTS) if (row := _row(path))
    ]
    if rows:
        written += write_strip(rows, out, "figure-strip")
    return written + _scores([reading], [reading.name], out)


def _several(readings: Sequence[Reading], out: Path) -> list[Path]:
    labels = labels_of(readings)
    plots = [
        plot for group in groups(readings, labels, "scores") for plot in overlays(group, readings)
    ]
    written = _plots(plots, out)
    rows = []
    for label, reading in zip(labels, readings, strict=True):
        frames = _samples(reading.run.samples)
        if frames and (row := _row(frames[-1][1])):
            rows.append((f"{label}, {brief(frames[-1][0])} kimg", row))
    if rows:
        written += write_strip(rows, out, "figure-strip")
    bars, floors = [], []
    for label, reading in zip(labels, readings, strict=True):
        measured = _last(reading)
        if measured is None or "fd" not in measured.features[0].scores:
            continue
        score = measured.features[0].scores["fd"]
        ends = (score.generated.low, score.generated.high)
        bars.append(Bar(label, score.generated.value, ends, ()))
        floors.append(score.real.value)
    if bars:
        bars.sort(key=lambda bar: bar.value)
        written += write_bars(bars, "FD", min(floors), out, "figure-bars")
    return written + _scores(readings, labels, out)


def _plots(plots: Sequence[Plot], out: Path) -> list[Path]:
    written: list[Path] = []
    taken: set[str] = set()
    for plot in plots:
        name = f"figure-curves-{plot.name.replace(' ', '-').replace('_', '-')}"
        # Two feature spaces have charts of the same scores.
        while name in taken:
            name += "-2"
        taken.add(name)
        written += write_plot(plot, out, name)
    return written


def _last(reading: Reading) -> Evaluation | None:
    """The newest evaluation with scores, one after training before those on the way."""
    found = [one.evaluation for one in reading.evaluations if one.evaluation.features]
    after = [each for each in found if not each.training]
    best = after or found
    return best[-1] if best else None


def _scores(readings: Sequence[Reading], labels: Sequence[str], out: Path) -> list[Path]:
    """The scores of the runs as a table in CSV and in LaTeX; nothing where none was measured."""
    measured = [(label, _last(reading)) for label, reading in zip(labels, readings, strict=True)]
    known = [(label, each) for label, each in measured if each is not None]
    if not known:
        return []
    names = [name for name in SCORE_TITLES if any(name in e.features[0].scores for _, e in known)]
    extractor = known[0][1].features[0].extractor
    rows, cells = [], []
    for label, each in known:
        scores = each.features[0].scores
        row: dict[str, object] = {
            "run": label,
            "extractor": each.features[0].extractor,
            "n": each.n_fake,
            "n_real": each.n_real,
        }
        line = []
        for name in names:
            score = scores.get(name)
            row[name] = score.generated.value if score else None
            row[f"{name}_low"] = score.generated.low if score else None
            row[f"{name}_high"] = score.generated.high if score else None
            row[f"{name}_real"] = score.real.value if score else None
            line.append(formatted(in_unit(name, score.generated)) if score else None)
        rows.append(row)
        cells.append((label, line))
    text = render(
        "facegan.report",
        "runs.tex",
        columns=[(score_title(name, extractor), arrow(name)) for name in names],
        rows=cells,
        extractor=extractor,
        n=known[0][1].n_fake,
    )
    write_text(out / "table.tex", text)
    return [write_csv(out / "table.csv", rows), out / "table.tex"]


def _bars(results: StudyResults, dataset: str) -> tuple[list[Bar], float | None]:
    """Methods by median FD, with the floor of real pictures."""
    from facegan.report.study_scores import known, trouble
    from facegan.study.summaries import summarise

    bars = []
    for one in summarise(results):
        if one.dataset != dataset or one.metric != "fd" or one.median is None:
            continue
        found = trouble(results, dataset, one.method)
        note = ", ".join(filter(None, [found.said if found.disqualifies else "", found.recall]))
        bars.append(Bar(one.method, one.median, one.interval, tuple(known(one)), note))
    floors = [
        floor
        for trial in results.results
        if trial.key.dataset == dataset and (floor := trial.floor("fd")) is not None
    ]
    return sorted(bars, key=lambda bar: bar.value), min(floors) if floors else None


def _study_rows(
    source: StudyFolder, results: StudyResults, dataset: str
) -> list[tuple[str, Image]]:
    """The first row of the last grid of each method, those of the lowest seed that finished."""
    rows = []
    for name in results.plan.all_methods():
        trials = results.of(dataset, name)
        finished = [seed for seed in sorted(trials) if trials[seed].status == "finished"]
        if not finished:
            continue
        trial = trials[finished[0]]
        frames = _samples(source.trial(trial.key).run / "samples")
        path = frames[-1][1] if frames else source.grid(trial.key)
        row = _row(path)
        if row is not None:
            fd = trial.score("fd")
            said = "" if fd is None else f", FD {brief(fd)}"
            rows.append((f"{name}, {brief(trial.images / 1000)} kimg{said}", row))
    return rows


def _samples(folder: Path) -> list[tuple[float, Path]]:
    """(kimg, grid) of a run's samples, in the order of training."""
    return sorted(
        (float(match[1]), path)
        for path in folder.glob("*.png")
        if (match := re.fullmatch(r"([0-9]+\.[0-9]+)k\.png", path.name))
    )


def _row(path: Path) -> Image | None:
    """The first row of a grid of pictures."""
    image = read_png(path) if path.exists() else None
    if image is None:
        return None
    side = (image.width + GAP) // COLUMNS - GAP
    return image.crop((0, 0, image.width, min(side, image.height)))


def _document(out: Path, title: str, written: Sequence[Path]) -> Path:
    """A LaTeX document that shows all of it."""
    text = render(
        "facegan.report",
        "figures.tex",
        title=title,
        figures=[path.stem for path in written if path.suffix == ".pdf"],
        tables=[path.stem for path in written if path.suffix == ".tex"],
    )
    write_text(out / "figures.tex", text)
    return out / "figures.tex"
