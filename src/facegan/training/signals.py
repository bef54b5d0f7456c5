"""Ctrl-C and SIGTERM ask a run to finish its step, save and leave."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class StopRequest:
    """Whether somebody asked the run to stop, and how."""

    def __init__(self) -> None:
        self.signal: str | None = None

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Catch Ctrl-C and SIGTERM inside the block.

    The first only sets the request. A second Ctrl-C is an ordinary KeyboardInterrupt, for a
    step that never ends. Outside the main thread nothing is caught: signals go elsewhere.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def caught(number: int, frame: FrameType | None) -> None:
        if request.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.signal = signal.Signals(number).name

    before = {s: signal.signal(s, caught) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
