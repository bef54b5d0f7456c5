"""Photographs → aligned faces: every face turned upright and cut in FFHQ's square.

    crop = align(photograph)                              # one face, for inversion and the like
    found = aligned(photograph, 64, Alignment(zoom=1.2))  # all faces, and why others are left out

The result depends on the photograph and the options alone, so that an import can be repeated, and
photographs that are added later change nothing of the others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from facegan.data.blocks import blockiness
from facegan.data.members import SkippedFile
from facegan.errors import DataError
from facegan.faces import Face, Mesh, Square, cut, detect, mesh
from facegan.faces.alignment import aligned_square, eye_distance, pose
from facegan.faces.detector import SIDE, THRESHOLD
from facegan.faces.weights import DETECTOR, HASHES, MESH

Border = Literal["reflect", "edge", "refuse"]
BORDERS = ("reflect", "edge", "refuse")
# What is known of an aligned face, in the order of the columns. The first four are its square.
MEASURES = (
    *("face_x", "face_y", "face_side", "face_angle"),
    *("face_score", "eye_distance", "yaw", "pitch", "roll", "outside", "photo_blocks"),
)
# Blocks of compression are looked for in so many pixels of the photograph, in the middle of a face.
_LOOKED_AT = 512
# Photographs larger than twice the detector's side are searched a second time, reduced to this, for
# the small faces in them.
_CLOSER = 3 * SIDE
# Below this the mesh sees no face where the detector saw one.
_PRESENCE = 0.5
# The share of a face's landmarks that may lie outside of the photograph.
_CUT_OFF = 0.02
# Eyes nearer to those of another face than this share of their distance are the same eyes.
_SAME = 0.5


@dataclass(frozen=True)
class Alignment:
    """How faces are cut out of photographs.

    Attributes:
        zoom: 1 for FFHQ's square; 2 for half its side, so that the face fills more of it. From
            0.25 to 4.
        border: what there is where the square reaches beyond the photograph: the photograph
            reflected ("reflect"), its edge repeated ("edge"), or nothing: such faces are left
            out ("refuse").
        faces: "all" in a photograph, or the "main" one: large and in the middle.
        min_eyes: faces whose eyes are nearer to each other are left out, in pixels of the
            photograph; None for an eighth of the result's side, where they are enlarged twice.
        max_yaw: faces that look further to the side are left out, in degrees.
    """

    zoom: float = 1.0
    border: Border = "reflect"
    faces: Literal["all", "main"] = "all"
    min_eyes: float | None = None
    max_yaw: float = 40.0

    def __post_init__(self) -> None:
        rules = [
            (0.25 <= self.zoom <= 4, "zoom", self.zoom, "0.25 to 4"),
            (self.border in BORDERS, "border", self.border, ", ".join(BORDERS)),
            (self.faces in ("all", "main"), "faces", self.faces, "all, main"),
            (self.min_eyes is None or self.min_eyes >= 0, "min-eyes", self.min_eyes, "0 or more"),
            (0 < self.max_yaw <= 90, "max-yaw", self.max_yaw, "above 0, to 90 degrees"),
        ]
        for fine, name, value, allowed in rules:
            if not fine:
                raise DataError(f"{name} is {value}.", f"Allowed: {allowed}.")

    def least_eyes(self, size: int) -> float:
        """The least distance of the eyes in the photograph, in pixels."""
        return size / 8 if self.min_eyes is None else self.min_eyes

    def about(self, size: int) -> dict[str, Any]:
        """All that decides the result, for the card."""
        return {
            "square": "FFHQ's, by eyes and mouth of MediaPipe's face mesh",
            "zoom": self.zoom,
            "border": self.border,
            "faces": self.faces,
            "min_eyes": self.least_eyes(size),
            "max_yaw": self.max_yaw,
            "detector": f"YuNet 2023mar at {SIDE} px, large photographs at {_CLOSER} px too, "
            f"score from {THRESHOLD:g}",
            "detector_sha256": HASHES[DETECTOR],
            "mesh_sha256": HASHES[MESH],
        }


@dataclass(frozen=True)
class AlignedFace:
    """A face, upright in its square.

    Attributes:
        pixels: uint8 [size,size,3].
        square: where it was in the photograph.
        score: of the detector.
        mesh: its landmarks in the photograph.
        outside: the share of the square that lies outside of the photograph.
        number: 0 for the main face of the photograph, then by how much less they are that.
        blocks: of compression, in the photograph; see `facegan.data.blocks.blockiness`.
    """

    pixels: npt.NDArray[np.uint8]
    square: Square
    score: float
    mesh: Mesh
    outside: float
    number: int
    blocks: float

    @property
    def measures(self) -> tuple[float, ...]:
        """The values of `MEASURES`."""
        looks = pose(self.mesh)
        square = self.square
        return (
            *(square.x, square.y, square.side, square.angle),
            *(self.score, eye_distance(self.mesh), looks.yaw, looks.pitch, looks.roll),
            *(self.outside, self.blocks),
        )


def align(
    photograph: npt.NDArray[np.uint8], size: int = 256, options: Alignment | None = None
) -> npt.NDArray[np.uint8]:
    """The main face of a photograph, upright and cut in FFHQ's square.

    Args:
        photograph: uint8 [H,W,3], RGB, of any size.
        size: of the result.
        options: how it is cut.

    Returns:
        uint8 [size,size,3].

    Raises:
        DataError: no face can be used; the reason is in the message.
    """
    found, left_out = aligned(photograph, size, options)
    if not found:
        detail = f" ({left_out[0].detail})" if left_out[0].detail else ""
        raise DataError(
            f"The photograph shows no face that can be aligned: {left_out[0].reason}{detail}.",
            "Give a photograph in which a face looks into the camera, large enough and whole.",
        )
    return found[0].pixels


def aligned(
    photograph: npt.NDArray[np.uint8], size: int, options: Alignment | None = None
) -> tuple[list[AlignedFace], list[SkippedFile]]:
    """Every face of a photograph that can be used, the main one first; why others cannot.

    Args:
        photograph: uint8 [H,W,3], RGB, of any size.
        size: of the result.
        options: how they are cut.

    Returns:
        The faces, and the reasons; one of the two at least is not empty.
    """
    options = options or Alignment()
    height, width = photograph.shape[:2]
    found: list[AlignedFace] = []
    left_out: list[SkippedFile] = []
    candidates = _candidates(photograph, options)
    # Large and in the middle: a passer-by is neither, whatever the detector's score.
    candidates.sort(key=lambda pair: -_prominence(pair[1], height, width))
    if not candidates:
        return [], [SkippedFile("no face found")]
    rest = candidates[1:] if options.faces == "main" else []
    for number, (face, points) in enumerate(candidates[: len(candidates) - len(rest)]):
        square = aligned_square(points, options.zoom)
        outside = square.outside(height, width)
        why = _unusable(points, outside, height, width, size, options)
        if why is not None:
            left_out.append(why)
            continue
        border: Literal["reflect", "edge"] = "edge" if options.border == "edge" else "reflect"
        pixels = cut(photograph, square, size, border)
        blocks = _blocks(photograph, square)
        found.append(AlignedFace(pixels, square, face.score, points, outside, number, blocks))
    left_out += [SkippedFile("not the main face", _place(points)) for _, points in rest]
    return found, left_out


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own, where the photographs are shared out."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _unusable(
    points: Mesh, outside: float, height: int, width: int, size: int, options: Alignment
) -> SkippedFile | None:
    """Why a face is left out; None if it is not."""
    where = _place(points)
    if points.presence < _PRESENCE:
        return SkippedFile("not a face on a closer look", where)
    eyes, least = eye_distance(points), options.least_eyes(size)
    if eyes < least:
        return SkippedFile(
            "face too small", f"{where}: {eyes:.1f} pixels between the eyes; the least is {least:g}"
        )
    flat = points.points[:, :2]
    missing = 1 - ((flat >= 0) & (flat <= (width, height))).all(1).mean()
    if missing > _CUT_OFF:
        return SkippedFile("face cut off", f"{where}: {missing:.0%} of it is outside")
    yaw = pose(points).yaw
    if abs(yaw) > options.max_yaw:
        return SkippedFile(
            "face in profile", f"{where}: turned by {yaw:.0f}°; the most is {options.max_yaw:g}°"
        )
    if options.border == "refuse" and outside > 0:
        return SkippedFile(
            "square beyond the photograph", f"{where}: {outside:.0%} of the square is outside"
        )
    return None


def _blocks(photograph: npt.NDArray[np.uint8], square: Square) -> float:
    """How much of compression's blocks there is where a face was, before it was turned."""
    import cv2

    reach = min(square.side, _LOOKED_AT) / 2
    top, bottom, left, right = (
        round(min(max(place, 0), size))
        for middle, size in ((square.y, photograph.shape[0]), (square.x, photograph.shape[1]))
        for place in (middle - reach, middle + reach)
    )
    part = photograph[top:bottom, left:right]
    if not part.size:
        return float("nan")
    return blockiness(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32))


def _candidates(photograph: npt.NDArray[np.uint8], options: Alignment) -> list[tuple[Face, Mesh]]:
    """What may be a face, each once."""
    faces = detect(photograph)
    # The main face is large enough to be found at once, if it is there.
    if max(photograph.shape) > 2 * SIDE and (options.faces == "all" or not faces):
        faces += detect(photograph, side=_CLOSER)
    return _separate([(face, mesh(photograph, face)) for face in faces])


def _separate(candidates: list[tuple[Face, Mesh]]) -> list[tuple[Face, Mesh]]:
    """Without those that turned out to be the face of an earlier one."""
    kept: list[tuple[Face, Mesh]] = []
    for face, points in candidates:
        middle = points.eyes.mean(0)
        apart = (
            np.hypot(*(other.eyes.mean(0) - middle)) > _SAME * eye_distance(other)
            for _, other in kept
        )
        if all(apart):
            kept.append((face, points))
    return kept


def _prominence(points: Mesh, height: int, width: int) -> float:
    """How much a face is what a photograph shows: its size less its distance from the middle."""
    square = aligned_square(points)
    return square.side - float(np.hypot(square.x - width / 2, square.y - height / 2))


def _place(points: Mesh) -> str:
    x, y = points.eyes.mean(0)
    return f"the face at {x:.0f}, {y:.0f}"
