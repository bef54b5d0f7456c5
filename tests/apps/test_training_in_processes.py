"""`train(…, processes=2)` from Python: watched, stopped and failing as in one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.apps import processes
from facegan.apps.train import train
from facegan.errors import DataError, DeviceError, RunError, TrainingError
from facegan.runs.checkpoint import latest
from facegan.runs.directory import RunDirectory
from facegan.training.reporter import Reporter

Make = Callable[..., Any]
TWO = {"processes": 2, "threads": 1, "device": "cpu", "loggers": ()}


class Recorder(Reporter):
    """Keeps the events, asks to stop after so many images, and acts at each step."""

    def __init__(self, stop_at: int | None = None, act: Callable[[], None] = lambda: None) -> None:
        self.events: list[tuple[Any, ...]] = []
        self._stop_at, self._act, self._seen = stop_at, act, 0

    def begin(self, *about: Any) -> None:
        self.events.append(("begin", *about))

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        self._seen = images_seen
        self.events.append(("step", images_seen, values))
        self._act()

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        self.events.append(("tick", line["images_seen"], line))

    def measured(self, images_seen: int, values: dict[str, float]) -> None:
        self.events.append(("measured", images_seen, values))

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        self.events.append(("samples", images_seen, grid))

    def say(self, message: str) -> None:
        self.events.append(("say", message))

    def end(self) -> None:
        self.events.append(("end",))

    def should_stop(self) -> bool:
        return self._stop_at is not None and self._seen >= self._stop_at

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == kind]


def test_two_processes_are_watched_as_one_is(
    tiny: Make, dataset_path: Path, tmp_path: Path
) -> None:
    recipe, one, two = tiny("gan"), Recorder(), Recorder()
    train(recipe, dataset_path, tmp_path / "one", reporter=one, loggers=())
    outcome = train(recipe, dataset_path, tmp_path / "two", reporter=two, **TWO)
    assert (outcome.run, outcome.finished) == (tmp_path / "two", True)
    assert (outcome.images_seen, outcome.total, outcome.stopped_by) == (192, 192, None)
    assert [event[0] for event in two.events] == [event[0] for event in one.events]
    (begun,) = two.of("begin")
    assert begun[0] == recipe
    assert begun[1].path == tmp_path / "two"
    assert begun[2:4] == (192, 0)
    assert (begun[4].world, begun[4].main, begun[4].device.type) == (2, True, "cpu")
    for kind in ("step", "tick", "measured"):
        assert [event[0] for event in two.of(kind)] == [event[0] for event in one.of(kind)]
        for (_, found), (_, expected) in zip(two.of(kind), one.of(kind), strict=True):
            assert found.keys() == expected.keys()
    for (_, found), (_, expected) in zip(two.of("samples"), one.of("samples"), strict=True):
        assert found.dtype == np.uint8
        assert found.shape == expected.shape
    lines = map(json.loads, (tmp_path / "two/metrics.jsonl").read_text().splitlines())
    assert [line for line in lines if "stage" in line] == [line for _, line in two.of("tick")]


@pytest.mark.parametrize("exchange", [0, 3])
def test_a_reporter_stops_them_and_the_same_call_goes_on(
    tiny: Make, bytes_of: Make, dataset_path: Path, tmp_path: Path, exchange: int
) -> None:
    recipe, run = tiny("gan", f"training.exchange={exchange}"), tmp_path / "run"
    recipe = recipe.with_budget("960img")
    part = train(recipe, dataset_path, run, reporter=Recorder(80), **TWO)
    assert not part.finished
    assert part.stopped_by is None
    assert 80 <= part.images_seen < 960
    kept = latest(run / "checkpoints")
    assert kept is not None
    assert kept.images_seen == part.images_seen
    assert train(recipe, dataset_path, run, reporter=Recorder(), **TWO).finished
    train(recipe, dataset_path, tmp_path / "whole", reporter=Recorder(), **TWO)
    files, whole = bytes_of(run), bytes_of(tmp_path / "whole")
    # Where it stops depends on when the other process hears of it; the order in which a line of the
    # journal names its values may, too.
    journals = [files.pop("metrics.jsonl").splitlines(), whole.pop("metrics.jsonl").splitlines()]
    assert [json.loads(line) for line in journals[0]] == [json.loads(line) for line in journals[1]]
    assert files == whole


def test_what_the_main_one_raises_is_raised_here(
    tiny: Make, dataset_path: Path, tmp_path: Path
) -> None:
    with pytest.raises(DeviceError, match="2 processes") as caught:
        train(tiny("gan", "training.batch=7"), dataset_path, tmp_path / "run", **TWO)
    assert "multiple" in caught.value.hint
    # What only the processes themselves find.
    with pytest.raises(DataError, match="nowhere"):
        train(tiny("gan"), tmp_path / "nowhere", tmp_path / "run", **TWO)
    with pytest.raises(DeviceError, match="0 processes"):
        train(tiny("gan"), dataset_path, tmp_path / "run", processes=0)
    with pytest.raises(RunError, match="no logger"):
        train(tiny("gan"), dataset_path, tmp_path / "run", **{**TWO, "loggers": ["none such"]})
    assert not (tmp_path / "run").exists()


def children() -> list[int]:
    """The processes that this one started, in their order."""
    here = Path(f"/proc/{os.getpid()}/task")
    found = {int(pid) for task in here.iterdir() for pid in (task / "children").read_text().split()}
    running = [pid for pid in found if b"facegan.apps.processes" in command_of(pid)]
    return sorted(running)


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@linux
def test_when_one_dies_the_others_end_and_it_is_said(
    tiny: Make, dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 0.0)
    recipe = tiny("gan").with_budget("100kimg")
    killed: list[int] = []

    def kill_the_second() -> None:
        if not killed:
            killed.append(children()[1])
            os.kill(killed[0], signal.SIGKILL)

    reporter = Recorder(act=kill_the_second)
    with pytest.raises(TrainingError, match="SIGKILL"):
        train(recipe, dataset_path, tmp_path / "run", reporter=reporter, **TWO)
    assert reporter.events[-1] == ("end",)
    assert children() == []


@linux
def test_they_save_and_leave_when_who_started_them_is_killed(
    tiny: Make, dataset_path: Path, tmp_path: Path
) -> None:
    """From a script without a main guard."""
    recipe, run = tiny("gan").with_budget("100kimg"), tmp_path / "run"
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    (tmp_path / "script.py").write_text(
        "import sys, facegan\n"
        "facegan.train(sys.argv[1], sys.argv[2], sys.argv[3], processes=2, threads=1)\n"
    )
    words = [tmp_path / "script.py", tmp_path / "recipe.toml", dataset_path, run]
    script = subprocess.Popen([sys.executable, *map(str, words)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    journal = run / "metrics.jsonl"
    while not journal.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert journal.exists()
    script.kill()
    script.wait()
    while time.monotonic() < deadline:
        try:
            with RunDirectory(run).locked():
                break
        except RunError:
            time.sleep(0.05)
    else:
        raise AssertionError("the processes still hold the run")
    kept = latest(run / "checkpoints")
    assert kept is not None
    assert 0 < kept.images_seen < 100_000
    assert kept.images_seen % 33_334 > 64  # at no snapshot: because they were asked to
