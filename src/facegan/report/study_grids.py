"""Pictures of every method from the same image seeds, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facegan.report.filmstrip import COLUMNS, Frame, filmstrip
from facegan.report.study_methods import Shown, brief
from facegan.study.folder import StudyFolder
from facegan.study.results import StudyResults

ROWS = 3
# For all grids of a page. A film's last frame may take about a third of its film's room, so
# that this makes about 3 MB as base64.
_ROOM = 6_000_000
_MOST_OF_ONE = 900_000
_WIDEST = 1056


@dataclass(frozen=True)
class Grid:
    """The first rows of a method's last grid.

    Attributes:
        method: which.
        seed: of the trial.
        fd: of the trial.
        frame: the picture; None where no trial finished or its grid is gone.
    """

    method: Shown
    seed: int | None
    fd: str
    frame: Frame | None


def grids(
    folder: StudyFolder, results: StudyResults, dataset: str, order: Sequence[Shown]
) -> list[Grid]:
    """The last grid of each method's finished trial of the lowest seed.

    Args:
        folder: of the study.
        results: of the trials.
        dataset: its name in the plan.
        order: of the methods.
    """
    count = len(results.plan.datasets) * max(len(order), 1)
    room = min(_ROOM // count, _MOST_OF_ONE)
    found = []
    for shown in order:
        trials = results.of(dataset, shown.name)
        finished = [trials[seed] for seed in sorted(trials) if trials[seed].status == "finished"]
        if not finished:
            found.append(Grid(shown, None, "", None))
            continue
        trial = finished[0]
        samples = folder.trial(trial.key).run / "samples"
        frames = filmstrip(samples, at_most=2, room=room, rows=ROWS, widest=_WIDEST)
        fd = trial.score("fd")
        found.append(
            Grid(
                shown,
                trial.key.seed,
                "" if fd is None else brief(fd),
                frames[-1] if frames else None,
            )
        )
    return found


def pictures() -> int:
    """How many pictures of each grid are shown."""
    return ROWS * COLUMNS
