"""Signals that ask a run to finish its step, save and leave: Ctrl-C, SIGTERM, a lost terminal."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

# A terminal that closes sends SIGHUP; clusters send SIGUSR1 some time before they kill.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
# Seconds in which further Ctrl-Cs are impatience: the step is about to end.
_PATIENCE = 3.0


class StopRequest:
    """Whether somebody asked the run to stop, and how.

    Attributes:
        signal: the name of the signal; None where there was none.
        ready: whether a signal is a request. Before that, signals do what they always do.
    """

    def __init__(self, ready: bool = True) -> None:
        self.signal: str | None = None
        self.ready = ready

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None


@contextlib.contextmanager
def stop_on_signals(ready: bool = True) -> Iterator[StopRequest]:
    """Catch Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 inside the block.

    The first only sets the request. A later Ctrl-C is an ordinary KeyboardInterrupt, for a step
    that never ends; right after another Ctrl-C it is impatience, and changes nothing. What
    is ignored (as SIGHUP under nohup) stays ignored. Outside the main thread nothing is caught:
    signals go elsewhere.

    Of several processes, each is told by its launcher, one after the other, and one that learned
    from the others that it must stop may be told when it has. So the block goes on until it has
    left the others: to end it sooner would make the late signal kill it, and break the others'
    last exchange.

    Args:
        ready: whether signals are requests from the start; otherwise from when `ready` is set.
    """
    request = StopRequest(ready)
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    asked = -math.inf

    def caught(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not request.ready:
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)
            elif handler == signal.SIG_DFL:
                signal.signal(number, handler)
                signal.raise_signal(number)
            return
        if request.signal is None:
            request.signal = signal.Signals(number).name
            asked = time.monotonic() if number == signal.SIGINT else -math.inf
        elif number == signal.SIGINT and time.monotonic() - asked > _PATIENCE:
            raise KeyboardInterrupt

    known = [signal.Signals[name] for name in _SIGNALS if name in signal.Signals.__members__]
    handlers = {number: signal.getsignal(number) for number in known}
    before = {n: handler for n, handler in handlers.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, caught)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_parent() -> None:
    """Ask this process to save and leave when the one that holds its standard input is gone."""

    def wait() -> None:
        # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
