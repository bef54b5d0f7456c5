"""468 landmarks of a face: MediaPipe's face mesh (Kartynnik et al. 2019), run by OpenCV.

The network wants an upright face in the middle of a square. What a detector knows of a face's
angle lags behind its tilt, so each look says how to turn the square for the next one.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.faces.detector import Face
from facegan.faces.geometry import Square, cut, mapped
from facegan.faces.weights import MESH, quiet_opencv, read_weights

POINTS = 468
# Numbers of landmarks in the mesh. An eye's six: the outer corner, two of the upper lid, the inner
# corner, two of the lower lid. Left and right are those of the picture.
LEFT_EYE, RIGHT_EYE = (33, 160, 158, 133, 153, 144), (263, 387, 385, 362, 380, 373)
MOUTH = (61, 291)
CHIN, FOREHEAD = 152, 10

_SIDE = 192
# MediaPipe's: the square around a face is half as wide again as the face.
_MARGIN = 1.5
# Turned upright twice. On faces at 30° the error halves with each look: 0.07, 0.024, 0.013 eye
# distances.
_LOOKS = 3
_OUTPUTS = ("conv2d_20", "conv2d_30")
_threads = threading.local()


@dataclass(frozen=True)
class Mesh:
    """The landmarks of a face.

    Attributes:
        points: float32 [468,3]: x and y in pixels of the picture; z is depth in the same unit,
            smaller towards the camera, 0 in the middle of the head.
        presence: how sure the network is that there is a face, in [0,1].
        odds: the same as log odds, which still differ where `presence` is as good as 1.
    """

    points: npt.NDArray[np.float32]
    presence: float
    odds: float = math.inf

    @property
    def eyes(self) -> npt.NDArray[np.float64]:
        """The middle of each eye, the one on the left first: [2,2]."""
        flat = self.points[:, :2].astype(np.float64)
        return np.stack([flat[list(eye)].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)])

    @property
    def mouth(self) -> npt.NDArray[np.float64]:
        """The corners of the mouth, the one on the left first: [2,2]."""
        return self.points[list(MOUTH), :2].astype(np.float64)


def landmarks(picture: npt.NDArray[np.uint8], face: Face) -> npt.NDArray[np.float32]:
    """The 468 landmarks of a face that was detected: float32 [468,3]; see `Mesh.points`."""
    return mesh(picture, face).points


def mesh(picture: npt.NDArray[np.uint8], face: Face, looks: int = _LOOKS) -> Mesh:
    """The landmarks of a face that was detected, and how sure the network is of it.

    Args:
        picture: uint8 [H,W,3], RGB, in which the face was found.
        face: it.
        looks: how often the face is looked at, each time turned by what the last look said.

    Raises:
        FaceganError: the network's weights are not there, or not the known ones.
    """
    left, top, width, height = face.box
    square = Square(
        left + width / 2,
        top + height / 2,
        max(_MARGIN * max(width, height), 1.0),
        _angle(face.points5[:2].astype(np.float64)),
    )
    found = _look(picture, square)
    for _ in range(looks - 1):
        flat = found.points[:, :2].astype(np.float64)
        angle = _angle(found.eyes)
        turned = flat @ np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        low, high = turned.min(0), turned.max(0)
        # Along the face's own axes, then back into the picture.
        middle = (low + high) / 2
        x = middle[0] * math.cos(angle) - middle[1] * math.sin(angle)
        y = middle[0] * math.sin(angle) + middle[1] * math.cos(angle)
        found = _look(picture, Square(x, y, max(_MARGIN * float((high - low).max()), 1.0), angle))
    return found


def _look(picture: npt.NDArray[np.uint8], square: Square) -> Mesh:
    pixels = cut(picture, square, _SIDE, "edge")
    network = _network()
    network.setInput((pixels.astype(np.float32) / 255).transpose(2, 0, 1)[None])
    points, presence = network.forward(_OUTPUTS)
    points = points.reshape(POINTS, 3).astype(np.float64)
    flat = mapped(square.to_picture(_SIDE), points[:, :2])
    depth = points[:, 2:] * (square.side / _SIDE)
    odds = float(presence.reshape(-1)[0])
    share = 1 / (1 + math.exp(-min(max(odds, -30.0), 30.0)))
    return Mesh(np.concatenate((flat, depth), 1).astype(np.float32), share, odds)


def _angle(pair: npt.NDArray[np.float64]) -> float:
    """How much the line from the first point to the second falls, in radians."""
    across, down = pair[1] - pair[0]
    return math.atan2(down, across)


def _network() -> Any:
    import cv2

    if not hasattr(_threads, "network"):
        with quiet_opencv():
            _threads.network = cv2.dnn.readNetFromONNX(read_weights(MESH))
    return _threads.network
