"""What a person sees of a run: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from facegan.apps.recipes import DEFAULT_RESOLUTION, Forecast, Listed
from facegan.cli.wording import settings_as_typed
from facegan.device import Execution
from facegan.errors import printable
from facegan.recipe import Recipe
from facegan.runs.directory import RunDirectory
from facegan.training.reporter import LineReporter, Reporter, clock, in_brief, summary


def make_reporter() -> Reporter:
    """The one that fits where the output goes."""
    return LiveReporter() if sys.stderr.isatty() else TypedLines()


class TypedLines(LineReporter):
    """Lines in which advice can be typed."""

    def say(self, message: str) -> None:
        """Print a line."""
        super().say(settings_as_typed(message))


class LiveReporter(Reporter):
    """A progress bar with the latest values under it."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Open the display."""
        self.say(summary(recipe, run, total, images_seen, execution))
        self._progress = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.fields[kimg]}"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[values]}", style="dim"),
            console=self._console,
            speed_estimate_period=60.0,
        )
        self._progress.start()
        self._task = self._progress.add_task(
            "", total=total, completed=images_seen, kimg="", speed="", values=""
        )

    def end(self) -> None:
        """Leave the bar as it stands."""
        if self._progress is not None:
            self._progress.stop()

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """Move the bar."""
        assert self._progress is not None
        task = self._progress.tasks[0]
        speed = f"{task.speed:.0f} img/s" if task.speed else ""
        self._progress.update(
            self._task,
            completed=images_seen,
            kimg=f"{images_seen / 1000:.1f}/{(task.total or 0) / 1000:g} kimg",
            speed=speed,
            values=in_brief(values),
        )

    def say(self, message: str) -> None:
        """Print above the bar."""
        message = settings_as_typed(message)
        self._console.print(printable(message), highlight=False, markup=False)


def print_recipes(listed: list[Listed], resolution: int) -> None:
    """Recipes as a table, and under it what its numbers mean and how to have more of them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recipe", no_wrap=True)
    table.add_column("what and source")
    costs = any(line.cost is not None for line in listed)
    numbers = ["G (M)", "D (M)", *(["s/kimg", "img/s"] if costs else [])]
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for line in listed:
        what = Text.assemble(line.title, "\n", (line.source, "dim"))
        remark = line.trouble
        if line.cost is not None and line.estimated:
            remark = f"Cost estimated from a batch of {line.cost.batch} (its own: {line.batch})."
        if remark:
            what.append(f"\n{remark}", "italic")
        table.add_row(line.name, what, *_numbers(line)[: len(numbers)])
    console = Console()
    console.print(table)
    console.print(
        f"\nG and D: million trainable parameters, for RGB images of {resolution}×{resolution}.",
        *(["s/kimg: seconds on this machine for 1,000 images shown to D."] if costs else []),
        highlight=False,
    )
    if any(line.size is not None and line.cost is None and not line.trouble for line in listed):
        other = "" if resolution == DEFAULT_RESOLUTION else f" --resolution {resolution}"
        console.print(
            f"Measured on this machine, in minutes, once: facegan recipes --cost{other}",
            highlight=False,
        )


def _numbers(line: Listed) -> list[str]:
    """The cells of a recipe: parameters of G and D in millions, seconds for a kimg, speed."""
    size, cost = line.size, line.cost
    found = ["-", "-"]
    if size is not None:
        found = [f"{size.generator / 1e6:.2f}", f"{size.discriminator / 1e6:.2f}"]
    if cost is None:
        return [*found, "-", "-"]
    about = "~" if line.estimated else ""
    return [*found, about + _short(cost.seconds_per_kimg), about + _short(cost.img_per_s)]


def _short(value: float) -> str:
    """About three digits, and never an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def print_forecast(forecast: Forecast) -> None:
    """Print what a dry run found."""
    print(printable(forecast.recipe.to_toml()))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("generator", f"{forecast.generator:,} parameters")
    table.add_row("discriminator", f"{forecast.discriminator:,} parameters")
    how = ", ".join(f"{key} {value}" for key, value in forecast.execution.items())
    table.add_row("computes on", how)
    table.add_row("peak memory", f"{forecast.memory / 2**20:,.0f} MiB (measured over a few steps)")
    table.add_row("speed", f"{forecast.img_per_s:.0f} img/s (measured over a few steps)")
    length = f"{forecast.images / 1000:g} kimg in {clock(forecast.seconds)}"
    table.add_row("would train", f"{length}, plus {forecast.recipe.training.snapshots} snapshots")
    Console().print(table)
