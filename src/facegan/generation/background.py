"""Work that other threads do meanwhile: encoding and writing while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def in_background(threads: int, waiting: int) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Give work to threads, and go on.

        with in_background(threads=1, waiting=4) as do:
            for group in groups:
                do(partial(write, group))

    Every piece is done when the block ends. The first that fails, in the order in which they
    were given, raises its error from a later `do` or at the end of the block. After an error,
    be it the block's own or Ctrl-C, what has not begun is dropped, and what has begun is
    waited for: nobody writes any more once the block is left.

    Args:
        threads: with one, everything is done in order.
        waiting: so many pieces at most are begun or wait, which bounds memory; then `do` waits.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="facegan-background")
    pending: deque[Future[object]] = deque()

    def do(work: Callable[[], object]) -> None:
        while pending and (len(pending) >= waiting or pending[0].done()):
            pending.popleft().result()
        pending.append(pool.submit(work))

    try:
        yield do
        while pending:
            pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
