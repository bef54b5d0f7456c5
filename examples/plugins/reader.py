"""A dataset's format of one's own: one .npz file with `images`, uint8 [N, H, W, 3], and `names`.

facegan data import faces.npz faces --plugin reader.py
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from facegan.data.layouts import Layout
from facegan.data.members import SkippedFile
from facegan.data.recognise import READERS
from facegan.data.sources import Member, Source


class NpzSource(Source):
    """Pictures in a NumPy archive; pictures of one name are of one person."""

    kind = "NumPy archive"

    def members(self) -> list[Member]:
        """See `Source.members`."""
        with np.load(self.path, allow_pickle=False) as archive:
            self._images, self._names = archive["images"], archive["names"]
        return [
            Member(f"{name}/{number:06}.png", self._images[number].nbytes)
            for number, name in enumerate(self._names)
        ]

    def layout(self, paths: Sequence[str]) -> Layout:
        """See `Source.layout`."""
        people = {path: path.partition("/")[0] for path in paths}
        return Layout("npz", "the array of names", people)

    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """See `Source.read`."""
        for number, image in enumerate(self._images):
            if number in chosen:
                yield number, cv2.imencode(".png", image[..., ::-1])[1].tobytes()


@READERS.named("npz")
def open_npz(path: Path) -> Source | None:
    """A `.npz` file's pictures; None for every other path."""
    return NpzSource(path) if path.suffix == ".npz" and path.is_file() else None
