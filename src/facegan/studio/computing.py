"""One thread that computes pictures for everybody: what waits together is computed together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from facegan.errors import FaceganError
from facegan.generation.generator import OpenGenerator
from facegan.generation.inputs import Inputs, joined
from facegan.generation.onnx_engine import quick_draw

Pictures = npt.NDArray[np.uint8]

# Pictures in one pass through the network, and pictures that may wait.
TOGETHER = 32
WAITING = 1024
# From so many on, PyTorch's operators are as fast as ONNX Runtime's.
_FEW = 16


class BusyError(FaceganError):
    """More pictures wait than will be computed soon: try again a little later."""


@dataclass(frozen=True)
class _Job:
    faces: Inputs
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
        self._quick: Callable[[torch.Tensor, torch.Tensor | None], Pictures] | None = None
        self._thread = threading.Thread(target=self._work, name="facegan-studio", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Pictures that were asked for and are not computed yet."""
        return self._waiting

    def ask(self, faces: Inputs) -> Future[Pictures]:
        """Pictures of faces, uint8 [N, H, W, C], when their turn comes.

        Args:
            faces: N ≥ 1 of them, as they enter the network.

        Raises:
            BusyError: too many wait already.
        """
        with self._lock:
            # Somebody who asks for more than may wait is served where nobody else waits.
            if self._waiting and self._waiting + len(faces) > self._most:
                raise BusyError(
                    f"{self._waiting} pictures wait to be computed.", "Try again in a second."
                )
            self._waiting += len(faces)
        done: Future[Pictures] = Future()
        self._jobs.put(_Job(faces, done))
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
            jobs, n = [first], len(first.faces)
            ending = False
            while n < TOGETHER and not ending:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    ending = True
                elif n + len(job.faces) > TOGETHER:
                    held = job
                    break
                else:
                    jobs.append(job)
                    n += len(job.faces)
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
            self._waiting -= sum(len(job.faces) for job in jobs)
            self.pictures += 0 if isinstance(made, Exception) else len(made)
        begin = 0
        for job in wanted:
            if isinstance(made, Exception):
                job.done.set_exception(made)
            else:
                job.done.set_result(made[begin : begin + len(job.faces)])
                begin += len(job.faces)

    def _made(self, jobs: list[_Job]) -> Pictures:
        faces = joined([job.faces for job in jobs])
        made = []
        for begin in range(0, len(faces), TOGETHER):
            part = faces.part(slice(begin, begin + TOGETHER))
            # The graph knows no mixtures.
            if self._quick is not None and len(part) < _FEW and part.mixture is None:
                labels = None if part.rows is None else torch.from_numpy(part.rows)
                made.append(self._quick(torch.from_numpy(part.z), labels))
            else:
                made.append(part.pictures(self.opened))
        return np.concatenate(made)
