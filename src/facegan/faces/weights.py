"""The two networks' files. They come with facegan, and no other file is read in their place."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError

FOLDER = Path(__file__).parent / "weights"
DETECTOR, MESH = "face_detection_yunet_2023mar.onnx", "face_mesh.onnx"
# By file name: SHA-256 (hex).
HASHES = {
    DETECTOR: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    MESH: "d3d3ad4950686bdbe6e9a2069e5ea6638ca8f3f299dcdebb09ece2d3088c6d31",
}
_REPAIR = "Run: pip install --force-reinstall --no-deps facegan"


@cache
def read_weights(name: str) -> npt.NDArray[np.uint8]:
    """The bytes of a file of weights, as OpenCV takes them: uint8 [n].

    Raises:
        FaceganError: it is missing, or not the file whose checksum is known.
    """
    path = FOLDER / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FaceganError(f"{path} cannot be read ({error.strerror}).", _REPAIR) from error
    found = hashlib.sha256(data).hexdigest()
    if found != HASHES[name]:
        raise FaceganError(
            f"{path} is not the expected file: its SHA-256 is {found}, not {HASHES[name]}.",
            _REPAIR,
        )
    return np.frombuffer(data, np.uint8)


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV 5 from warning that it ignores a setting which facegan does not make."""
    import cv2

    logging = getattr(cv2.utils, "logging", None)
    if logging is None:  # OpenCV 4, which does not warn
        yield
        return
    before = logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        logging.setLogLevel(before)
