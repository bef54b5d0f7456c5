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
from facegan.device import Execution, any_process
from facegan.generation.png import save_png
from facegan.generation.samples import pictures
from facegan.models.file import GeneratorFile
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.best import keep_best
from facegan.runs.checkpoint import folder_name
from facegan.runs.diagnosis import Diagnosis
from facegan.runs.directory import RunDirectory
from facegan.training.finite import require_finite_weights
from facegan.training.probe import Probe
from facegan.training.step import Trainer
from facegan.training.watch import Measure

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
        probe: looks at the two players at each snapshot; None in all processes but the main
            one.
        measure: measures the averaged generator; None in all processes but the main one.
        evaluations: how often it does so, evenly over the run.
    """

    trainer: Trainer
    run: RunDirectory
    pixels: Pixels
    dataset: dict[str, Any]
    reporter: Reporter
    stop: Callable[[], bool]
    probe: Probe | None = None
    measure: Measure | None = None
    evaluations: int = 0
    _begun_at: float = field(init=False)
    _diagnosis: Diagnosis = field(init=False)

    def __post_init__(self) -> None:
        """Count seconds on from where an earlier, interrupted part left off."""
        earlier = self.run.timing.lines()
        self._begun_at = time.perf_counter() - (earlier[-1]["seconds"] if earlier else 0.0)
        # What it finds in these lines was said before.
        self._diagnosis = Diagnosis(self.trainer.total, self.run.metrics.lines())

    def go_on(self) -> bool:
        """Train to the end of the budget. Returns whether the end was reached."""
        trainer, state = self.trainer, self.trainer.state
        training = trainer.recipe.training
        ticks = Boundaries(training.ticks, trainer.total)
        snapshots = Boundaries(training.snapshots, trainer.total)
        evaluations = Boundaries(self.evaluations, trainer.total)
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
            tick = ticks.crossed(before, state.images_seen)
            snapshot = snapshots.crossed(before, state.images_seen)
            evaluation = evaluations.crossed(before, state.images_seen)
            stopping = any_process(self.stop(), trainer.execution)
            late = any_process(now - saved_at > _CHECKPOINT_SECONDS, trainer.execution)
            if tick or snapshot or evaluation or stopping or late:
                values |= trainer.look()
                now = time.perf_counter()
            if tick:
                line, timing = self._journal(values, (state.images_seen - begun) / (now - begun_at))
                begun, begun_at = state.images_seen, now
                if main:
                    self._enter(line)
                    self.run.timing.append(timing)
                    self.reporter.tick(line, timing)
            if main and snapshot:
                self._look(self._sample())
            if main and evaluation:
                self._measure()
            if main and (snapshot or stopping or late):
                self._save()
            if snapshot or stopping or late:
                saved_at = time.perf_counter()
            begun_at += time.perf_counter() - now  # img/s means training, and nothing else
            if stopping and state.images_seen < trainer.total:
                return False
        return True

    def _journal(
        self, values: dict[str, float], speed: float
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A line of what was computed, and a line of how fast."""
        state = self.trainer.state
        line: dict[str, Any] = {"images_seen": state.images_seen, "stage": state.stage_index}
        # Of what schedules set, the latest value; of what was computed, the mean.
        line |= values | state.sums.take()
        seconds = time.perf_counter() - self._begun_at
        timing = {"images_seen": state.images_seen, "seconds": seconds, "img_per_s": speed}
        return line, timing

    def _enter(self, line: dict[str, Any]) -> None:
        """Add a line to the journal, and say what it shows of the run's health."""
        self.run.metrics.append(line)
        for finding in self._diagnosis.add(line):
            self.reporter.say(f"{finding.said} {finding.helps}")

    def _look(self, images: np.ndarray) -> None:
        if self.probe is not None:
            found = self.probe.measure(self.trainer.state, images)
            self._enter({"images_seen": self.trainer.state.images_seen} | found)

    def _sample(self) -> np.ndarray:
        """Write the sample grid; its pictures, uint8 [64, H, W, C]."""
        state = self.trainer.state
        images = np.concatenate(list(pictures(state.average, self.pixels, GRID_SEEDS)))
        name = f"{folder_name(state.images_seen)}.png"
        about = {"recipe": self.trainer.recipe.name, "kimg": f"{state.images_seen / 1000:g}"}
        save_png(self.run.samples / name, grid(images), seeds=GRID_SEEDS, model=about)
        return images

    def _measure(self) -> None:
        """Measure the average, and keep it if it is the best so far."""
        if self.measure is None:
            return
        state = self.trainer.state
        found = self.measure(state.average, state.images_seen)
        self._enter(found.line)
        kept = keep_best(self.run, found.best, self._generator())
        best = ", the best so far" if kept else ""
        self.reporter.say(f"{state.images_seen / 1000:g} kimg: {found.said}{best}")

    def _save(self) -> None:
        state = self.trainer.state
        require_finite_weights(state)
        # What a checkpoint counts on is on the disk before it.
        self.run.timing.sync()
        journal = self.run.metrics.sync()
        checkpoint.save(
            self.run.checkpoints,
            state.images_seen,
            state.tensors(),
            self._generator(),
            state.extra(),
            journal=journal,
        )

    def _generator(self) -> GeneratorFile:
        state = self.trainer.state
        return GeneratorFile(
            state.average, self.trainer.recipe, self.pixels, state.images_seen, self.dataset
        )


class Boundaries:
    """Divides a run into `count` equal parts, and tells when a step ends one.

    Args:
        count: how many parts; 0 for no boundary at all.
        total: images in the run.
    """

    def __init__(self, count: int, total: int) -> None:
        self._count, self._total = count, total

    def crossed(self, before: int, after: int) -> bool:
        """Whether a boundary lies in (before, after]. The end is always one."""
        if self._count == 0:
            return False
        return self._part(after) > self._part(before) or after >= self._total > before

    def _part(self, images: int) -> int:
        return math.floor(images * self._count / self._total)
