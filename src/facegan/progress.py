"""How far a long piece of work has come, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facegan.notebook import Panel, bar, in_notebook

_PLAIN_EVERY = 5.0  # seconds
_NOTEBOOK_EVERY = 0.2


@contextmanager
def progress_bar(what: str, rate: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal or in a notebook, a line now and then elsewhere, on standard error.

    Yields a function of what is done and of the whole, to be called as often as one likes.

    Args:
        what: is being done, in a word or two.
        rate: whether to say how many a second.
    """
    if in_notebook():
        yield _notebook_progress(what)
        return
    started = time.monotonic()

    def speed(done: float) -> str:
        return f"{done / max(time.monotonic() - started, 1e-3):,.0f} a second" if rate else ""

    if not sys.stderr.isatty():
        yield _plain_progress(what, speed)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(what),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[speed]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task("", total=None, speed="")
        yield lambda done, total: shown.update(task, completed=done, total=total, speed=speed(done))


def _plain_progress(what: str, speed: Callable[[float], str]) -> Callable[[int, int], None]:
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PLAIN_EVERY:
            last = time.monotonic()
            said = ", ".join(filter(None, (f"{what} {done:,} of {total:,}", speed(done))))
            print(said, file=sys.stderr, flush=True)

    return report


def _notebook_progress(what: str) -> Callable[[int, int], None]:
    panel, last = Panel(), 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if done >= total or time.monotonic() - last >= _NOTEBOOK_EVERY:
            last = time.monotonic()
            panel.show(bar(done, total, f"{what} {done:,} of {total:,}"))

    return report
