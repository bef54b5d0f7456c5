"""What extractors that are neural networks share: a few pictures at a time, and checked."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError
from facegan.evaluation.extractors.base import Extractor
from facegan.evaluation.pictures import require_pictures

if TYPE_CHECKING:
    import torch


class NetworkExtractor(Extractor):
    """An extractor that looks at up to `chunk` pictures at once.

    Args:
        name: see `Extractor`.
        dimension: see `Extractor`.
        resizer: see `Extractor`.
        fingerprint: see `Extractor`.
        chunk: pictures in one pass through the network, as many as are fastest.
    """

    def __init__(
        self, name: str, dimension: int, resizer: str, fingerprint: str, chunk: int
    ) -> None:
        self.name, self.dimension = name, dimension
        self.resizer, self.fingerprint = resizer, fingerprint
        self._chunk = chunk

    def features(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See `Extractor`.

        Raises:
            DataError: if these are no pictures.
            FaceganError: if the network gives something other than one finite vector of
                `dimension` numbers for each.
        """
        require_pictures(images)
        found = np.empty((len(images), self.dimension), np.float32)
        for begin in range(0, len(images), self._chunk):
            some = images[begin : begin + self._chunk]
            vectors = self._vectors(some)
            expected = (len(some), self.dimension)
            if vectors.shape != expected:
                raise FaceganError(
                    f"{self.name} gave features of shape {list(vectors.shape)} for {len(some)} "
                    f"pictures, not {list(expected)}.",
                    "An extractor gives each picture one vector, always of one length.",
                )
            if not np.isfinite(vectors).all():
                raise FaceganError(
                    f"{self.name} gave features that are not finite (NaN or infinite).",
                    "Check its weights, and the mean and std that it was trained with.",
                )
            found[begin : begin + len(some)] = vectors
        return found

    @abstractmethod
    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """One pass: uint8 [N, H, W, C], N ≤ `chunk`, to float32 [N, D]."""


@contextlib.contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Inference in full float32 on any device.

    By default cuDNN rounds the operands of a convolution to 10 bits (TF32): features would
    differ between devices in the fourth digit.
    """
    import torch

    with torch.inference_mode(), contextlib.ExitStack() as stack:
        if device.type == "cuda":
            flags = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
            stack.enter_context(flags)
        yield
