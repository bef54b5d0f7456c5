"""Performs one trial of a study: `python -m facegan.apps.trial FOLDER`.

Trains what the folder's `trial.json` says, going on from what is there, measures it, and
writes `result.json`. What goes wrong with the method (numbers that diverge, a recipe that
does not fit) is a result too: the trial failed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from facegan.errors import FaceganError, RunError, StorageError
from facegan.evaluation.results import Evaluation
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.startup import tune_process
from facegan.study.execution import ENVIRONMENT, LEASH
from facegan.study.results import CurvePoint, TrialResult
from facegan.study.trial import TrialFolder, TrialSpec

_LOCK_PATIENCE = 180.0  # seconds: a process that lost its study may still be saving


def perform(folder: Path | str) -> bool:
    """Perform a trial, or what is left of it.

    Args:
        folder: with its `trial.json`.

    Returns:
        Whether it has a result now; False where a signal asked it to stop: it has saved.

    Raises:
        StorageError: no room; this says nothing of the method.
        RunError: the trial cannot be read, or another process performs it.
    """
    from filelock import FileLock, Timeout

    trial = TrialFolder(folder)
    try:
        with FileLock(trial.path / ".lock", timeout=_LOCK_PATIENCE):
            if trial.result() is not None:
                return True
            spec = trial.spec()
            try:
                result = _performed(trial, spec)
            except StorageError:
                raise
            except FaceganError as error:
                result = TrialResult(key=spec.key, status="failed", error=str(error))
            if result is None:
                return False
            trial.write_result(result)
            _tidy(trial)
            return True
    except Timeout as error:
        raise RunError(
            f"{trial.path} is in use by another process.", "Wait for it, or stop it."
        ) from error


def _performed(trial: TrialFolder, spec: TrialSpec) -> TrialResult | None:
    """Train and measure; None where it was asked to stop."""
    from facegan.apps.evaluate import evaluate
    from facegan.apps.train import train

    if spec.pretraining is not None:
        recipe = Recipe.parse(spec.pretraining.recipe)
        first = train(
            recipe,
            spec.pretraining.dataset,
            trial.pretraining,
            device=spec.device,
            threads=spec.threads,
        )
        if not first.finished:
            return None
    outcome = train(
        Recipe.parse(spec.recipe),
        spec.dataset,
        trial.run,
        mix=spec.mix,
        start_from=trial.pretraining if spec.pretraining is not None else None,
        device=spec.device,
        threads=spec.threads,
    )
    if not outcome.finished:
        return None
    begin = time.perf_counter()
    evaluation = evaluate(
        trial.run,
        spec.dataset,
        n=spec.measure.n,
        n_real=spec.measure.n_real,
        extractors=spec.measure.extractors,
        copying=False,
        faces=False,
        device=spec.device,
    )
    return _told(trial, spec, evaluation, time.perf_counter() - begin)


def _told(
    trial: TrialFolder, spec: TrialSpec, evaluation: Evaluation, measuring: float
) -> TrialResult:
    """What a finished trial says."""
    from facegan.apps.reporting.reading import read

    run = read(trial.run)
    before, before_seconds, wall = 0, 0.0, run.seconds + measuring
    if spec.pretraining is not None:
        assert spec.speed.pretraining_img_per_s is not None
        first = read(trial.pretraining)
        before, before_seconds = first.seen, first.seen / spec.speed.pretraining_img_per_s
        wall += first.seconds

    def seconds(images: int) -> float:
        return before_seconds + images / spec.speed.img_per_s

    curve = []
    for measured in run.evaluations:
        if measured.evaluation.training:
            fd = measured.evaluation.features[0].scores["fd"].generated
            curve.append(
                CurvePoint(
                    images=before + measured.images_seen,
                    seconds=seconds(measured.images_seen),
                    fd=fd.value,
                    low=fd.low,
                    high=fd.high,
                )
            )
    return TrialResult(
        key=spec.key,
        status="finished",
        images=before + run.seen,
        seconds=seconds(run.seen),
        wall_seconds=wall,
        generator=run.networks.generator if run.networks else 0,
        discriminator=run.networks.discriminator if run.networks else 0,
        evaluation=evaluation,
        curve=tuple(curve),
    )


def _tidy(trial: TrialFolder) -> None:
    """Remove what only going on would need: a study has many trials, and they are large.

    After the result is written, so that a trial that is killed here is not begun again.
    """
    checkpoint.keep_newest(trial.pretraining / "checkpoints", 0)
    checkpoint.keep_newest(trial.run / "checkpoints", 1)


def _leash() -> None:
    """End, having saved, when the process that holds our standard input is gone."""

    def wait() -> None:
        # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    """Perform the trial named on the command line; the exit status says how it ended."""
    if os.environ.get(LEASH):
        _leash()
    try:
        return 0 if perform(sys.argv[1]) else 143
    except StorageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ENVIRONMENT
    except FaceganError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    tune_process()
    sys.exit(main())
