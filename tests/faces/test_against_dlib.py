"""The face mesh beside another implementation: dlib's predictor of five landmarks."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from drawn_photographs import portrait
from facegan import faces
from facegan.data.pictures import open_picture
from facegan.evaluation import dlib_models
from facegan.faces.face_mesh import LEFT_EYE, RIGHT_EYE

DATA = Path(os.environ.get("FACEGAN_DATA", Path(__file__).parents[3] / "shared" / "data"))
ARCHIVE = DATA / "lfw-deepfunneled.tgz"


def drawn() -> Iterator[np.ndarray]:
    for seed in range(16):
        yield portrait(seed)


def photographs() -> Iterator[np.ndarray]:
    if not ARCHIVE.exists():
        pytest.skip(f"the LFW archive is not at {ARCHIVE}; set FACEGAN_DATA to its folder")
    found = 0
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".jpg") else None
            if content is not None and found < 48:
                found += 1
                with open_picture(io.BytesIO(content.read()), ("JPEG",)) as image:
                    yield np.asarray(image.convert("RGB"))
            elif found == 48:
                return


@pytest.mark.parametrize(("pictures", "median"), [(drawn, 0.07), (photographs, 0.06)])
def test_the_corners_of_the_eyes_are_where_dlib_sees_them(pictures, median: float) -> None:
    if not dlib_models.installed():
        pytest.skip("the extra 'faces' is not installed")
    dlib = dlib_models.import_dlib()
    predictor = dlib_models.landmark_predictor()
    errors = []
    for picture in pictures():
        found = faces.detect(picture)
        if not found:
            continue
        middle = len(picture) / 2
        face = min(found, key=lambda f: abs(f.box[0] + f.box[2] / 2 - middle))
        points = faces.landmarks(picture, face)
        left, top, width, height = face.box
        # dlib's boxes begin at the eyebrows.
        box = dlib.rectangle(
            int(left), int(top + 0.1 * height), int(left + width), int(top + height)
        )
        shape = predictor(picture, box)
        five = np.array([(shape.part(i).x, shape.part(i).y) for i in range(4)]) + 0.5
        # dlib begins with the eye on the right of the picture.
        theirs = np.stack([five[2:].mean(0), five[:2].mean(0)])
        ours = np.stack([points[[eye[0], eye[3]], :2].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)])
        errors.append(np.hypot(*(ours - theirs).T).mean() / np.hypot(*(ours[1] - ours[0])))
    assert len(errors) >= 12
    assert np.median(errors) < median
