"""Starting one command as several processes that share each batch."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

_GRACE_SECONDS = 30.0


def run_processes(count: int, arguments: Sequence[str]) -> int:
    """Run `facegan ARGUMENTS` `count` times, connected, and wait for all.

    SIGTERM is passed on to all of them (Ctrl-C reaches them by itself). When one fails, the
    others are ended: they would wait for it for ever.

    Returns:
        The first process's exit status, or the first failure's.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    threads = max((os.cpu_count() or 1) // count, 1)
    environment = {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
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


def _wait(running: list[subprocess.Popen[bytes]]) -> int:
    while True:
        statuses = [process.poll() for process in running]
        ended = [status for status in statuses if status is not None]
        failed = [status for status in ended if status != 0]
        if failed:
            for rank, status in enumerate(statuses):
                if status is not None and status < 0:
                    with contextlib.suppress(OSError):
                        print(
                            f"Process {rank + 1} of {len(running)} was ended by "
                            f"{_signal_name(-status)}; the others cannot go on without it.",
                            file=sys.stderr,
                            flush=True,
                        )
            # Those that were asked to stop are saving; those that wait for a dead one never end.
            deadline = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < deadline and any(p.poll() is None for p in running):
                time.sleep(0.1)
            return running[0].poll() or failed[0]
        if len(ended) == len(running):
            return 0
        time.sleep(0.1)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
