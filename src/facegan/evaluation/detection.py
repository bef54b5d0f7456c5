"""In how many pictures a face is found.

dlib's frontal detector (histograms of oriented gradients, Dalal & Triggs 2005; five linear
templates for five poses) looks at each picture at 192 pixels, with a repeated border so that
faces which fill the picture fit into its window. The threshold is dlib's own.

It finds a face in 99 % of LFW's pictures, and none in noise, blobs or faces cut into 16
shuffled pieces. But it is content with eyes, nose and mouth in their places: it accepts 8 %
of faces turned upside down and 19 % of photographic negatives. So a low share says that
something is wrong, and a share like that of real pictures says little about quality. Drawn
faces are found less often than photographs: compare with the real share, not with 1.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError
from facegan.evaluation.cache import Progress, silent
from facegan.evaluation.dlib_models import framed, import_dlib
from facegan.evaluation.intervals import averaged
from facegan.evaluation.pictures import require_pictures
from facegan.evaluation.results import Faces
from facegan.seeding import BOOTSTRAP, random

Images = npt.NDArray[np.uint8]

# The templates are 80 pixels wide, and look for larger faces too: at 192 pixels a face of
# 42 % of the picture's width or more. Larger sides find hardly more, and take longer.
_SIDE = 192
_BORDER = 24
DETECTOR = f"dlib frontal HOG at {_SIDE} px"

# Pictures that a thread takes at a time: a quarter of a second or so.
_CHUNK = 64
# Counters of the bootstrap's randomness, that no other score uses.
_COUNTERS = 200, 201


class FaceFinder:
    """Looks for faces, in as many threads as PyTorch uses. May be shared between threads.

    Raises:
        FaceganError: if the extra `faces` is not installed.
    """

    def __init__(self) -> None:
        self._dlib = import_dlib()
        # A detector keeps what it works on inside, so that no two threads may use one at once.
        self._idle: SimpleQueue[Any] = SimpleQueue()

    def find(
        self, images: npt.NDArray[np.uint8], progress: Progress = silent
    ) -> npt.NDArray[np.bool_]:
        """Whether there is a face in each picture.

        Args:
            images: uint8 [N, H, W, C], C = 3 (RGB) or 1 (grey), of any size.
            progress: called with (pictures done, pictures in all).

        Returns:
            bool [N].

        Raises:
            DataError: if these are no pictures.
        """
        import torch

        require_pictures(images)
        found = np.zeros(len(images), np.bool_)
        groups = [images[begin : begin + _CHUNK] for begin in range(0, len(images), _CHUNK)]
        done = 0
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            for some in threads.map(self._look, groups):
                found[done : done + len(some)] = some
                done += len(some)
                progress(done, len(images))
        return found

    def _look(self, images: npt.NDArray[np.uint8]) -> list[bool]:
        try:
            detector = self._idle.get_nowait()
        except Empty:
            detector = self._dlib.get_frontal_face_detector()
        found = [len(detector(picture)) > 0 for picture in framed(images, _SIDE, _BORDER)]
        self._idle.put(detector)
        return found


def faces(generated: Images, real: Images, seed: int, progress: Progress = silent) -> Faces:
    """The share of pictures that show a face, generated and real, with bootstrap intervals.

    Args:
        generated: uint8 [N, H, W, C].
        real: as many real ones, of the same shape.
        seed: of the bootstrap.
        progress: called with (pictures done, pictures in all), of both kinds together.

    Raises:
        DataError: if there are no pictures, or not as many of each kind.
        FaceganError: if the extra `faces` is not installed.
    """
    return shares(DETECTOR, FaceFinder().find, generated, real, (seed, *_COUNTERS), progress)


def shares(
    detector: str,
    find: Callable[[Images, Progress], npt.NDArray[np.bool_]],
    generated: Images,
    real: Images,
    seeds: tuple[int, int, int],
    progress: Progress,
) -> Faces:
    """The shares in which a detector finds a face; see `faces`.

    Args:
        detector: its name and the size at which it looks.
        find: whether there is a face in each picture.
        generated: uint8 [N, H, W, C].
        real: as many.
        seeds: of the bootstrap, and its counters for generated and for real pictures.
        progress: called with (pictures done, pictures in all), of both kinds together.
    """
    n, (seed, *counters) = len(generated), seeds
    if n == 0 or len(real) != n:
        raise DataError(
            f"There are {n} generated and {len(real)} real pictures.",
            "Shares are compared between as many pictures of each kind, at least one.",
        )
    found = (
        find(generated, lambda done, _: progress(done, 2 * n)),
        find(real, lambda done, _: progress(n + done, 2 * n)),
    )
    of_generated, of_real = (
        averaged(each.astype(np.float64), random(seed, BOOTSTRAP, counter))
        for each, counter in zip(found, counters, strict=True)
    )
    return Faces(detector=detector, n=n, generated=of_generated, real=of_real)
