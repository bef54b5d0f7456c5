"""Ctrl-C and SIGTERM ask a run to finish its step, save and leave."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


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
    """Catch Ctrl-C and SIGTERM inside the block.

    The first only sets the request. A second Ctrl-C is an ordinary KeyboardInterrupt, for a
    step that never ends. Outside the main thread nothing is caught: signals go elsewhere.

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

    def caught(number: int, frame: FrameType | None) -> None:
        if not request.ready:
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)
            elif handler == signal.SIG_DFL:
                signal.signal(number, handler)
                signal.raise_signal(number)
            return
        if request.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.signal = signal.Signals(number).name

    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, caught)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
