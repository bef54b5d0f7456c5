"""Whoever watches a run: what a reporter is told, and the plainest one."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from facegan.errors import printable
from facegan.notebook import Panel, bar, picture

if TYPE_CHECKING:
    import numpy as np

    from facegan.device import Execution
    from facegan.recipe import Recipe
    from facegan.runs.directory import RunDirectory


class Reporter:
    """Is told what happens in a run, and may stop it.

    Every method does nothing here: a subclass has those that it needs. In a run of several
    processes only the main one calls its reporter. What a reporter raises ends the run.
    """

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Before the first step.

        Args:
            recipe: what is trained.
            run: its folder.
            total: images in the whole run.
            images_seen: where it goes on; 0 where it begins.
            execution: where and how it computes.
        """

    def end(self) -> None:
        """After the last step, whatever ended it."""

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """After every step, with its values by name."""

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """After every line of the journal, with `images_seen` in both."""

    def measured(self, images_seen: int, values: dict[str, float]) -> None:
        """After a probe of the two players, and after an evaluation: scores by name."""

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """After every sample grid: uint8 [H, W, C]."""

    def say(self, message: str) -> None:
        """Something worth a sentence."""

    def should_stop(self) -> bool:
        """Asked after every step: True saves and leaves, and the same call goes on later."""
        return False


class Reporters(Reporter):
    """Several reporters as one; the first that wants to stop is obeyed."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Pass on."""
        for reporter in self._reporters:
            reporter.begin(recipe, run, total, images_seen, execution)

    def end(self) -> None:
        """Pass on."""
        for reporter in self._reporters:
            reporter.end()

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """Pass on."""
        for reporter in self._reporters:
            reporter.step(images_seen, values)

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """Pass on."""
        for reporter in self._reporters:
            reporter.tick(line, timing)

    def measured(self, images_seen: int, values: dict[str, float]) -> None:
        """Pass on."""
        for reporter in self._reporters:
            reporter.measured(images_seen, values)

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """Pass on."""
        for reporter in self._reporters:
            reporter.samples(images_seen, grid)

    def say(self, message: str) -> None:
        """Pass on."""
        for reporter in self._reporters:
            reporter.say(message)

    def should_stop(self) -> bool:
        """Ask each."""
        return any(reporter.should_stop() for reporter in self._reporters)


class Undisturbed(Reporter):
    """A reporter that cannot end a run: what it cannot print is not printed.

    A pipe that closed, or a full disk behind it, is no reason to stop.

    Args:
        reporter: who is told, until it cannot speak any more.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter: Reporter | None = reporter

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Pass on."""
        self._tell(lambda reporter: reporter.begin(recipe, run, total, images_seen, execution))

    def end(self) -> None:
        """Pass on."""
        self._tell(lambda reporter: reporter.end())

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """Pass on."""
        self._tell(lambda reporter: reporter.step(images_seen, values))

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """Pass on."""
        self._tell(lambda reporter: reporter.tick(line, timing))

    def measured(self, images_seen: int, values: dict[str, float]) -> None:
        """Pass on."""
        self._tell(lambda reporter: reporter.measured(images_seen, values))

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """Pass on."""
        self._tell(lambda reporter: reporter.samples(images_seen, grid))

    def say(self, message: str) -> None:
        """Pass on."""
        self._tell(lambda reporter: reporter.say(message))

    def should_stop(self) -> bool:
        """Ask."""
        return self._reporter is not None and self._reporter.should_stop()

    def _tell(self, what: Callable[[Reporter], None]) -> None:
        if self._reporter is None:
            return
        try:
            what(self._reporter)
        except OSError:  # closed, or no room
            self._reporter = None


class LineReporter(Reporter):
    """One line for each tick, for files and pipes.

    Args:
        stream: where to; standard error by default, which keeps standard output for results.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._total = 0

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Print what is about to run."""
        self._total = total
        self.say(summary(recipe, run, total, images_seen, execution))

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """Print the line of the journal."""
        seen, speed = line["images_seen"], timing["img_per_s"]
        left = (self._total - seen) / speed if speed > 0 else 0.0
        self.say(
            f"{seen / 1000:9.3f} kimg  {speed:6.1f} img/s  {clock(left)} left  {in_brief(line)}"
        )

    def say(self, message: str) -> None:
        """Print."""
        print(printable(message), file=self._stream or sys.stderr, flush=True)


class NotebookReporter(Reporter):
    """A bar with the latest values and the newest faces under it, in a notebook's page."""

    _EVERY = 0.5  # seconds

    def __init__(self) -> None:
        self._panel, self._faces, self._said = Panel(), "", ""
        self._total, self._shown, self._line = 0, 0.0, ""

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Show what is about to run."""
        self._total, self._said = total, summary(recipe, run, total, images_seen, execution)
        self._show(images_seen)

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """Move the bar, now and then."""
        if time.monotonic() - self._shown >= self._EVERY or images_seen >= self._total:
            self._show(images_seen)

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """Remember the values that are shown."""
        self._line = f"{timing['img_per_s']:.0f} img/s  {in_brief(line)}"

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """Show the faces."""
        from facegan.generation.png import png_bytes

        about = f"64 generated faces at {images_seen / 1000:g} kimg"
        self._faces = picture(png_bytes(grid), about, min(grid.shape[1], 420))
        self._show(images_seen)

    def say(self, message: str) -> None:
        """Show it above the bar."""
        self._said = message

    def _show(self, images_seen: int) -> None:
        self._shown = time.monotonic()
        kimg = f"{images_seen / 1000:.3f} of {self._total / 1000:g} kimg  {self._line}"
        said = f"<div>{html.escape(self._said)}</div>"
        self._panel.show(said + bar(images_seen, self._total, kimg) + f"<br>{self._faces}")


def summary(
    recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
) -> str:
    """The line before the first step."""
    how = f"{execution.device.type}, {execution.precision}"
    if execution.channels_last:
        how += ", channels_last"
    if execution.world > 1:
        how += f", {execution.world} processes"
    begun = f"{images_seen / 1000:g} of " if images_seen else ""
    return f"{recipe.name} → {run.path}: {begun}{total / 1000:g} kimg on {how}"


# Journal names → what fits on a line.
_BRIEF = {
    "discriminator/adversarial": "loss D",
    "generator/adversarial": "G",
    "discriminator/penalty": "penalty",
    "logits_real": "logits real",
    "logits_fake": "fake",
    "discriminator/gradient_norm": "|∇| D",
    "generator/gradient_norm": "G",
}


def in_brief(values: dict[str, Any]) -> str:
    """The values of a step that fit on a line."""
    return "  ".join(f"{short} {values[k]:.3g}" for k, short in _BRIEF.items() if k in values)


def clock(seconds: float) -> str:
    """`2:05` or `1:02:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
