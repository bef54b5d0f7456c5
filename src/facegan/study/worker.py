"""Performs one trial of a study: `python -m facegan.study.worker FOLDER`.

Trains what the folder's `trial.json` says, going on from what is there, measures it, and
writes `result.json`. Numbers that diverge are a result too: the trial failed. Anything else
that goes wrong (a dataset that is gone, a full disk) says nothing of the method: there is no
result, and the exit status tells the study to stop.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from facegan.errors import FaceganError, RunError, TrainingError
from facegan.evaluation.results import Evaluation
from facegan.locks import HeldError, Lock
from facegan.plugins import load_noted
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.directory import RunDirectory
from facegan.startup import tune_process
from facegan.study.execution import DATASETS, ENVIRONMENT, PARENT_WATCH
from facegan.study.results import CurvePoint, TrialFinding, TrialResult
from facegan.study.trial import TrialFolder, TrialSpec
from facegan.training.signals import end_with_parent

_LOCK_PATIENCE = 180.0  # seconds: a process that lost its study may still be saving


def perform(folder: Path | str) -> bool:
    """Perform a trial, or what is left of it.

    Args:
        folder: with its `trial.json`.

    Returns:
        Whether it has a result now; False where a signal asked it to stop: it has saved.

    Raises:
        FaceganError: for what is not the method's fault.
    """
    trial = TrialFolder(folder)
    if not trial.path.is_dir():
        raise RunError(f"There is no trial at {trial.path}.", "Give a folder with a trial.json.")
    try:
        with Lock(trial.path / ".lock", _LOCK_PATIENCE):
            spec = trial.spec().relocated(json.loads(os.environ.get(DATASETS, "{}")))
            result = trial.result()
            if result is not None and result.key == spec.key:
                return True
            try:
                result = _performed(trial, spec)
            except TrainingError as error:
                # Its numbers diverged: how far it came counts as its cost.
                result = _spent(trial, spec).model_copy(update={"error": str(error)})
            if result is None:
                return False
            trial.write_result(result)
            _tidy(trial)
            return True
    except HeldError as error:
        raise RunError(
            f"{trial.path} is in use by another process.",
            f"Wait for it, or stop it. {error.holder}".strip(),
        ) from error


def _performed(trial: TrialFolder, spec: TrialSpec) -> TrialResult | None:
    """Train and measure; None where it was asked to stop."""
    from facegan.apps.evaluate import evaluate
    from facegan.apps.train import train
    from facegan.evaluation.extractors import require_shipped

    # `evaluate` takes files, because people name them; a trial's words come from a plan.
    require_shipped(spec.measure.extractors)
    # Once the run has begun, it has all that it needs of the pretraining.
    if spec.pretraining is not None and not RunDirectory(trial.run).started:
        recipe = Recipe.parse(spec.pretraining.recipe)
        first = train(
            recipe,
            spec.pretraining.dataset,
            trial.pretraining,
            device=spec.device,
            threads=spec.threads,
            loggers=(),
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
        loggers=(),
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
    return _finished(trial, spec, evaluation, time.perf_counter() - begin)


def _finished(
    trial: TrialFolder, spec: TrialSpec, evaluation: Evaluation, measuring: float
) -> TrialResult:
    """The result of a trial that was trained and measured."""
    spent = _spent(trial, spec)
    wall = spent.wall_seconds + measuring
    return spent.model_copy(
        update={"status": "finished", "evaluation": evaluation, "wall_seconds": wall}
    )


def _spent(trial: TrialFolder, spec: TrialSpec) -> TrialResult:
    """What training came to and cost so far, as a failure."""
    from facegan.runs.reading import Reading, read

    def reading(path: Path) -> Reading | None:
        return read(path) if RunDirectory(path).started else None

    first, run = reading(trial.pretraining), reading(trial.run)
    before = first.seen if first is not None else 0
    before_seconds = before / (spec.speed.pretraining_img_per_s or 1.0)
    seen = run.seen if run is not None else 0

    def seconds(images: int) -> float:
        return before_seconds + images / spec.speed.img_per_s

    curve = []
    for measured in run.evaluations if run is not None else ():
        if measured.evaluation.training:
            fd = measured.evaluation.features[0].scores["fd"].generated
            images = measured.images_seen
            curve.append(
                CurvePoint(
                    images=before + images,
                    seconds=seconds(images),
                    fd=fd.value,
                    low=fd.low,
                    high=fd.high,
                )
            )
    networks = run.networks if run is not None else None
    return TrialResult(
        key=spec.key,
        status="failed",
        images=before + seen,
        seconds=seconds(seen),
        wall_seconds=sum(part.seconds for part in (first, run) if part is not None),
        generator=networks.generator if networks else 0,
        discriminator=networks.discriminator if networks else 0,
        curve=tuple(curve),
        found=None
        if run is None
        else tuple(
            TrialFinding(kind=f.kind, images=f.images_seen, said=f.said) for f in run.findings
        ),
    )


def _tidy(trial: TrialFolder) -> None:
    """Remove what only going on would need: a study has many trials, and they are large.

    After the result is written, so that a trial that is killed here is not begun again.
    """
    checkpoint.keep_newest(trial.pretraining / "checkpoints", 0)
    checkpoint.keep_newest(trial.run / "checkpoints", 1)


def main() -> int:
    """Perform the trial named on the command line; the exit status says how it ended."""
    if os.environ.get(PARENT_WATCH):
        end_with_parent()
    try:
        load_noted()
        return 0 if perform(sys.argv[1]) else 143
    except FaceganError as error:
        print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return ENVIRONMENT


if __name__ == "__main__":
    tune_process()
    sys.exit(main())
