"""In how many pictures there is a clear face, which a detector made for photographs is sure of.

YuNet (Wu, Peng & Yu 2023, "YuNet: a tiny millisecond-level face detector"), which comes with
facegan, with a score of 0.9 or more, at 160 pixels, with room around. It is sharper than dlib's
detector (`detection`): 98 % of LFW's pictures at 64 pixels pass, and 1 % of the same turned upside
down, of which dlib accepts 8 %. Compare with the share of real pictures all the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.evaluation.cache import Progress, silent
from facegan.evaluation.detection import shares
from facegan.evaluation.dlib_models import framed
from facegan.evaluation.pictures import require_pictures
from facegan.evaluation.results import Faces
from facegan.faces import detect

Images = npt.NDArray[np.uint8]

# Pictures that are looked at: a share is then known to one or two percent.
MOST = 1_000
SURE = 0.9
_SIDE, _BORDER = 160, 40
DETECTOR = f"YuNet, score of {SURE:g} or more, at {_SIDE} px"
_CHUNK = 32
# Counters of the bootstrap's randomness, that no other score uses.
_COUNTERS = 202, 203


def find_clear(
    images: Images,
    progress: Progress = silent,
    side: int = _SIDE,
    border: int = _BORDER,
    score: float = SURE,
) -> npt.NDArray[np.bool_]:
    """Whether there is a clear face in each picture: uint8 [N, H, W, C] to bool [N].

    Args:
        images: of any size.
        progress: called with (pictures done, pictures in all).
        side: to which each is resized.
        border: pixels added on every side, which repeat the edge.
        score: of the detector, from which on it is sure enough.

    Raises:
        DataError: these are no pictures.
    """
    require_pictures(images)
    found = np.zeros(len(images), np.bool_)
    for begin in range(0, len(images), _CHUNK):
        some = np.array(images[begin : begin + _CHUNK])
        for number, picture in enumerate(framed(some, side, border)):
            found[begin + number] = bool(detect(picture, score))
        progress(min(begin + _CHUNK, len(images)), len(images))
    return found


def clear_faces(generated: Images, real: Images, seed: int, progress: Progress = silent) -> Faces:
    """The share of pictures with a clear face, generated and real, with bootstrap intervals.

    Args:
        generated: uint8 [N, H, W, C].
        real: as many real ones, of the same shape.
        seed: of the bootstrap.
        progress: called with (pictures done, pictures in all), of both kinds together.

    Raises:
        DataError: there are no pictures, or not as many of each kind.
    """
    return shares(DETECTOR, find_clear, generated, real, (seed, *_COUNTERS), progress)
