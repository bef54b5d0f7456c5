"""The best snapshot of a run, kept beside the last."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from facegan.errors import RunError
from facegan.files import new_folder, read_json
from facegan.models.file import GeneratorFile
from facegan.runs.checkpoint import GENERATOR
from facegan.runs.directory import RunDirectory

SCORES = "scores.json"


@dataclass(frozen=True)
class Best:
    """How good the best snapshot is.

    Attributes:
        images_seen: where in the run it was taken.
        fd: its Fréchet distance, in the feature space named by `extractor`.
        low: lower end of the 95 % interval of `fd`.
        high: upper end.
        real: the same distance of as many real pictures: the floor.
        extractor: the feature space.
        n_fake: generated pictures measured.
        n_real: real pictures in the reference.
    """

    images_seen: int
    fd: float
    low: float
    high: float
    real: float
    extractor: str
    n_fake: int
    n_real: int


def keep_best(run: RunDirectory, scores: Best, generator: GeneratorFile) -> bool:
    """Keep this generator if none measured earlier in the run is better.

    What was measured later than this is forgotten: the run has gone back to an earlier
    checkpoint, and will measure it again.

    Returns:
        Whether it was kept.
    """
    before = read_best(run)
    if before is not None and before.images_seen < scores.images_seen and before.fd <= scores.fd:
        return False
    with new_folder(run.best) as folder:
        (folder / GENERATOR).write_bytes(generator.to_bytes())
        (folder / SCORES).write_text(json.dumps(asdict(scores), indent=2) + "\n", "utf-8")
    return True


def read_best(run: RunDirectory) -> Best | None:
    """The best snapshot so far; None where there is none, or its files are damaged."""
    try:
        best = Best(**read_json(run.best / SCORES, "The scores of the best snapshot"))
        counts = (best.images_seen, best.n_fake, best.n_real)
        numbers = (best.fd, best.low, best.high, best.real)
        sound = (
            all(type(each) is int and each >= 0 for each in counts)
            and all(isinstance(each, int | float) and math.isfinite(each) for each in numbers)
            and isinstance(best.extractor, str)
        )
        return best if sound else None
    except (RunError, TypeError, OverflowError):
        return None
