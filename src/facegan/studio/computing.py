"""One thread that computes pictures for everybody: what waits together is computed together."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from facegan.errors import FaceganError
from facegan.generation.generator import OpenGenerator
from facegan.studio.quick import Draw, quick_draw

Pictures = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Pictures in one pass through the network, and pictures that may wait.
TOGETHER = 32
WAITING = 1024
# From so many on, PyTorch's operators are as fast as ONNX Runtime's.
_FEW = 16


class BusyError(FaceganError):
    """More pictures wait than will be computed soon: try again a little later."""


@dataclass(frozen=True)
class _Job:
    z: Floats
    rows: Floats | None
    done: Future[Pictures]


class Computing:
    """A generator behind a queue. Close it when nobody asks any more.

    Args:
        opened: the generator; nobody else uses it meanwhile.
        waiting: how many pictures may wait.
    """

    def __init__(self, opened: OpenGenerator, waiting: int = WAITING) -> None:
        self.opened = opened
        self.pictures = 0
        self._most = waiting
        self._waiting = 0
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._quick: Draw | None = None
        self._thread = threading.Thread(target=self._work, name="facegan-studio", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Pictures that were asked for and are not computed yet."""
        return self._waiting

    def ask(self, z: Floats, rows: Floats | None = None) -> Future[Pictures]:
        """Pictures of latents, uint8 [N, H, W, C], when their turn comes.

        Args:
            z: float32 [N, Z + noise], as they enter the network; N ≥ 1.
            rows: float32 [N, L], scaled labels, NaN where unknown; None without labels.

        Raises:
            BusyError: too many wait already.
        """
        with self._lock:
            # Somebody who asks for more than may wait is served where nobody else waits.
            if self._waiting and self._waiting + len(z) > self._most:
                raise BusyError(
                    f"{self._waiting} pictures wait to be computed.", "Try again in a second."
                )
            self._waiting += len(z)
        done: Future[Pictures] = Future()
        self._jobs.put(_Job(z, rows, done))
        return done

    def quicken(self) -> None:
        """Find a faster way for single pictures, without anybody waiting for that."""

        def find() -> None:
            self._quick = quick_draw(self.opened)

        threading.Thread(target=find, name="facegan-studio-quick", daemon=True).start()

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        held: _Job | None = None
        while True:
            first = held or self._jobs.get()
            held = None
            if first is None:
                return
            jobs, n = [first], len(first.z)
            ending = False
            while n < TOGETHER and not ending:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    ending = True
                elif n + len(job.z) > TOGETHER:
                    held = job
                    break
                else:
                    jobs.append(job)
                    n += len(job.z)
            self._compute(jobs)
            if ending:
                self._jobs.put(None)

    def _compute(self, jobs: list[_Job]) -> None:
        # Whoever went away is no longer computed for.
        wanted = [job for job in jobs if job.done.set_running_or_notify_cancel()]
        made: Pictures | Exception = np.empty(0, np.uint8)
        try:
            if wanted:
                made = self._made(wanted)
        except Exception as error:  # whoever asked hears of it; the others are served on
            made = error
        with self._lock:
            self._waiting -= sum(len(job.z) for job in jobs)
            self.pictures += 0 if isinstance(made, Exception) else len(made)
        begin = 0
        for job in wanted:
            if isinstance(made, Exception):
                job.done.set_exception(made)
            else:
                job.done.set_result(made[begin : begin + len(job.z)])
                begin += len(job.z)

    def _made(self, jobs: list[_Job]) -> Pictures:
        z = np.concatenate([job.z for job in jobs])
        given = [job.rows for job in jobs if job.rows is not None]
        rows = np.concatenate(given) if given else None
        made = []
        for begin in range(0, len(z), TOGETHER):
            part = slice(begin, begin + TOGETHER)
            labels = None if rows is None else torch.from_numpy(rows[part])
            quick = self._quick if len(z[part]) < _FEW else None
            draw = quick or self.opened.pictures_at
            made.append(draw(torch.from_numpy(z[part]), labels))
        return np.concatenate(made)
