"""Trials performed in the test's own process, where the process is no part of what is tested."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from facegan.errors import FaceganError
from facegan.study.execution import ENVIRONMENT
from facegan.study.worker import perform
from tiny import find_no_faces


class Performed:
    """What is left of a trial's process that has ended."""

    pid = 2**30  # no process has it, so nothing is bound to cores
    stdin = None

    def __init__(self, status: int) -> None:
        self.returncode = status

    def poll(self) -> int:
        """The status, at once."""
        return self.returncode


def perform_here(folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> Performed:
    """In the place of `watched_by_parent`: the trial has ended when this returns."""
    with (
        (folder / "log.txt").open("a", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
        patch.dict(os.environ, environment),
        patch("torch.set_num_threads"),  # those of this process stay as they are
    ):
        try:
            perform(folder)
        except FaceganError:
            traceback.print_exc()
            return Performed(ENVIRONMENT)
    return Performed(0)


def trials_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let studies on this machine perform their trials so, on drawn blobs."""
    monkeypatch.setattr("facegan.study.execution.local.watched_by_parent", perform_here)
    # Here, because a fixture of a module runs before those of its tests.
    find_no_faces(monkeypatch)
