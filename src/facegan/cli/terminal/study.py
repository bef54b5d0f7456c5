"""A running study on a terminal: a live table of methods and seeds."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.errors import printable
from facegan.runs.journal import Journal
from facegan.study.folder import StudyFolder, trial_keys
from facegan.study.plan import Plan
from facegan.study.progress import LineWatch
from facegan.study.results import Key
from facegan.study.trial import TrialFolder


def make_study_watch(folder: StudyFolder, plan: Plan) -> LineWatch | TableWatch:
    """The one that fits where the output goes."""
    return (TableWatch if sys.stderr.isatty() else LineWatch)(folder, plan)


class TableWatch:
    """A row for each method, a column for each seed, what runs in percent.

    Args:
        folder: of the study.
        plan: of the study, which the folder may not have yet.
    """

    _EVERY = 1.0  # seconds

    def __init__(self, folder: StudyFolder, plan: Plan) -> None:
        from rich.console import Console

        self._folder, self._plan = folder, plan
        self._console = Console(stderr=True)
        self._live: Any = None
        self._running: set[Path] = set()
        self._shown = 0.0

    def __enter__(self) -> TableWatch:
        from rich.live import Live

        self._live = Live(self._table(), console=self._console, auto_refresh=False)
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.update(self._table(), refresh=True)
        self._live.stop()
        self._live = None

    def started(self, folder: Path, where: str) -> None:
        """Show it as running."""
        self._running.add(folder)
        self._shown = 0.0

    def ended(self, folder: Path) -> None:
        """Show how."""
        self._running.discard(folder)
        self._shown = 0.0

    def say(self, message: str) -> None:
        """Print above the table."""
        self._console.print(printable(message), highlight=False, markup=False)

    def tick(self) -> None:
        """Show progress, once a second."""
        if self._live is not None and time.monotonic() - self._shown > self._EVERY:
            self._shown = time.monotonic()
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Any:
        from rich.table import Table

        plan = self._plan
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("FD at the end", no_wrap=True)
        found = rows(self._folder, plan, self._running)
        for title in _titles(plan):
            table.add_column(title, justify="right", no_wrap=True)
        for name, cells in found.items():
            table.add_row(name, *cells)
        return table


def _titles(plan: Plan) -> list[str]:
    """Of the columns: seeds where all methods begin with the same ones, else their places."""
    every = [plan.seeds_of(name) for name in plan.all_methods()]
    longest = max(every, key=len)
    same = all(seeds == longest[: len(seeds)] for seeds in every)
    return [f"seed {seed}" if same else f"{n}." for n, seed in enumerate(longest, 1)]


def rows(folder: StudyFolder, plan: Plan, running: set[Path]) -> Mapping[str, list[str]]:
    """The table of a study: what each trial came to, by method, in the order of seeds."""
    several = len(plan.datasets) > 1
    found: dict[str, list[str]] = {}
    for key in trial_keys(plan):
        label = f"{key.dataset} {key.method}" if several else key.method
        found.setdefault(label, []).append(_cell(folder, key, running))
    return dict(sorted(found.items(), key=lambda row: row[0].split(" ")[0])) if several else found


def _cell(folder: StudyFolder, key: Key, running: set[Path]) -> str:
    trial = folder.trial(key)
    result = trial.result()
    if result is not None:
        fd = result.score("fd")
        return "failed" if result.status == "failed" or fd is None else f"{fd:.1f}"
    if trial.path not in running:
        return "·"
    return f"{progress(trial):.0%}"


def progress(trial: TrialFolder) -> float:
    """How much of its training a trial has done, in [0, 1]."""
    from facegan.errors import FaceganError
    from facegan.recipe import Recipe

    try:
        spec = trial.spec()
        parts = [(trial.run, spec.recipe)]
        if spec.pretraining is not None:
            parts.append((trial.pretraining, spec.pretraining.recipe))
        seen = sum(_seen(run) for run, _ in parts)
        return min(seen / sum(_images(Recipe.parse(recipe)) for _, recipe in parts), 1.0)
    except FaceganError:
        return 0.0


def _seen(run: Path) -> int:
    lines = Journal(run / "timing.jsonl").lines()
    return int(lines[-1]["images_seen"]) if lines else 0


def _images(recipe: Any) -> int:
    from facegan.budget import parse_budget

    return parse_budget(recipe.training.budget).images or 1
