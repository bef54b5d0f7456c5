"""The loop: steps until the budget is spent, with a journal, samples and checkpoints.

Nothing here decides what a step computes, and nothing that happens here (a tick, a
snapshot, an interruption) changes it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from facegan.data.grid import grid
from facegan.data.pixels import Pixels
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.checkpoint import folder_name
from facegan.runs.directory import RunDirectory
from facegan.runs.generator_file import GeneratorFile
from facegan.runs.png import save_png
from facegan.training.execution import Execution, any_process
from facegan.training.finite import require_finite_weights
from facegan.training.samples import pictures
from facegan.training.step import Trainer

GRID_SEEDS = range(64)
# Beside the snapshots, which follow the budget, so that a crash in a long run costs little.
_CHECKPOINT_SECONDS = 600.0


class Reporter(Protocol):
    """Whoever watches a run. Only the main process has one that is called."""

    def begin(
        self, recipe: Recipe, run: RunDirectory, total: int, images_seen: int, execution: Execution
    ) -> None:
        """Before the first step."""

    def end(self) -> None:
        """After the last step, whatever ended it."""

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        """After every step."""

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        """After every line of the journal."""

    def say(self, message: str) -> None:
        """Something worth a sentence."""


@dataclass
class Loop:
    """Runs a trainer to its end, or until it is asked to stop.

    Attributes:
        trainer: takes the steps.
        run: the folder.
        pixels: for the samples.
        dataset: what generator files say of the training data.
        reporter: told what happens.
        stop: asked after each step whether to save and leave.
    """

    trainer: Trainer
    run: RunDirectory
    pixels: Pixels
    dataset: dict[str, Any]
    reporter: Reporter
    stop: Callable[[], bool]
    _begun_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Count seconds on from where an earlier, interrupted part left off."""
        earlier = self.run.timing.lines()
        self._begun_at = time.perf_counter() - (earlier[-1]["seconds"] if earlier else 0.0)

    def go_on(self) -> bool:
        """Train to the end of the budget. Returns whether the end was reached."""
        trainer, state = self.trainer, self.trainer.state
        training = trainer.recipe.training
        ticks = Boundaries(training.ticks, trainer.total)
        snapshots = Boundaries(training.snapshots, trainer.total)
        main = trainer.execution.main
        if state.images_seen == 0 and main:
            self._sample()
        saved_at = time.perf_counter()
        begun, begun_at = state.images_seen, time.perf_counter()
        while state.images_seen < trainer.total:
            before = state.images_seen
            values = trainer.step()
            now = time.perf_counter()
            if main:
                self.reporter.step(state.images_seen, values)
            if ticks.crossed(before, state.images_seen):
                line, timing = self._journal(values, (state.images_seen - begun) / (now - begun_at))
                begun, begun_at = state.images_seen, now
                if main:
                    self.run.metrics.append(line)
                    self.run.timing.append(timing)
                    self.reporter.tick(line, timing)
            snapshot = snapshots.crossed(before, state.images_seen)
            stopping = any_process(self.stop(), trainer.execution)
            late = any_process(now - saved_at > _CHECKPOINT_SECONDS, trainer.execution)
            if main and snapshot:
                self._sample()
            if main and (snapshot or stopping or late):
                self._save()
            if snapshot or stopping or late:
                saved_at = time.perf_counter()
                begun_at += saved_at - now  # img/s means training, not saving
            if stopping and state.images_seen < trainer.total:
                return False
        return True

    def _journal(
        self, values: dict[str, float], speed: float
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A line of what was computed, and a line of how fast."""
        state = self.trainer.state
        line: dict[str, Any] = {"images_seen": state.images_seen, "stage": state.stage_index}
        line |= {name: value for name, value in values.items() if name.endswith("/lr")}
        line |= state.sums.take()
        seconds = time.perf_counter() - self._begun_at
        timing = {"images_seen": state.images_seen, "seconds": seconds, "img_per_s": speed}
        return line, timing

    def _sample(self) -> None:
        state = self.trainer.state
        images = np.concatenate(list(pictures(state.average, self.pixels, GRID_SEEDS)))
        name = f"{folder_name(state.images_seen)}.png"
        about = {"recipe": self.trainer.recipe.name, "kimg": f"{state.images_seen / 1000:g}"}
        save_png(self.run.samples / name, grid(images), seeds=GRID_SEEDS, model=about)

    def _save(self) -> None:
        state = self.trainer.state
        require_finite_weights(state)
        generator = GeneratorFile(
            state.average, self.trainer.recipe, self.pixels, state.images_seen, self.dataset
        )
        checkpoint.save(
            self.run.checkpoints, state.images_seen, state.tensors(), generator, state.extra()
        )


class Boundaries:
    """Divides a run into `count` equal parts, and tells when a step ends one.

    Args:
        count: how many parts.
        total: images in the run.
    """

    def __init__(self, count: int, total: int) -> None:
        self._count, self._total = count, total

    def crossed(self, before: int, after: int) -> bool:
        """Whether a boundary lies in (before, after]. The end is always one."""
        return self._part(after) > self._part(before) or after >= self._total > before

    def _part(self, images: int) -> int:
        return math.floor(images * self._count / self._total)
