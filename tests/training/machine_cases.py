"""What tests/training/test_machines.py lets processes do, started once for each of them.

python machine_cases.py late RECIPE DATASET RUN        SIGTERM comes when training has ended
python machine_cases.py count RECIPE DATASET RUN OUT   exchanges between processes, counted
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch.distributed as dist

from facegan.apps.train import train
from facegan.cli import main
from facegan.recipe import Recipe
from facegan.startup import leave
from facegan.training.loop import Loop


def lose(rank: str, *words: str) -> None:
    """Be killed in the middle of the run, with a checkpoint behind."""
    steps = Loop.steps

    def killed(self: Loop) -> Any:
        ask, seen = self.stop, self.trainer.state

        def stop() -> bool:
            mine = str(self.trainer.execution.rank) == rank
            if mine and seen.images_seen > self.trainer.total / 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return ask()

        self.stop = stop  # type: ignore[method-assign]
        return steps(self)

    Loop.steps = killed  # type: ignore[method-assign]
    sys.argv = ["facegan", *words]
    main()


def late(recipe: str, dataset: str, run: str) -> None:
    """The second process learns from the first that it must stop, and is told after that."""
    steps, barrier = Loop.steps, dist.barrier

    def stopped(self: Loop) -> Any:
        self.stop = lambda: self.trainer.execution.main  # type: ignore[method-assign]
        return steps(self)

    def formatted(*values: Any, **options: Any) -> Any:
        """As the processes take leave of each other."""
        if os.environ["RANK"] == "1":
            signal.raise_signal(signal.SIGTERM)
        return barrier(*values, **options)

    Loop.steps = stopped  # type: ignore[method-assign]
    dist.barrier = formatted
    assert not train(Recipe.load(recipe), dataset, run, device="cpu").finished


def count(recipe: str, dataset: str, run: str, out: str) -> None:
    """Count what the processes exchange in runs of two lengths."""
    exchanges: list[str] = []

    def counted(name: str) -> None:
        original = getattr(dist, name)

        def call(*values: Any, **options: Any) -> Any:
            exchanges.append(name)
            return original(*values, **options)

        setattr(dist, name, call)

    for name in ("all_reduce", "broadcast", "barrier", "all_gather", "reduce", "gather"):
        counted(name)
    found = []
    meeting = os.environ["FACEGAN_MEETING"]
    for steps in (3, 8):
        os.environ["FACEGAN_MEETING"] = f"{meeting}-{steps}"  # of each group of processes
        begun = len(exchanges)
        wanted = Recipe.load(recipe)
        budget = f"{steps * wanted.training.batch}img"
        train(wanted, dataset, f"{run}-{steps}", budget=budget, device="cpu")
        found.append(len(exchanges) - begun)
    if os.environ["RANK"] == "0":
        Path(out).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    {"lose": lose, "late": late, "count": count}[sys.argv[1]](*sys.argv[2:])
    leave(0)  # as facegan's own processes do
