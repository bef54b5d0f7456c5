"""`facegan study` as people type it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from facegan.study.folder import StudyFolder

Call = Callable[..., Any]
SMALL = """
name = "small"
seeds = 1
budget = "1280img"
[datasets]
faces = "dataset"
[measure]
extractors = ["efflite0@64"]
n = 50
curve = 0
[methods.gan]
recipe = "gan"
set = [
  "generator.hidden=[12]", "discriminator.hidden=[12]", "generator.latent.size=6",
  "training.batch=8", "training.precision=fp32",
]
[[claims]]
says = "It is no worse than itself with wilder rates."
test = "no_worse(gan, wild)"
[methods.wild]
recipe = "gan"
set = ["training.batch=8", "stages.*.*.lr=1e30"]
"""


@pytest.fixture
def folder(
    tmp_path: Path, make_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Path:
    make_dataset(tmp_path / "dataset", n=132)
    (tmp_path / "small.toml").write_text(SMALL, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_plan_the_shipped_ones_are_listed(call: Call) -> None:
    listed = call("study")
    assert listed.status == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == [
        *("ignm", "ignm-gpu", "quick", "report", "report-gpu")
    ]


def test_a_plan_is_shown_as_it_is_written(call: Call) -> None:
    assert '"better(dcgan, tanh-gan, metric=fd)"' in call("study", "quick", "--show").out


def test_a_dry_run_trains_nothing(call: Call, folder: Path) -> None:
    formatted = call("study", "small.toml", "--dry-run", "--seeds", "4", "--budget", "90s")
    assert formatted.status == 0
    assert "8 trials: 2 methods × 4 seeds × 1 datasets" in formatted.out
    assert not (folder / "studies").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quik"], "mean 'quick'"),
        (["nowhere.toml"], "cannot be read"),
        (["small.toml", "--data", "faces=nothing"], "nothing"),
        (["small.toml", "--data", "face=dataset"], "Its datasets: faces"),
        (["small.toml", "--workers", "1000"], "trials at once"),
        (["small.toml", "--workers", "0"], "--workers"),
        (["small.toml", "--budget", "soon"], "not a budget"),
        (["small.toml", "--seeds", "none"], "--seeds"),
        (["small.toml", "--device", "tpu"], "tpu"),
        (["small.toml", "--report"], "is not a study"),
        (["small.toml", "--out", "small.toml"], "small.toml"),
    ],
)
def test_what_cannot_be_is_said_in_a_line_or_two(
    call: Call, folder: Path, arguments: list[str], said: str
) -> None:
    ended = call("study", *arguments)
    assert ended.status in (1, 2)
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.lines) <= 6


def test_two_schedulers_do_not_share_a_folder(call: Call, folder: Path) -> None:
    (folder / "out").mkdir()
    with FileLock(folder / "out" / ".lock"):
        ended = call("study", "small.toml", "--out", "out")
    assert ended.status == 2
    assert "in use" in ended.err


def test_a_study_that_is_stopped_goes_on(folder: Path, start: Call, wait: Call, call: Call) -> None:
    """Ctrl-C while a trial runs; the same command; the page in the end."""
    process = start("study", "small.toml", "--out", "out", cwd=folder)
    trial = folder / "out" / "trials" / "faces" / "gan" / "seed-0"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (trial / "log.txt").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stopped = wait(process)
    assert stopped.status == 130
    assert "Run the same command again" in stopped.err
    assert not StudyFolder(folder / "out").results().complete
    done = wait(start("study", "small.toml", "--out", "out", cwd=folder))
    assert done.status == 0, done.err
    assert "2 of 2 trials have ended" in done.out
    assert "failed: faces/wild/seed-0" in done.out
    assert "It is no worse than itself" in done.out
    page = (folder / "out" / "report.html").read_bytes()
    again = call("study", "small.toml", "--out", "out", "--report")
    assert "report.html" in again.out
    assert (folder / "out" / "report.html").read_bytes() == page
