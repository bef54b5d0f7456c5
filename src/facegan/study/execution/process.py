"""The process that performs a trial, wherever it runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from facegan.errors import RunError, TrainingError, storage
from facegan.files import read_json
from facegan.study.execution import ATTEMPTS, PARENT_WATCH, GiveUp, Watch

# How long a trial that is asked to stop may take: a step and a checkpoint of a large network, on
# a busy machine.
GRACE = 120.0  # seconds
# Read by PyTorch and by NumPy, when they are imported.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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
    settled = dict.fromkeys(_THREADS, str(n)) if (n := _threads(folder)) else {}
    with storage(folder), (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, **settled, PARENT_WATCH: "1"},
            start_new_session=True,
        )


def _threads(folder: Path) -> int | None:
    """With how many threads a trial computes, whatever the part of the machine that it got.

    With another number, sums are rounded in another order, those of NumPy too: scores of a trial
    that is done again would differ in their last digits.
    """
    try:
        found = read_json(folder / "trial.json", "A trial").get("threads")
    except RunError:
        return None  # the trial itself says what is wrong with it
    return found if type(found) is int and 1 <= found <= 1024 else None


def last_words(folder: Path) -> str:
    """The last line that a trial printed."""
    try:
        lines = (folder / "log.txt").read_text("utf-8", errors="replace").split("\n")
    except OSError:
        return "it left no log."
    spoken = [line.strip() for line in lines if line.strip()]
    return spoken[-1][-500:] if spoken else "it printed nothing."


def blocked(folder: Path, reason: str, where: str = "") -> TrainingError:
    """What to raise where a trial lacks something that is not its own fault."""
    return TrainingError(
        f"{f'On {where}, the' if where else 'The'} trial {folder} could not go on: {reason}",
        "Mend that, and run the same command again: nothing is lost.",
    )


class Attempts:
    """Counts how often the process of each trial ended without saying how.

    Args:
        watch: told what happens.
        give_up: called with a trial that used up its attempts, and why; writes its result.
    """

    def __init__(self, watch: Watch, give_up: GiveUp) -> None:
        self._watch, self._give_up = watch, give_up
        self._failed: dict[Path, int] = {}
        self.killed: list[Path] = []

    def failed(self, folder: Path, where: str, reason: str, killed: bool = False) -> bool:
        """Count one more. Returns whether to begin the trial again; otherwise it is given up.

        One that was killed is not: a system out of memory kills whomever, and that says nothing of
        the method. It is left without a result, in `killed`.
        """
        self._failed[folder] = self._failed.get(folder, 0) + 1
        if self._failed[folder] < ATTEMPTS:
            self.again(folder, where + reason)
            return True
        if killed:
            self.killed.append(folder)
            self._watch.say(f"{folder}: {where}{reason}. It is left without a result.")
            return False
        self._give_up(folder, f"{ATTEMPTS} times, {reason}")
        if not (folder / "result.json").exists():
            raise TrainingError(f"{folder} could not be given up.")
        self._watch.ended(folder)
        return False

    def require_none_killed(self) -> None:
        """Say of trials that were killed again and again that they have no result.

        Raises:
            TrainingError: there are some.
        """
        if self.killed:
            raise TrainingError(
                f"{len(self.killed)} trial(s) were killed {ATTEMPTS} times and have no result, "
                f"perhaps for want of memory: {self.killed[0]}.",
                "That is no failure of a method. Free memory, or run fewer trials at once, and run "
                "the same command again: they go on from their last checkpoints.",
            )

    def again(self, folder: Path, reason: str) -> None:
        """Say that a trial begins again, and from where."""
        self._watch.say(f"{folder}: {reason}. It starts again from {reached(folder)}.")


def progress(trial: Path) -> tuple[bool, float, float]:
    """How far a trial is: whether it has ended, kimg of the run, kimg of the pretraining."""

    def kimg(part: str) -> float:
        names = [path.name for path in (trial / part / "checkpoints").glob("[0-9]*k")]
        return max((float(name[:-1]) for name in names), default=0.0)

    return (trial / "result.json").exists(), kimg("run"), kimg("pretraining")


def reached(trial: Path) -> str:
    """The newest checkpoint of a trial, in words."""
    _, run, pretraining = progress(trial)
    if run or pretraining:
        return f"{run:g} kimg" if run else f"{pretraining:g} kimg of the pretraining"
    return "the beginning"
