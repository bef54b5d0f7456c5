"""The process that performs a trial, wherever it runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from facegan.errors import storage
from facegan.study.execution import PARENT_WATCH

# How long a trial that is asked to stop may take: a step and a checkpoint of a large network, on
# a busy machine.
GRACE = 120.0  # seconds


def watched_by_parent(
    folder: Path, command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a trial's process, which ends, saved, when this one does.

    A session of its own keeps the terminal's Ctrl-C away from it: it is told once, by whoever
    started it.

    Args:
        folder: of the trial; what the process says goes into its log.
        command: performs the trial whose folder is added to it.
        environment: beside that of this process.
    """
    with storage(folder), (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, PARENT_WATCH: "1"},
            start_new_session=True,
        )


def last_words(folder: Path) -> str:
    """The last line that a trial printed."""
    try:
        lines = (folder / "log.txt").read_text("utf-8", errors="replace").split("\n")
    except OSError:
        return "it left no log."
    spoken = [line.strip() for line in lines if line.strip()]
    return spoken[-1][-500:] if spoken else "it printed nothing."
