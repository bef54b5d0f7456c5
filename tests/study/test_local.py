"""Trials as processes of this machine: all end, failures are told, nothing is left running."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from facegan.errors import DeviceError, TrainingError
from facegan.memory import usable_cores
from facegan.study.execution import ATTEMPTS, ENVIRONMENT
from facegan.study.execution.local import run, slots

# Does what `todo` in the trial's folder says, one line for each life.
WORKER = """
import os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
lives = folder / "lives"
life = int(lives.read_text()) if lives.exists() else 0
lives.write_text(str(life + 1))
todo = (folder / "todo").read_text().split()
what = todo[min(life, len(todo) - 1)]
print("about to", what, flush=True)
if what == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
if what == "abort":
    os.abort()
if what == "full":
    sys.exit(int(os.environ["FULL"]))
if what == "wait":
    def end(number, frame):
        (folder / "saved").touch()
        sys.exit(143)
    signal.signal(signal.SIGTERM, end)
    (folder / "waits").touch()
    while os.read(0, 1):
        pass
    end(0, None)
(folder / "result.json").write_text(os.environ["OMP_NUM_THREADS"])
"""


class Seen:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.running = self.most = 0

    def started(self, folder: Path, where: str) -> None:
        self.events.append(f"started {folder.name}")
        self.running += 1
        self.most = max(self.most, self.running)

    def ended(self, folder: Path) -> None:
        self.events.append(f"ended {folder.name}")
        self.running -= 1

    def say(self, message: str) -> None:
        self.events.append(message)

    def tick(self) -> None:
        pass


@pytest.fixture
def worker(tmp_path: Path) -> list[str]:
    script = tmp_path / "worker.py"
    script.write_text(WORKER, "utf-8")
    return [sys.executable, str(script)]


def trials(tmp_path: Path, **todo: str) -> list[Path]:
    folders = []
    for name, lives in todo.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "todo").write_text(lives)
        folders.append(folder)
    return folders


def give_up(folder: Path, why: str) -> None:
    (folder / "result.json").write_text(why)


def test_cores_are_divided() -> None:
    cores = usable_cores()
    for workers in range(1, len(cores) + 1):
        found = slots(workers)
        used = [core for slot in found for core in slot.cores]
        assert len(found) == workers
        assert len(used) == len(set(used)) == len(cores) // workers * workers
        assert {slot.environment["OMP_NUM_THREADS"] for slot in found} == {
            str(len(cores) // workers)
        }
    for impossible in (0, len(cores) + 1):
        with pytest.raises(DeviceError, match="trials at once"):
            slots(impossible)


def test_gpus_are_dealt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegan.study.execution.local.usable_cores", lambda: [0, 1, 2, 3])
    visible = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots(3, ("4", "6"))]
    assert visible == ["4", "6", "4"]


def test_all_end_and_no_more_run_than_there_are_slots(tmp_path: Path, worker: list[str]) -> None:
    folders = trials(tmp_path, a="end", b="end", c="end", d="end")
    seen = Seen()
    where = slots(min(2, len(usable_cores())))
    run(folders, where, seen, give_up, worker)
    assert all((folder / "result.json").exists() for folder in folders)
    assert seen.most <= len(where)
    starts = [event for event in seen.events if event.startswith("started")]
    assert starts == ["started a", "started b", "started c", "started d"]


def test_a_trial_has_the_threads_that_were_settled_whatever_part_of_the_machine_it_gets(
    tmp_path: Path, worker: list[str]
) -> None:
    """NumPy rounds with other threads in another order, and reads their number when it starts."""
    folders = trials(tmp_path, a="end", b="end")
    (folders[0] / "trial.json").write_text('{"threads": 7}')
    (folders[1] / "trial.json").write_text('{"threads": "many"}')
    run(folders, slots(1), Seen(), give_up, worker)
    found = [(folder / "result.json").read_text() for folder in folders]
    assert found == ["7", str(len(usable_cores()))]


def test_a_crash_is_tried_again(tmp_path: Path, worker: list[str]) -> None:
    (folder,) = trials(tmp_path, a="crash crash end")
    seen = Seen()
    run([folder], slots(1), seen, give_up, worker)
    assert (folder / "lives").read_text() == "3"
    assert (folder / "result.json").read_text() == str(len(usable_cores()))
    assert sum("SIGKILL" in event and "about to crash" in event for event in seen.events) == 2


def test_one_that_always_crashes_is_given_up_and_holds_up_nobody(
    tmp_path: Path, worker: list[str]
) -> None:
    bad, good = trials(tmp_path, bad="abort", good="end")
    run([bad, good], slots(1), Seen(), give_up, worker)
    assert (bad / "lives").read_text() == str(ATTEMPTS)
    assert "SIGABRT" in (bad / "result.json").read_text()
    assert (good / "result.json").exists()


def test_one_that_is_always_killed_is_nobodys_failure_and_holds_up_nobody(
    tmp_path: Path, worker: list[str]
) -> None:
    """Memory that a neighbour took says nothing of a method."""
    bad, good = trials(tmp_path, bad="crash", good="end")
    with pytest.raises(TrainingError, match="memory"):
        run([bad, good], slots(1), Seen(), give_up, worker)
    assert (bad / "lives").read_text() == str(ATTEMPTS)
    assert not (bad / "result.json").exists()
    assert (good / "result.json").exists()


def test_a_full_disk_is_no_failure_of_the_method(
    tmp_path: Path, worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULL", str(ENVIRONMENT))
    full, after = trials(tmp_path, full="full", after="end")
    with pytest.raises(TrainingError, match="about to full"):
        run([full, after], slots(1), Seen(), give_up, worker)
    assert not (full / "result.json").exists()
    assert not (after / "result.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_lets_trials_save(
    tmp_path: Path, worker: list[str], number: signal.Signals
) -> None:
    # Where tests run in the background, a shell has made them deaf to Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    folders = trials(tmp_path, a="wait end")
    stop = threading.Thread(target=_signal_when_all_wait, args=(folders, number))
    stop.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(folders, slots(1), Seen(), give_up, worker)
    finally:
        signal.signal(signal.SIGINT, before)
    stop.join()
    assert (folders[0] / "saved").exists()
    assert not (folders[0] / "result.json").exists()
    run(folders, slots(1), Seen(), give_up, worker)
    assert (folders[0] / "result.json").exists()


def _signal_when_all_wait(folders: Sequence[Path], number: signal.Signals) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not all((f / "waits").exists() for f in folders):
        time.sleep(0.05)
    os.kill(os.getpid(), number)


def test_trials_do_not_outlive_a_study_that_is_killed(tmp_path: Path, worker: list[str]) -> None:
    (folder,) = trials(tmp_path, a="wait")
    pid = os.fork()
    if pid == 0:
        run([folder], slots(1), Seen(), give_up, worker)
        os._exit(0)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not (folder / "waits").exists():
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while time.monotonic() < deadline and not (folder / "saved").exists():
        time.sleep(0.05)
    assert (folder / "saved").exists()
