"""What is said of a running study: a line for each trial that begins or ends."""

from __future__ import annotations

import sys
from pathlib import Path

from facegan.errors import one_line, printable
from facegan.study.folder import StudyFolder
from facegan.study.plan import Plan
from facegan.study.results import TrialResult
from facegan.study.trial import TrialFolder


class LineWatch:
    """One line for each thing that happens.

    Args:
        folder: of the study.
        plan: of the study, which the folder may not have yet.
    """

    def __init__(self, folder: StudyFolder, plan: Plan) -> None:
        self._folder = folder

    def __enter__(self) -> LineWatch:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def started(self, folder: Path, where: str) -> None:
        """Say where it runs."""
        self.say(f"{self._name(folder)} on {where}")

    def ended(self, folder: Path) -> None:
        """Say how it ended, and how many trials have."""
        result = TrialFolder(folder).result()
        results = self._folder.results()
        how = "has no readable result" if result is None else outcome(result)
        if folder.is_relative_to(self._folder.tuning):
            search = results.tuned.values()
            ended = sum(found.ended for found in search)
            count = f"{ended} of {sum(len(found.trials) for found in search)} trials of the search"
        else:
            count = f"{len(results.results)} of {len(results.keys)} trials"
        self.say(f"{self._name(folder)}: {how}   [{count}]")

    def say(self, message: str) -> None:
        """Print."""
        print(printable(message), file=sys.stderr, flush=True)

    def tick(self) -> None:
        """Nothing."""

    def _name(self, folder: Path) -> str:
        """`faces/dcgan/seed-0`; of the search before the comparison, with `tuning/` before it."""
        name = folder.relative_to(self._folder.path).as_posix()
        return name.removeprefix(f"{self._folder.trials.name}/")


def outcome(result: TrialResult) -> str:
    """`FD 32.1 after 60 kimg` or `failed: …`."""
    if result.status == "failed":
        return f"failed: {one_line(result.error)}"
    fd = result.score("fd")
    return f"FD {fd:.1f} after {result.images / 1000:g} kimg" if fd is not None else "finished"
