"""The loop: steps until the budget is spent, with a journal, samples and checkpoints.

Nothing here decides what a step computes, and nothing that happens here (a tick, a
snapshot, an interruption) changes it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facegan.data.grid import grid
from facegan.data.pixels import Pixels
from facegan.disk import sync
from facegan.errors import storage
from facegan.generation.png import save_png
from facegan.generation.samples import pictures
from facegan.models.file import GeneratorFile
from facegan.runs import checkpoint
from facegan.runs.best import keep_best
from facegan.runs.checkpoint import folder_name
from facegan.runs.diagnosis import Diagnosis
from facegan.runs.directory import RunDirectory
from facegan.runs.extension import Length
from facegan.runs.journal import measured_to, seconds_so_far
from facegan.training.finite import require_finite_weights
from facegan.training.probe import Probe
from facegan.training.reporter import Reporter
from facegan.training.step import Trainer
from facegan.training.watch import Measure

GRID_SEEDS = range(64)
# Beside the snapshots, which follow the budget, so that a crash in a long run costs little.
_CHECKPOINT_SECONDS = 600.0


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
        evaluations: how often it does so, evenly over the run as it was begun.
        length: of the run; as long as the trainer's schedules by default.
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
    length: Length | None = None
    _length: Length = field(init=False)
    _total: int = field(init=False)
    _begun_at: float = field(init=False)
    _diagnosis: Diagnosis = field(init=False)

    def __post_init__(self) -> None:
        """Count seconds on from where an earlier, interrupted part left off."""
        self._begun_at = time.perf_counter() - seconds_so_far(self.run.timing.lines())
        # What it finds in these lines was said before.
        self._length = self.length or Length.plain(self.trainer.total)
        self._total = self._length.total
        self._diagnosis = Diagnosis(self._total, self.run.metrics.lines(), self.trainer.recipe)

    def go_on(self) -> bool:
        """Train to the end of the budget. Returns whether the end was reached."""
        for _ in self.steps():
            pass
        return self.finished

    @property
    def length_in_images(self) -> int:
        """Images in the whole run."""
        return self._total

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self.trainer.state.images_seen >= self._total

    def steps(self) -> Generator[dict[str, float], None, None]:
        """Train to the end of the budget, and let the caller look between any two steps.

        What is done there changes nothing of what is computed. Where the iterator is closed before
        the end, it saves first, as if it had been asked to stop.

        Yields:
            the values of the step, by name.
        """
        trainer, state = self.trainer, self.trainer.state
        training = trainer.recipe.training
        total = self._total
        ticks = self._boundaries(training.ticks)
        snapshots = self._boundaries(training.snapshots)
        evaluations = self._boundaries(self.evaluations)
        main, alone = trainer.execution.main, trainer.execution.world == 1
        if state.images_seen == 0 and main:
            self._sample()
        if main and unmeasured(self.run, self._length, self.evaluations, state.images_seen):
            self._measure()
            self._save()
        saved_at = time.perf_counter()
        begun, begun_at = state.images_seen, time.perf_counter()
        while state.images_seen < total:
            before = state.images_seen
            if not alone:
                # What any process asks for, all learn when they exchange the step's values.
                state.sums.flags, state.sums.raised = self._asked(saved_at), (False, False)
            values = trainer.step()
            now = time.perf_counter()
            if main:
                self.reporter.step(state.images_seen, values)
            tick = ticks.crossed(before, state.images_seen)
            snapshot = snapshots.crossed(before, state.images_seen)
            evaluation = evaluations.crossed(before, state.images_seen)
            if tick or snapshot or evaluation:
                values |= trainer.look()
                trainer.exchange.meet()
            stopping, late = self._asked(saved_at) if alone else state.sums.raised
            if not trainer.exchange.together:
                # Whoever asked asks again, until the next exchange, which may not come earlier.
                stopping = late = False
            if stopping or late:
                values |= trainer.look()
            if tick or snapshot or evaluation or stopping or late:
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
                if snapshot:
                    # Measuring takes minutes: whatever ends it, no training is lost.
                    self._save()
                self._measure()
            if main and (snapshot or stopping or late):
                self._save()
            if snapshot or stopping or late:
                saved_at = time.perf_counter()
            begun_at += time.perf_counter() - now  # img/s means training, and nothing else
            if stopping and state.images_seen < total:
                return
            paused = time.perf_counter()
            try:
                yield values
            except GeneratorExit:
                if not (snapshot or late):
                    trainer.look()
                    if main:
                        self._save()
                raise
            elsewhere = time.perf_counter() - paused
            begun_at += elsewhere
            self._begun_at += elsewhere

    def _boundaries(self, count: int) -> Boundaries:
        return Boundaries(count, self._length.begun, self._length.total)

    def _asked(self, saved_at: float) -> tuple[bool, bool]:
        """Whether to stop, and whether it is long since the last checkpoint."""
        asked = self.stop() or (self.trainer.execution.main and self.reporter.should_stop())
        return asked, time.perf_counter() - saved_at > _CHECKPOINT_SECONDS

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
            images_seen = self.trainer.state.images_seen
            found = self.probe.measure(self.trainer.state, images)
            self._enter({"images_seen": images_seen} | found)
            self.reporter.measured(images_seen, found)

    def _sample(self) -> np.ndarray:
        """Write the sample grid; its pictures, uint8 [64, H, W, C]."""
        state = self.trainer.state
        images = np.concatenate(list(pictures(state.average, self.pixels, GRID_SEEDS)))
        name = f"{folder_name(state.images_seen)}.png"
        about = {"recipe": self.trainer.recipe.name, "kimg": f"{state.images_seen / 1000:g}"}
        sheet = grid(images)
        save_png(self.run.samples / name, sheet, seeds=GRID_SEEDS, model=about)
        self.reporter.samples(state.images_seen, sheet)
        return images

    def _measure(self) -> None:
        """Measure the average, and keep it if it is the best so far."""
        if self.measure is None:
            return
        state = self.trainer.state
        found = self.measure(state.average, state.images_seen)
        # The line comes last: where it stands, nothing is measured again.
        kept = keep_best(self.run, found.best, self._generator())
        self._enter(found.line)
        self.reporter.measured(state.images_seen, found.scores)
        best = ", the best so far" if kept else ""
        self.reporter.say(f"{state.images_seen / 1000:g} kimg: {found.said}{best}")

    def _save(self) -> None:
        state = self.trainer.state
        require_finite_weights(state)
        # What a checkpoint counts on is on the disk before it.
        self.run.timing.sync()
        self._sync_samples()
        journal = self.run.metrics.sync()
        checkpoint.save(
            self.run.checkpoints,
            state.images_seen,
            state.tensors(),
            self._generator(),
            state.extra(),
            journal=journal,
        )

    def _sync_samples(self) -> None:
        """Force the names of the grids to the disk: a run that goes on does not make them again."""
        if self.run.samples.is_dir():
            with storage(self.run.samples):
                sync(self.run.samples)

    def _generator(self) -> GeneratorFile:
        state = self.trainer.state
        return GeneratorFile(
            state.average, self.trainer.recipe, self.pixels, state.images_seen, self.dataset
        )


def unmeasured(run: RunDirectory, length: Length, evaluations: int, images_seen: int) -> bool:
    """Whether a run that goes on from here was ended while it was to be measured."""
    boundaries = Boundaries(evaluations, length.begun, length.total)
    return boundaries.crossed(measured_to(run.metrics.lines()), images_seen)


class Boundaries:
    """Divides a run into `count` equal parts, and tells when a step ends one.

    Args:
        count: how many parts; 0 for no boundary at all.
        total: images in the run as it was begun.
        end: images in the whole run, where it was extended: it goes on in parts of the same size.
    """

    def __init__(self, count: int, total: int, end: int | None = None) -> None:
        self._count, self._total = count, total
        self._end = total if end is None else end

    def crossed(self, before: int, after: int) -> bool:
        """Whether a boundary lies in (before, after]. The end is always one."""
        if self._count == 0:
            return False
        return self._part(after) > self._part(before) or after >= self._end > before

    def _part(self, images: int) -> int:
        return math.floor(images * self._count / self._total)
