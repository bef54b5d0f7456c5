"""A run as a value: its curves and scores as tables, and itself as a picture in a notebook."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from facegan.documents import coded
from facegan.evaluation.results import Evaluation
from facegan.notebook import picture
from facegan.report.charts import journal_plots
from facegan.report.plots import drawn
from facegan.runs.reading import Reading, read
from facegan.values import Value

# The colours of lines on a page that is not ours, readable on white and on black.
_COLOURS = (
    "--rule:#8a8f9955;--line1:#2f86d0;--line2:#dd6a2a;--line3:#35a06a;"
    "--line4:#8d68c6;--line5:#d04565;--line6:#b08a18;--line7:#1f97a0;--line8:#8a8f99"
)
_GRID_WIDTH = 420


class RunRecord(Value):
    """What a run's folder tells, read when this was made.

    `to_frame()` has a row for every tick: losses, logits, norms, rates, seconds, images per second.
    A notebook shows the newest faces and the curves.

    Attributes:
        reading: all of it, as the pages use it.
    """

    def __init__(self, path: str | Path) -> None:
        self.reading: Reading = read(path)

    @property
    def evaluations(self) -> list[tuple[int, Evaluation]]:
        """What was measured, with the images seen by then, in the order of training."""
        return [(one.images_seen, one.evaluation) for one in self.reading.evaluations]

    def to_dict(self) -> dict[str, Any]:
        """Name, recipe, length, findings of the diagnosis and the ticks."""
        reading = self.reading
        return {
            "name": reading.name,
            "path": str(reading.run.path),
            "recipe": reading.recipe.to_dict(),
            "dataset": reading.dataset,
            "images_seen": reading.seen,
            "total": reading.total,
            "finished": reading.finished,
            "seconds": reading.seconds,
            "findings": [f"{one.said} {one.helps}" for one in reading.findings],
            "ticks": self.rows(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One for each tick: what the journal says, with the seconds and speed beside it."""
        timing = {line.get("images_seen"): line for line in self.reading.timing}
        return [{**line, **timing.get(line.get("images_seen"), {})} for line in self.reading.ticks]

    def __repr__(self) -> str:
        reading = self.reading
        return (
            f"RunRecord({str(reading.run.path)!r}: {reading.recipe.name}, "
            f"{reading.seen / 1000:g} of {reading.total / 1000:g} kimg)"
        )

    def _repr_html_(self) -> str:
        reading = self.reading
        parts = [f"<p>{html.escape(repr(self)[10:-1])}</p>"]
        if grids := sorted(reading.run.samples.glob("*.png")):
            about = f"Generated faces of {reading.name}, newest"
            parts.append(picture(grids[-1].read_bytes(), about, _GRID_WIDTH))
        parts += [f"<p>{coded(f'{one.said} {one.helps}')}</p>" for one in reading.findings]
        plots = journal_plots(reading.ticks, reading.probes, reading.timing, reading.total)
        charts = [
            f'<figure style="width:20em;margin:0.5em"><figcaption>{html.escape(chart.title)}: '
            f"{html.escape(', '.join(label for label, _ in chart.legend))}</figcaption>"
            f"{chart.svg}</figure>"
            for chart in drawn(plots, f"{reading.name}-")
        ]
        parts.append(f'<div style="display:flex;flex-wrap:wrap;{_COLOURS}">{"".join(charts)}</div>')
        return "".join(parts)


def open_run(path: str | Path) -> RunRecord:
    """Read a run: its curves, its scores, its faces.

    Args:
        path: the run's folder.

    Raises:
        RunError: no run was begun there, or its recipe or provenance cannot be read.
    """
    return RunRecord(path)
