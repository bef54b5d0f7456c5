"""Datasets by name: portraits are drawn once, whoever asks and however often."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facegan.apps.datasets import open_dataset

ASK = "from facegan.apps.datasets import open_dataset; print(len(open_dataset('portraits:40@32')))"


def test_several_processes_that_want_the_same_portraits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One draws, the others wait; nothing but the dataset is left in the cache."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=120)[0].strip() for process in asking] == ["40"] * 3
    (dataset,) = tmp_path.iterdir()
    drawn = (dataset / "images.npy").stat().st_mtime_ns
    assert len(open_dataset("portraits:40@32")) == 40
    assert (dataset / "images.npy").stat().st_mtime_ns == drawn
