"""How a face lies: the square that is cut around it, and where it looks.

The square is that of FFHQ (Karras, Laine & Aila 2019), whose public script states these numbers.
With a and b the middles of the eyes, m the middle of the mouth's corners, e = (a + b) / 2,
across = b − a and down = m − e:

    direction of the upper edge   across + (down turned by −90°)
    side                          2 · max(2 · |across|, 1.8 · |down|) / zoom
    middle                        e + 0.1 · down

So the mean of two estimates of "level" decides the angle, and the larger of two estimates of the
face's size its scale: a face that turns away grows narrow, but does not grow in its picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facegan.faces.face_mesh import CHIN, FOREHEAD, LEFT_EYE, RIGHT_EYE, Mesh
from facegan.faces.geometry import Square

_BY_EYES, _BY_MOUTH, _DOWN = 2.0, 1.8, 0.1
# Log odds that 30° to the side, and 30° up or down, take; degrees beyond which nothing is known.
_BY_YAW, _BY_PITCH, _TURNED_MOST = 9.0, 13.0, 40.0


@dataclass(frozen=True)
class Pose:
    """Where a face looks, in degrees. From one picture these are estimates.

    Attributes:
        yaw: turned to the side; positive where it looks to the right of the picture.
        pitch: nodding; positive where it looks down.
        roll: tilted in the picture; positive where it leans to the right.
    """

    yaw: float
    pitch: float
    roll: float


def aligned_square(mesh: Mesh, zoom: float = 1.0) -> Square:
    """The square of FFHQ around a face.

    Args:
        mesh: the landmarks of the face.
        zoom: 2 for a square of half the side.
    """
    a, b = mesh.eyes
    middle = (a + b) / 2
    across, down = b - a, mesh.mouth.mean(0) - middle
    direction = across + np.array([down[1], -down[0]])
    side = 2 * max(_BY_EYES * math.hypot(*across), _BY_MOUTH * math.hypot(*down)) / zoom
    x, y = middle + _DOWN * down
    return Square(float(x), float(y), float(side), math.atan2(direction[1], direction[0]))


def eye_distance(mesh: Mesh) -> float:
    """From the middle of one eye to that of the other, in pixels."""
    return float(np.hypot(*(mesh.eyes[1] - mesh.eyes[0])))


def pose(mesh: Mesh) -> Pose:
    """Where a face looks, by the depth of its landmarks.

    Yaw is that of the line through the outer corners of the eyes, pitch that of the line from the
    forehead to the chin.
    """
    across = mesh.points[RIGHT_EYE[0]] - mesh.points[LEFT_EYE[0]]
    down = mesh.points[CHIN] - mesh.points[FOREHEAD]
    return Pose(
        yaw=_degrees(across[2], math.hypot(across[0], across[1])),
        pitch=_degrees(down[2], math.hypot(down[0], down[1])),
        roll=_degrees(across[1], across[0]),
    )


def wholeness(mesh: Mesh) -> float:
    """How little stands before a face: the mesh's log odds that it sees one, as if looking ahead.

    Some 40 for whole faces. A hand, a microphone, hair or another head before the face take 10 to
    25 of that. What turning and nodding take is given back, up to 40°: on LFW, 9 and 13 at 30°, by
    the square of the angle.
    """
    looks = pose(mesh)
    yaw, pitch = (min(abs(angle), _TURNED_MOST) / 30 for angle in (looks.yaw, looks.pitch))
    return mesh.odds + _BY_YAW * yaw**2 + _BY_PITCH * pitch**2


def _degrees(opposite: float, adjacent: float) -> float:
    return math.degrees(math.atan2(opposite, adjacent))
