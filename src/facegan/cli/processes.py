"""Starting one command as several processes that share each batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

_GRACE_SECONDS = 30.0


def run_processes(count: int, arguments: Sequence[str]) -> int:
    """Run `facegan ARGUMENTS` `count` times, connected, and wait for all.

    SIGTERM is passed on to all of them (Ctrl-C reaches them by itself). When one fails, the
    others are ended: they would wait for it for ever.

    Returns:
        The first process's exit status, or the first failure's.
    """
    threads = max((os.cpu_count() or 1) // count, 1)
    # They meet in a file: a port that is free now may be another's when they look for it.
    folder = tempfile.TemporaryDirectory(prefix="facegan-")
    environment = {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        "FACEGAN_MEETING": (Path(folder.name) / "meeting").as_uri(),
        "WORLD_SIZE": str(count),
    }
    command = [sys.executable, "-m", "facegan", *arguments]
    running = [
        subprocess.Popen(command, env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(count)
    ]

    def pass_on(number: int, frame: object) -> None:
        for process in running:
            process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return _wait(running)
    finally:
        for process in running:
            process.kill()
        folder.cleanup()


def _wait(running: list[subprocess.Popen[bytes]]) -> int:
    while True:
        statuses = [process.poll() for process in running]
        ended = [status for status in statuses if status is not None]
        failed = [status for status in ended if status != 0]
        if failed:
            # Those that were asked to stop are saving; those that wait for a dead one never end.
            deadline = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < deadline and any(p.poll() is None for p in running):
                time.sleep(0.1)
            for rank, status in enumerate(statuses):
                if status is not None and status < 0:
                    name = signal.Signals(-status).name
                    print(
                        f"error: Process {rank} of {len(running)} was ended by {name}. The run "
                        "goes on from its last checkpoint with the same command.",
                        file=sys.stderr,
                    )
                    return 1
            return running[0].poll() or failed[0]
        if len(ended) == len(running):
            return 0
        time.sleep(0.1)
