"""Locks end with their holders, whatever ended them, and whatever the file system can do."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan import locks
from facegan.locks import HeldError, Lock

fcntl = pytest.importorskip("fcntl")

HOLD = """
import fcntl, sys, time
from pathlib import Path
if sys.argv[2] == "marker":
    def none(*_):
        raise OSError(38, "Function not implemented")
    fcntl.flock = none
from facegan.locks import Lock
Lock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["flock", "marker"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the file system locks."""
    if request.param == "marker":

        def none(*_: object) -> None:
            raise OSError(errno.ENOSYS, "Function not implemented")

        monkeypatch.setattr(fcntl, "flock", none)
    return str(request.param)


@pytest.fixture
def holder(kind: str, tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Starts another process that holds the lock."""

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path / ".lock"), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    return start


def test_one_at_a_time(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with Lock(path), pytest.raises(HeldError, match=str(os.getpid())):
        Lock(path).acquire()
    with Lock(path):
        pass
    assert (path.exists(), path.with_name(".lock.holder").exists()) == (True, False)


def test_a_holder_that_lives_is_named(
    holder: Callable[[], subprocess.Popen[str]], kind: str, tmp_path: Path
) -> None:
    process = holder()
    with pytest.raises(HeldError) as found:
        Lock(tmp_path / ".lock").acquire()
    assert str(process.pid) in found.value.holder
    if kind == "marker":
        assert str(tmp_path / ".lock.holder") in found.value.holder
    process.kill()
    process.communicate()


def test_a_holder_that_was_killed_holds_nothing(
    holder: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = holder()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Lock(tmp_path / ".lock"):
        pass


@pytest.mark.parametrize("content", ["", "\0" * 40, "a b c d", "elsewhere 1 2\n"])
def test_a_marker_that_is_not_of_a_dead_process_here_is_respected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    monkeypatch.setattr(locks, "_flock", lambda descriptor: None)
    marker = tmp_path / ".lock.holder"
    marker.write_text(content)
    with pytest.raises(HeldError, match="delete"):
        Lock(tmp_path / ".lock").acquire()
    marker.unlink()
    with Lock(tmp_path / ".lock"):
        pass


def test_the_empty_file_of_an_earlier_lock_is_no_holder(kind: str, tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    with Lock(tmp_path / ".lock"):
        pass


def test_a_number_that_came_again_is_another_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(locks, "_flock", lambda descriptor: None)
    host, process, begun = locks._me().split()
    if begun == "?":
        pytest.skip("the system does not say when a process began")
    (tmp_path / ".lock.holder").write_text(f"{host} {process} {int(begun) - 1}\n")
    with Lock(tmp_path / ".lock"):
        pass


def test_a_lock_whose_file_was_removed_meanwhile_is_no_lock(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    first = Lock(path)
    first.acquire()
    first.release(remove=True)
    assert not path.exists()
    with Lock(path):
        assert path.exists()
        with pytest.raises(HeldError):
            Lock(path).acquire()
