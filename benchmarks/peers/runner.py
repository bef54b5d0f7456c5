"""One measurement in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from peers.machine import Neighbours
from peers.protocol import last_error
from peers.roster import TASKS, Peer

_BENCHMARKS = Path(__file__).parents[1]
_ERROR_LENGTH = 240


def measure(
    peer: Peer,
    python: Path,
    task: str,
    places: dict[str, Path],
    settings: dict[str, int],
    timeout: float,
) -> dict[str, Any]:
    """Run a worker and return its answer, or what it died of.

    Args:
        peer: whose worker.
        python: of its environment.
        task: one of `TASKS`.
        places: `images`, `dataset`, and maybe `archive`.
        settings: `threads`, `width`, `pictures`, and maybe `steps`, which replaces the task's.
        timeout: seconds after which the worker is stopped.

    Returns:
        `peer`, `task`, `others` (processors that others used meanwhile), and either what
        `protocol.serve` prints or `error`.
    """
    asked = {"steps": TASKS[task].steps, "warmup": TASKS[task].warmup} | settings
    neighbours = Neighbours()
    with tempfile.TemporaryDirectory(prefix="compare-") as scratch:
        # The paths are made whole here, but the executable is not resolved: a virtual
        # environment's Python is a link, and what it links to has none of its packages.
        command = [str(python.absolute()), str(peer.worker), task, "--scratch", scratch]
        for name, value in {**places, **asked}.items():
            command += [f"--{name}", str(value)]
        command += ["--package", peer.package, "--began", repr(time.time())]
        command += ["--bridge"] * peer.bridge
        answer = _answer(command, int(asked["threads"]), scratch, timeout)
    if "error" in answer:
        answer["error"] = _shortened(answer["error"], [scratch, str(python.parents[1])])
    return {"peer": peer.name, "task": task, "others": neighbours.cores(), **answer}


def _answer(command: list[str], threads: int, scratch: str, timeout: float) -> dict[str, Any]:
    environment = os.environ | {
        "PYTHONPATH": str(_BENCHMARKS),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "MPLBACKEND": "Agg",
    }
    worker = subprocess.Popen(
        command,
        cwd=scratch,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, errors = worker.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"error": f"not finished after {timeout:g} s"}
    finally:
        if worker.poll() is None:  # too slow, or Ctrl-C: with all that it has started
            os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate()
    if worker.returncode == 0:
        try:
            return json.loads(printed.strip().splitlines()[-1])
        except (ValueError, IndexError):
            return {"error": "its last line is no JSON"}
    if worker.returncode < 0:
        return {"error": f"ended by {signal.Signals(-worker.returncode).name}"}
    return {"error": last_error(errors) or f"exit status {worker.returncode}"}


def _shortened(message: str, private: list[str]) -> str:
    """An error without this machine's paths, and not too long for a table."""
    for path in private:
        message = message.replace(path, "…")
    return message if len(message) <= _ERROR_LENGTH else message[: _ERROR_LENGTH - 1] + "…"
