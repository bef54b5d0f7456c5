"""Where the generator of a run, a file or a model is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facegan.errors import RunError
from facegan.models.hub import MODEL
from facegan.models.store import find_source, models
from facegan.runs.checkpoint import GENERATOR, latest
from facegan.runs.directory import RunDirectory


def find_generator(
    source: Path | str,
    say: Callable[[str], None] = lambda message: None,
    best: bool = False,
) -> Path:
    """The generator file of a run folder or of a model, or the file itself.

    Args:
        source: a run's folder, a generator's file or a model's name.
        say: told about each newer checkpoint that had to be passed over, and about a model
            that a path of the same name hides.
        best: of a run, the snapshot with the best FD, and not that of its last whole
            checkpoint.

    Raises:
        RunError: there is no such run, file or model, the run has no generator yet, or the best
            of a single file is asked for.
    """
    path = find_source(source, say)
    if best and path.is_file():
        raise RunError(
            f"`best`: {path} is a file, not a run.",
            "Give the run's folder, or leave `best` out.",
        )
    if best:
        return find_best(RunDirectory(path).require())
    if path.is_file():
        return path
    if not path.exists():
        names = ", ".join(model.name for model in models())
        raise RunError(
            f"{path} does not exist.",
            f"Give a run folder, a generator.safetensors file, or a model's name: {names}.",
        )
    run = RunDirectory(path)
    if not run.started:
        for name in (GENERATOR, MODEL):
            if (path / name).is_file():
                raise RunError(
                    f"{path} is not a run, but a folder with a generator in it.",
                    f"Give {path / name}.",
                )
    checkpoint = latest(run.require().checkpoints, say)
    if checkpoint is None:
        raise RunError(
            f"{path} has no whole checkpoint yet.", "Let it train until its first snapshot."
        )
    return checkpoint.path / GENERATOR


def find_best(run: RunDirectory) -> Path:
    """The generator of a run's best snapshot."""
    path = run.best / GENERATOR
    if not path.is_file():
        raise RunError(
            f"{run.path} has no best snapshot: nothing was measured while it trained.",
            "Take its last one, or train with evaluation.times = auto.",
        )
    return path
