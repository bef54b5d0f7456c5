"""Where the trials of a study run: on this machine, on a Ray cluster, or as jobs of SLURM."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

# How often a trial's process may end without saying how, before the trial counts as failed.
ATTEMPTS = 3
# Performs the trial whose folder is the last argument.
COMMAND = (sys.executable, "-m", "facegan.study.worker")
# The status of a trial that could not go on for want of something that is not its own fault,
# such as its dataset or room on the disk: the study stops, and the trial is no failure.
ENVIRONMENT = 74
# With this in its environment, a trial watches its standard input: when that closes, because the
# process that holds the other end is gone, the trial saves and ends.
PARENT_WATCH = "FACEGAN_LEASH"

# In a trial's environment, as JSON: where this machine has the datasets that `trial.json` names.
DATASETS = "FACEGAN_DATASETS"

GiveUp = Callable[[Path, str], None]


class Watch(Protocol):
    """Is told what happens to trials, each by its folder."""

    def started(self, folder: Path, where: str) -> None:
        """A trial began, or went on, on a core or a node."""

    def ended(self, folder: Path) -> None:
        """A trial has a result."""

    def say(self, message: str) -> None:
        """Something that a person should know."""

    def tick(self) -> None:
        """Some time has passed: a chance to show progress."""
