"""Pages that open anywhere: of a run, of several side by side, of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facegan.errors import FaceganError
from facegan.files import write_text
from facegan.runs.reading import read


def report(run: str | Path, out: str | Path | None = None, *, real: bool = True) -> Path:
    """Write the page of a run from the run's other files, and from nothing else.

    The page holds all that it shows, loads nothing, and is the same for the same files. A run
    that is not finished, or has barely begun, gives a page of what there is.

    Args:
        run: the run's folder.
        out: the page; RUN/report.html by default.
        real: whether real faces, and the names of real people, may be in it. Without them it
            can be published.

    Returns:
        The page.

    Raises:
        FaceganError: for a page with another ending than `.html`.
        RunError: where no run was begun, or its recipe or provenance cannot be read.
        StorageError: if the page cannot be written.
    """
    from facegan.report.run_page import run_page

    reading = read(run)
    target = reading.run.report if out is None else _page(out)
    write_text(target, run_page(reading, real))
    return target


def compare(runs: Sequence[str | Path], out: str | Path, *, real: bool = True) -> Path:
    """Write one page about several runs: what they are, made and scored, side by side.

    Scores stand side by side only where they were taken under the same conditions; the page says
    which runs could not be compared, and why.

    Args:
        runs: folders of two runs or more, in the order in which to show them.
        out: the page.
        real: whether real faces, and the names of real people, may be in it.

    Returns:
        The page.

    Raises:
        FaceganError: for fewer than two runs, or one given twice, or a page with another ending
            than `.html`.
        RunError: where no run was begun, or its recipe or provenance cannot be read.
        StorageError: if the page cannot be written.
    """
    from facegan.progress import progress_bar
    from facegan.report.comparison_page import comparison_page

    target = _page(out)
    folders = [Path(run).resolve() for run in runs]
    if len(folders) < 2:
        raise FaceganError(
            f"{len(folders)} run to compare.", "Give the folders of two runs or more."
        )
    if len(set(folders)) < len(folders):
        twice = next(folder for folder in folders if folders.count(folder) > 1)
        raise FaceganError(f"{twice} is given twice.", "Give each run once.")
    with progress_bar("runs") as progress:
        page = comparison_page([read(run) for run in runs], real, progress)
    write_text(target, page)
    return target


def _page(out: str | Path) -> Path:
    """Where a page goes; refused where its name says that it is something else."""
    target = Path(out)
    if target.suffix.lower() not in ("", ".html", ".htm"):
        raise FaceganError(
            f"{target.name}: a page is HTML, and would not be what its name says.",
            "Give it a name that ends in .html, and print it from a browser; or have figures "
            "written, which are PDF, PNG and SVG.",
        )
    return target


def study_report(out: str | Path) -> Path:
    """Write a study's page and tables anew from its folder; a pure function of its files.

    Returns:
        The page.

    Raises:
        RunError: where no study was begun.
        StorageError: if they cannot be written.
    """
    from facegan.report.study_page import study_page
    from facegan.report.study_tables import write_tables
    from facegan.study.folder import StudyFolder
    from facegan.study.verdicts import judge

    folder = StudyFolder(out)
    results = folder.results()
    judged = judge(results)
    write_tables(folder.path, results, judged)
    write_text(folder.report, study_page(folder.path, results, judged))
    return folder.report
