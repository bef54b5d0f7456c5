"""What others wrote (a dataset's name, a recipe's) is told without what a terminal would obey."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.cli.terminal.scores import print_evaluation
from facegan.cli.terminal.study import TableWatch
from facegan.cli.terminal.train import LiveReporter
from facegan.evaluation.results import Evaluation
from facegan.study.folder import StudyFolder
from facegan.study.plan import Plan
from facegan.study.progress import LineWatch
from facegan.training.reporter import LineReporter

HOSTILE = "a\x1b[2Jb\x9b2Jc\u202ed[/bold]"
EVALUATION = Evaluation(
    source=HOSTILE,
    dataset=HOSTILE,
    dataset_fingerprint="0",
    reference="train",
    n_real=100,
    n_fake=100,
    seed=0,
    resolution=32,
    features=(),
)


@pytest.mark.parametrize(
    "speak",
    [
        lambda folder: LineReporter().say(HOSTILE),
        lambda folder: LiveReporter().say(HOSTILE),
        lambda folder: LineWatch(folder, folder.plan()).say(HOSTILE),
        lambda folder: TableWatch(folder, folder.plan()).say(HOSTILE),
        lambda folder: print_evaluation(EVALUATION),
    ],
    ids=["lines of a run", "a run on a terminal", "lines of a study", "a study", "scores"],
)
def test_what_others_wrote_reaches_no_terminal_as_it_is(
    speak: Callable[[StudyFolder], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StudyFolder(tmp_path)
    folder.plan_file.write_text(Plan.load("quick").to_toml())
    speak(folder)
    said = "".join(capsys.readouterr())
    assert "a [2Jb 2Jc d[/bold]" in " ".join(said.split())
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)
