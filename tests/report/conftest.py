"""Runs for the tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.apps.train import train
from facegan.recipe import Recipe


@pytest.fixture(scope="session")
def finished(
    tiny: Callable[..., Recipe],
    dataset_path: Path,
    watcher: type,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run that reached its end, 192 images; without what training probes, which tests add.

    Do not write into it.
    """
    path = tmp_path_factory.mktemp("runs") / "a run"
    train(tiny("dcgan-staged"), dataset_path, path, reporter=watcher())
    journal = path / "metrics.jsonl"
    lines = journal.read_text("utf-8").splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"probe/' not in line), "utf-8")
    return path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run."""
    return Path(shutil.copytree(finished, tmp_path / finished.name))
