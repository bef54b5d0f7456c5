"""`in_background`: all of it, in order, never too much at once, and nothing after an error."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from facegan.generation.background import in_background


def test_one_thread_does_everything_in_order() -> None:
    done: list[int] = []
    with in_background(threads=1, waiting=3) as do:
        for number in range(50):
            do(partial(done.append, number))
    assert done == list(range(50))


def test_several_threads_do_everything_at_the_same_time() -> None:
    together = threading.Barrier(4, timeout=120)
    with in_background(threads=4, waiting=4) as do:
        for _ in range(8):
            do(together.wait)  # returns only where four wait at once
    assert not together.broken


@pytest.mark.parametrize("threads", [1, 3])
def test_only_so_many_wait(threads: int) -> None:
    lock = threading.Lock()
    begun, done, most = 0, 0, 0

    def work() -> None:
        nonlocal done
        time.sleep(0.002)
        with lock:
            done += 1

    with in_background(threads, waiting=5) as do:
        for _ in range(40):
            do(work)
            begun += 1
            with lock:
                most = max(most, begun - done)
    assert done == 40
    assert 2 <= most <= 5


def test_the_first_error_is_raised_and_the_rest_dropped() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number in (3, 4):
            raise OSError(f"number {number}")
        done.append(number)

    given = 0

    def give() -> None:
        nonlocal given
        with in_background(threads=1, waiting=4) as do:
            for given in range(1000):
                do(partial(work, given))
                time.sleep(0.001)

    with pytest.raises(OSError, match="number 3"):
        give()
    assert done[:3] == [0, 1, 2]
    assert given < 100, "the error came long after the work that failed"


def test_an_error_of_the_last_piece_is_raised_at_the_end() -> None:
    def fail() -> None:
        time.sleep(0.01)
        raise OSError("late")

    with pytest.raises(OSError, match="late"), in_background(threads=2, waiting=4) as do:
        do(fail)


def test_ctrl_c_drops_what_waits_and_waits_for_what_has_begun() -> None:
    began, done = threading.Event(), []

    def work(number: int) -> None:
        began.set()
        time.sleep(0.4)  # so long that the block is left meanwhile, on any machine
        done.append(number)

    def give() -> None:
        with in_background(threads=1, waiting=10) as do:
            for number in range(5):
                do(partial(work, number))
            began.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give()
    assert done == [0]
    time.sleep(0.5)
    assert done == [0], "something was done after the block was left"
    assert not [t for t in threading.enumerate() if t.name.startswith("facegan-background")]
