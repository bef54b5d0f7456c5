"""What watches a run, and what it needs, are asked for before it: neither ends it half-way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegan.apps.train import train
from facegan.recipe import Recipe


@pytest.mark.parametrize("method", ["begin", "step", "tick", "say", "end"])
def test_a_reporter_that_cannot_speak_ends_no_run(
    tiny: Callable[..., Recipe], watcher: Any, dataset_path: Path, tmp_path: Path, method: str
) -> None:
    class Broken(watcher):  # type: ignore[misc]
        """A pipe whose other end was closed."""

    calls = []

    def broken(self: Any, *arguments: Any) -> None:
        calls.append(method)
        raise BrokenPipeError(32, "Broken pipe")

    setattr(Broken, method, broken)
    outcome = train(tiny("gan", "training.budget=16img"), dataset_path, tmp_path, reporter=Broken())
    assert outcome.finished
    # Not even asked again.
    assert len(calls) <= 1
