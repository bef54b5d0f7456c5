"""Trains a recipe once undisturbed and once killed at random moments, each in a process.

Started by test_resume.py. The processes are forks of this one, which has imported everything
and computed nothing, so that a kill costs no start-up. Prints the moments of the kills.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from facegan.apps.train import train
from facegan.recipe import Recipe
from facegan.runs.journal import Journal


def fork(recipe: Recipe, dataset: str, run: Path, line: int = 0, delay: float = 0.0) -> int:
    """Train in a process of its own; returns how it ended.

    With `line`, the system ends it, wherever it is, when it has computed for `delay` seconds since
    that line of its journal: in its own seconds, which a busy machine does not shorten.
    """
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        if line:
            die_after(line, delay)
        status = 0 if train(recipe, dataset, run, device="cpu").finished else 3
    finally:
        os._exit(status)


def die_after(line: int, delay: float) -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends the process at once, as SIGKILL does
    append = Journal.append

    def watched(self: Journal, *arguments: Any, **options: Any) -> None:
        append(self, *arguments, **options)
        if self.path.name == "metrics.jsonl" and self.path.read_bytes().count(b"\n") == line:
            signal.setitimer(signal.ITIMER_PROF, delay)

    Journal.append = watched  # type: ignore[method-assign]


def main(recipe_file: str, dataset: str, folder: str) -> None:
    recipe = Recipe.load(recipe_file)
    dice = random.Random(os.getpid())  # another moment each time: that is the point
    whole, killed = Path(folder) / "whole", Path(folder) / "killed"
    assert fork(recipe, dataset, whole) == 0
    kills = []
    for line in (4, 8, 13):
        delay = dice.uniform(1e-4, 0.03)
        if os.WIFSIGNALED(fork(recipe, dataset, killed, line, delay)):
            kills.append([line, delay])
    assert fork(recipe, dataset, killed) == 0
    print(json.dumps(kills))


if __name__ == "__main__":
    main(*sys.argv[1:])
