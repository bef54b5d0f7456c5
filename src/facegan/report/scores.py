"""What was measured of a run, ready for a page: scores, copying, the best snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facegan.evaluation.results import Estimate
from facegan.evaluation.wording import formatted, kimg, plain, ratio
from facegan.report.charts import score_plots
from facegan.report.measures import Measure, Point, Track
from facegan.report.plots import Chart, drawn
from facegan.runs.best import Best
from facegan.runs.commands import best_command
from facegan.runs.reading import Measured

# By the title in a table: what it is, and where it comes from.
_EXPLAINED = {
    "FD": "Fréchet distance between the two clouds of features, each taken as a normal "
    "distribution. It sees quality and variety together; few pictures make it larger "
    "(Heusel et al. 2017, arXiv:1706.08500; called FID in the space of inception alone).",
    "FD∞": "FD, extrapolated to infinitely many pictures (Chong & Forsyth 2020, arXiv:1911.07023).",
    "KID": "squared maximum mean discrepancy with a cubic kernel, without bias: around zero, also "
    "below it, where there is no difference (Bińkowski et al. 2018, arXiv:1801.01401).",
    "precision": "share of generated pictures that lie among the real ones: quality "
    "(Kynkäänniemi et al. 2019, arXiv:1904.06991).",
    "recall": "share of real pictures that lie among the generated ones: variety (the same paper).",
    "density": "precision that outliers cannot raise; it may exceed 1 "
    "(Naeem et al. 2020, arXiv:2002.09797).",
    "coverage": "share of real pictures with a generated one near by: variety that outliers "
    "cannot raise (the same paper).",
}


@dataclass(frozen=True)
class Conditions:
    """Under which a track was measured, in words.

    Attributes:
        pictures: what was compared with what.
        extractor: which network saw it, and how pictures reached its size.
    """

    pictures: str
    extractor: str


def conditions(track: Track) -> Conditions:
    """The conditions of a track of scores."""
    evaluation, instrument = track.last.evaluation, track.instrument
    split = {"train": "the training split", "holdout": "the holdout", "all": "all"}
    taken = ", while training" if evaluation.training else ""
    return Conditions(
        pictures=(
            f"{evaluation.n_fake:,} generated pictures beside {evaluation.n_real:,} real ones of "
            f"{evaluation.dataset} ({split[evaluation.reference]}, {evaluation.resolution} × "
            f"{evaluation.resolution} pixels), seed {evaluation.seed}{taken}."
        ),
        extractor=(
            f"{instrument.name} (fingerprint {instrument.fingerprint[:12]}…); {instrument.resizer}"
        ),
    )


def explained(found: Sequence[Track]) -> list[tuple[str, str]]:
    """Each score of these tracks with what it is."""
    titles: Iterable[str] = dict.fromkeys(
        measure.title for track in found for point in track.points for measure in point.measures
    )
    return [(title, _EXPLAINED[title.replace("FID", "FD")]) for title in titles]


@dataclass(frozen=True)
class ScoreTable:
    """The scores in one space at the latest time, and how they came about.

    Attributes:
        space: the extractor's name.
        kimg: when.
        point: the scores.
        conditions: under which they were taken.
        charts: over training, where they were taken more than once.
        aside: whether they say less than others on the page: taken while training, with fewer
            pictures.
    """

    space: str
    kimg: str
    point: Point
    conditions: Conditions
    charts: list[Chart]
    aside: bool


def score_tables(found: Sequence[Track], total: int) -> list[ScoreTable]:
    """The scores of each track.

    Args:
        found: of the kind `scores`.
        total: images in the whole run.
    """
    full = any(not track.last.evaluation.training for track in found)
    return [
        ScoreTable(
            track.instrument.name,
            kimg(track.last.images_seen),
            track.last,
            conditions(track),
            drawn(score_plots(track, total), f"score{number}-"),
            full and track.last.evaluation.training,
        )
        for number, track in enumerate(found)
    ]


@dataclass(frozen=True)
class CopyTable:
    """What every embedding saw of copying in one evaluation.

    Attributes:
        said: by the evaluation.
        conditions: how many pictures were compared, and when.
        columns: the embeddings' names.
        rows: (what, of each embedding the measure).
    """

    said: str
    conditions: str
    columns: list[str]
    rows: list[tuple[str, Sequence[Measure]]]


def copy_table(found: Sequence[Track], newest: Measured | None) -> CopyTable | None:
    """Embeddings side by side.

    Args:
        found: of the kind `copying`.
        newest: the latest evaluation in which copies were sought.
    """
    if newest is None or newest.evaluation.copying is None:
        return None
    copying = newest.evaluation.copying
    chosen = [track for track in found if track.last.evaluation is newest.evaluation]
    return CopyTable(
        said=copying.said,
        conditions=(
            f"{copying.n:,} generated pictures at {kimg(newest.images_seen)} kimg, "
            f"{copying.n_train:,} training and {copying.n_holdout:,} held-out ones. Smooth or "
            "typical faces come closer to the training set and to the holdout alike; copies come "
            "closer to the training set alone. Held out: the same of pictures that nobody trained "
            "on."
        ),
        columns=[track.instrument.name for track in chosen],
        rows=[
            (each[0].title, each)
            for each in zip(*(track.last.measures for track in chosen), strict=True)
        ],
    )


def best_snapshot(best: Best, run: str) -> dict[str, str]:
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
