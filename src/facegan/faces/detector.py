"""Finding faces: YuNet, a small network that OpenCV runs (Wu, Peng & Yu 2023).

It was trained on faces of 10 to 300 pixels, so that larger pictures are reduced first. The score
decides what is found: at 0.6, turned and half-hidden faces are found, and upside-down ones with
them; from 0.9 on, little is left but faces that look into the camera and stand upright.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.faces.weights import DETECTOR, quiet_opencv, read_weights

SIDE = 640
THRESHOLD = 0.6
# Boxes that overlap by more than this (intersection over union) are one face.
_OVERLAP = 0.3
_MOST = 5000
# The network finds no smaller faces.
_SMALLEST = 10

# A network works on buffers of its own: each thread has one.
_threads = threading.local()


@dataclass(frozen=True)
class Face:
    """A face that was found.

    Attributes:
        box: left, top, width and height in pixels; may reach beyond the picture.
        score: of the detector, in [0,1].
        points5: float32 [5,2], x and y in pixels: the eye on the left of the picture, the eye on
            the right, the tip of the nose, the left corner of the mouth, the right one. Left
            and right as in a picture of an upright face; they turn with the face.
    """

    box: tuple[float, float, float, float]
    score: float
    points5: npt.NDArray[np.float32]


def detect(
    picture: npt.NDArray[np.uint8], threshold: float = THRESHOLD, side: int = SIDE
) -> list[Face]:
    """Find the faces in a picture.

    Args:
        picture: uint8 [H,W,3], RGB. A picture whose faces fill it to the edge should be given
            some border.
        threshold: the lowest score of a face, in [0,1].
        side: a picture is reduced to this longer side first, in pixels; never enlarged.

    Returns:
        The faces, the highest score first; positions are those of the picture as it was given.

    Raises:
        ValueError: this is no such picture.
        FaceganError: the detector's weights are not there, or not the known ones.
    """
    import cv2

    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"a picture is {picture.dtype} {list(picture.shape)}, not uint8 [H,W,3]")
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if min(picture.shape[:2]) < _SMALLEST:
        return []
    detector = _detector()
    detector.setInputSize((picture.shape[1], picture.shape[0]))
    detector.setScoreThreshold(threshold)
    _, rows = detector.detect(np.ascontiguousarray(picture[:, :, ::-1]))
    # Both directions have their own factor: sides are whole pixels.
    back = np.array([width / picture.shape[1], height / picture.shape[0]], np.float32)
    found = [] if rows is None else rows[np.isfinite(rows).all(1)]
    faces = [_face(row, back) for row in found]
    return sorted(faces, key=lambda face: -face.score)


def _face(row: npt.NDArray[np.float32], back: npt.NDArray[np.float32]) -> Face:
    left, top, width, height = (row[:4].reshape(2, 2) * back).reshape(-1).tolist()
    return Face((left, top, width, height), float(row[14]), row[4:14].reshape(5, 2) * back)


def _detector() -> Any:
    import cv2

    if not hasattr(_threads, "detector"):
        nothing = np.empty(0, np.uint8)
        with quiet_opencv():
            _threads.detector = cv2.FaceDetectorYN.create(
                "onnx", read_weights(DETECTOR), nothing, (SIDE, SIDE), THRESHOLD, _OVERLAP, _MOST
            )
    return _threads.detector
