"""What is read from faces, to find what changes it: attributes, age, light and pose.

Attributes and age come from the attribute reader. Light is measured in the pixels, and pose by
five landmarks, where the extra `faces` is installed. No reading needs a label that a person
gave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError, nearest
from facegan.evaluation import dlib_models
from facegan.evaluation.attributes import AGE, AttributeReader
from facegan.evaluation.resize import resize

Pictures = npt.NDArray[np.uint8]
Kind = Literal["attribute", "age", "light", "pose"]

# Side at which light and pose are measured, as shares of which places are given.
_SIDE, _BORDER = 64, 16
# ITU-R 601 luma.
_LUMA = np.array([0.299, 0.587, 0.114])
# The face in an upright, centred picture, and what is beside it: top, bottom, left, right.
_FACE = (0.20, 0.85, 0.22, 0.78)
_BESIDE = 0.10
# The square in which landmarks are looked for: see `facegan.evaluation.extractors.faces`.
_SQUARE = (0.62, 0.50, 0.54)
_LANDMARK_SIDE, _LANDMARK_BORDER = 192, 48


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
)
POSE = (
    Reading("Turned_Right", "pose", "nose right of the eyes' middle, in eye distances"),
    Reading("Turned_Down", "pose", "nose below the eyes, in eye distances"),
    Reading("Tilted_Right", "pose", "angle of the eye line, degrees, clockwise"),
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
        self._landmarks = _Landmarks() if dlib_models.installed() else None
        readings = [_of_the_reader(name) for name in self.attributes.names]
        readings += [*LIGHT, *(POSE if self._landmarks else ())]
        known = {each.name: each for each in readings}
        if wanted is not None:
            for name in wanted:
                if name not in known:
                    missing = any(name == each.name for each in POSE)
                    raise FaceganError(
                        f"There is no reading {name!r}"
                        + (" without landmarks." if missing else "."),
                        "Run: pip install 'facegan[faces]'" if missing else nearest(name, known),
                    )
        self.readings: tuple[Reading, ...] = tuple(
            known[name] for name in (known if wanted is None else wanted)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(each.name for each in self.readings)

    def read(
        self, images: Pictures, features: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float64]:
        """Read pictures.

        Args:
            images: uint8 [N, H, W, C], 32 pixels a side or more.
            features: of `attributes.places`, where they are known already.

        Returns:
            float64 [N, R]: logits of attributes, the age in years, and as `Reading.what` says.
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
        if self._landmarks is not None and wanted & {each.name for each in POSE}:
            columns |= self._landmarks.pose(images)
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
    beside = np.concatenate([luma[:, :bottom, :edge], luma[:, :bottom, -edge:]], 2)
    return {
        "Light": face.mean((1, 2)),
        "Light_From_Right": face[:, :, middle:].mean((1, 2)) - face[:, :, :middle].mean((1, 2)),
        "Contrast": face.std((1, 2)),
        "Warm_Light": colour[:, 0] - colour[:, 2],
        "Light_Background": beside.mean((1, 2)),
    }


class _Landmarks:
    """Pose by five landmarks: two corners of each eye, and the base of the nose."""

    def __init__(self) -> None:
        self._dlib = dlib_models.import_dlib()
        self._predictor: Callable[[Pictures, Any], Any] = dlib_models.landmark_predictor()
        width, *centre = _SQUARE
        left, top = (round(_LANDMARK_BORDER + _LANDMARK_SIDE * (at - width / 2)) for at in centre)
        last = round(_LANDMARK_SIDE * width) - 1
        self._square = self._dlib.rectangle(left, top, left + last, top + last)

    def pose(self, images: Pictures) -> dict[str, npt.NDArray[np.float64]]:
        points = self.points(images)
        eyes = np.stack([points[:, 2:4].mean(1), points[:, 0:2].mean(1)], 1)
        line = eyes[:, 1] - eyes[:, 0]
        distance = np.maximum(np.linalg.norm(line, axis=1), 1e-6)
        along = line / distance[:, None]
        nose = points[:, 4] - eyes.mean(1)
        return {
            "Turned_Right": (nose * along).sum(1) / distance,
            "Turned_Down": (nose[:, 1] * along[:, 0] - nose[:, 0] * along[:, 1]) / distance,
            "Tilted_Right": np.degrees(np.arctan2(line[:, 1], line[:, 0])),
        }

    def points(self, images: Pictures) -> npt.NDArray[np.float64]:
        """Float64 [N, 5, 2], x and y: the picture's right eye, its left one, the nose."""
        found = np.empty((len(images), 5, 2))
        framed = dlib_models.framed(images, _LANDMARK_SIDE, _LANDMARK_BORDER)
        for row, picture in zip(found, framed, strict=True):
            parts = self._predictor(picture, self._square).parts()
            row[:] = [(part.x, part.y) for part in parts]
        return found
