"""What is read from faces, to find what changes it: attributes, age, light and pose.

Attributes and age come from the attribute reader. Light is measured in the pixels, and pose by
the landmarks of a face mesh. No reading needs a label that a person gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError, nearest
from facegan.evaluation.attributes import AGE, AttributeReader
from facegan.evaluation.resize import resize
from facegan.faces import Face, mesh
from facegan.faces.alignment import pose

Pictures = npt.NDArray[np.uint8]
Kind = Literal["attribute", "age", "light", "pose"]

# Side at which light and pose are measured, as shares of which places are given.
_SIDE = 64
# ITU-R 601 luma.
_LUMA = np.array([0.299, 0.587, 0.114])
# The face in an upright, centred picture, and what is beside it: top, bottom, left, right.
_FACE = (0.20, 0.85, 0.22, 0.78)
_BESIDE = 0.10
# The square in which the mesh looks for a face, as shares of the side: width, middle. No detector
# is asked, so that every picture has a pose; where there is no face, it means nothing.
_SQUARE = (0.62, 0.50, 0.54)
_MESH_SIDE = 192


@dataclass(frozen=True)
class Reading:
    """One thing that is read.

    Attributes:
        name: of it.
        kind: what reads it.
        what: in words, with its unit.
    """

    name: str
    kind: Kind
    what: str


LIGHT = (
    Reading("Light", "light", "mean luma of the face, 0 to 255"),
    Reading("Light_From_Right", "light", "luma of the face's right half in the picture − left"),
    Reading("Contrast", "light", "standard deviation of luma over the face"),
    Reading("Warm_Light", "light", "red − blue over the face"),
    Reading("Light_Background", "light", "mean luma beside the head"),
    Reading("Warm_Background", "light", "red − blue beside the head"),
)
POSE = (
    Reading("Turned_Right", "pose", "yaw, degrees, to the right of the picture"),
    Reading("Turned_Down", "pose", "pitch, degrees"),
    Reading("Tilted_Right", "pose", "roll, degrees"),
)


class Readers:
    """Everything that is read from a face, as columns.

    Args:
        wanted: names of readings; all that can be read here by default.

    Raises:
        FaceganError: there is no such reading, or what it needs is missing.
    """

    def __init__(self, wanted: Sequence[str] | None = None) -> None:
        self.attributes = AttributeReader.open()
        readings = [*map(_of_the_reader, self.attributes.names), *LIGHT, *POSE]
        known = {each.name: each for each in readings}
        for name in wanted or ():
            if name not in known:
                raise FaceganError(f"There is no reading {name!r}.", nearest(name, known))
        self.readings: tuple[Reading, ...] = tuple(
            known[name] for name in (known if wanted is None else wanted)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(each.name for each in self.readings)

    def read(
        self,
        images: Pictures,
        features: npt.NDArray[np.float32] | None = None,
        posed: bool = True,
    ) -> npt.NDArray[np.float64]:
        """Read pictures.

        Args:
            images: uint8 [N, H, W, C], 32 pixels a side or more.
            features: of `attributes.places`, where they are known already.
            posed: whether poses are read, which takes longer than all the rest together.

        Returns:
            float64 [N, R]: logits of attributes, the age in years, and as `Reading.what` says; NaN
            for poses that were not read.
        """
        reader = self.attributes
        if features is None:
            logits = reader.logits(images)
        else:
            logits = features @ reader.weight + reader.bias
        columns: dict[str, npt.NDArray[Any]] = dict(zip(reader.names, logits.T, strict=True))
        wanted = set(self.names)
        if wanted & {each.name for each in LIGHT}:
            columns |= _light(images)
        if wanted & {each.name for each in POSE}:
            unread = dict.fromkeys((each.name for each in POSE), np.full(len(images), np.nan))
            columns |= _pose(images) if posed else unread
        return np.stack([columns[name] for name in self.names], 1).astype(np.float64)


def _of_the_reader(name: str) -> Reading:
    if name == AGE:
        return Reading(name, "age", "years")
    return Reading(name, "attribute", "logit")


def _light(images: Pictures) -> dict[str, npt.NDArray[np.float64]]:
    pixels = resize(images, _SIDE).permute(0, 2, 3, 1).numpy().astype(np.float64)
    luma = pixels @ _LUMA
    top, bottom, left, right = (round(share * _SIDE) for share in _FACE)
    face, middle = luma[:, top:bottom, left:right], (right - left) // 2
    colour = pixels[:, top:bottom, left:right].mean((1, 2))
    edge = round(_BESIDE * _SIDE)
    beside = np.concatenate([pixels[:, :bottom, :edge], pixels[:, :bottom, -edge:]], 2)
    around = beside.mean((1, 2))
    return {
        "Light": face.mean((1, 2)),
        "Light_From_Right": face[:, :, middle:].mean((1, 2)) - face[:, :, :middle].mean((1, 2)),
        "Contrast": face.std((1, 2)),
        "Warm_Light": colour[:, 0] - colour[:, 2],
        "Light_Background": around @ _LUMA,
        "Warm_Background": around[:, 0] - around[:, 2],
    }


def _pose(images: Pictures) -> dict[str, npt.NDArray[np.float64]]:
    width, *centre = _SQUARE
    left, top = (_MESH_SIDE * (at - width / 2) for at in centre)
    side = _MESH_SIDE * width
    eyes = np.array([[left + 0.3 * side, top], [left + 0.7 * side, top]], np.float32)
    face = Face((left, top, side, side), 1.0, eyes)
    large = resize(images, _MESH_SIDE).permute(0, 2, 3, 1).numpy()
    found = [pose(mesh(picture, face, looks=1)) for picture in large]
    return {
        "Turned_Right": np.array([each.yaw for each in found]),
        "Turned_Down": np.array([each.pitch for each in found]),
        "Tilted_Right": np.array([each.roll for each in found]),
    }
