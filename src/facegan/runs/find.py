"""Where the generator of a run is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facegan.errors import RunError
from facegan.runs.checkpoint import GENERATOR, latest
from facegan.runs.directory import RunDirectory


def find_generator(
    source: Path | str, damaged: Callable[[str], None] = lambda message: None
) -> Path:
    """The generator file of a run folder (its last whole checkpoint), or the file itself.

    Args:
        source: a run's folder or a generator's file.
        damaged: told about each newer checkpoint that had to be passed over.
    """
    path = Path(source)
    if path.is_file():
        return path
    if not path.exists():
        raise RunError(
            f"{path} does not exist.", "Give a run folder or a generator.safetensors file."
        )
    run = RunDirectory(path).require()
    checkpoint = latest(run.checkpoints, damaged)
    if checkpoint is None:
        raise RunError(
            f"{path} has no whole checkpoint yet.", "Let it train until its first snapshot."
        )
    return checkpoint.path / GENERATOR
