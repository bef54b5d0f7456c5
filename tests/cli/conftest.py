"""The command line as a person meets it: called in this process, or started as another."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from typed import Ended, call

HOLDING = Path(__file__).parent / "holding"


def start(
    *arguments: str, cwd: Path, hold: int | None = None, **options: Any
) -> subprocess.Popen[str]:
    """`python -m facegan ARGUMENTS` as a process in a session of its own.

    With `hold`, a run waits after so many lines of its journal until it is let go (`held`).
    """
    options.setdefault("preexec_fn", _hear_ctrl_c)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if hold is not None:
        places = [str(HOLDING), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment |= {"PYTHONPATH": os.pathsep.join(places), "FACEGAN_TEST_HOLD": str(hold)}
    return subprocess.Popen(
        [sys.executable, "-m", "facegan", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        env=environment,
        **options,
    )


def _hear_ctrl_c() -> None:
    """A shell starts what runs in the background deaf to Ctrl-C, and tests may run there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait(process: subprocess.Popen[str], seconds: float = 600.0) -> Ended:
    """How a started process ended; it is killed, and the test fails, if it takes longer."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {seconds} s: {out}{err}") from None
    return Ended(process.returncode, out, err)


@contextlib.contextmanager
def held(process: subprocess.Popen[str], run: Path) -> Iterator[None]:
    """Wait until a process that was started with `hold` waits in this run; let it go at the end."""
    deadline = time.monotonic() + 300  # only so that what never comes is not waited for for ever
    while not (run / "held").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield
    (run / "held").unlink()
    (run / "go").touch()
    # Gone by the time that the run is compared with another.
    process.wait(300)
    (run / "go").unlink()


@pytest.fixture(scope="session", name="held")
def _held_until() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """`with held(process, run): …`: meanwhile the run waits at the line it was told."""
    return held


@pytest.fixture(scope="session", name="call")
def _call() -> Callable[..., Ended]:
    """`call("recipes", "show", "gan")` → Ended, in this process."""
    return call


@pytest.fixture(scope="session", name="start")
def _start() -> Callable[..., subprocess.Popen[str]]:
    """`start("train", …, cwd=folder)` → a running process."""
    return start


@pytest.fixture(scope="session", name="wait")
def _wait() -> Callable[..., Ended]:
    """`wait(process)` → Ended."""
    return wait


@pytest.fixture(scope="session")
def command() -> Callable[..., Ended]:
    """`command("train", …, cwd=folder)` → Ended: a process, waited for."""
    return lambda *arguments, **options: wait(start(*arguments, **options))


def content(folder: Path) -> dict[str, bytes | None]:
    """Every file below `folder` with its bytes, and every folder with None."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="session", name="content")
def _content() -> Callable[[Path], dict[str, bytes | None]]:
    """The function `content`, to compare a folder before and after."""
    return content
