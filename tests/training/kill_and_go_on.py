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
import time
from pathlib import Path

from facegan.apps.train import train
from facegan.recipe import Recipe


def fork(recipe: Recipe, dataset: str, run: Path) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if train(recipe, dataset, run, device="cpu").finished else 3
        finally:
            os._exit(status)
    return pid


def journal_length(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def main(recipe_file: str, dataset: str, folder: str) -> None:
    recipe = Recipe.load(recipe_file)
    dice = random.Random(os.getpid())  # another moment each time: that is the point
    whole, killed = Path(folder) / "whole", Path(folder) / "killed"
    assert os.waitpid(fork(recipe, dataset, whole), 0)[1] == 0
    kills = []
    for part in (4, 8, 13):
        pid = fork(recipe, dataset, killed)
        while journal_length(killed) < part and os.waitpid(pid, os.WNOHANG)[0] == 0:
            time.sleep(0.001)
        delay = dice.uniform(0.0, 0.03)
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            kills.append([journal_length(killed), delay])
    assert os.waitpid(fork(recipe, dataset, killed), 0)[1] == 0
    print(json.dumps(kills))


if __name__ == "__main__":
    main(*sys.argv[1:])
