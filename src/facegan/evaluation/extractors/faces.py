"""Face identity: vectors that lie close together for pictures of one person.

Every picture goes the same way, whether a detector would find a face in it or not, so that
none is left out: landmarks are looked for in one fixed central square, and the picture is
turned, scaled and shifted to bring them to their places. On LFW at 64 pixels (3,360 pictures,
two of each of 1,680 people) a picture is closer to the other of the same person than to one of
somebody else with probability 0.9986. With a detector it is 0.9989, with the best fixed crop
0.996; but a shift by 2 pixels moves a fixed crop's vector by 34 % of the distance between two
people, and this one's by 4 %. What is no face gets landmarks too, where they mean nothing:
distances there are arbitrary.

The network is made for whole faces that look ahead. It sees who somebody is, not how sharp
the picture is, and says nothing about backgrounds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from facegan.evaluation.dlib_models import (
    HASHES,
    framed,
    identity_weights,
    import_dlib,
    landmark_predictor,
)
from facegan.evaluation.extractors.base import fingerprint
from facegan.evaluation.extractors.face_network import CHIP, DIMENSION, FaceNetwork
from facegan.evaluation.extractors.network import NetworkExtractor, exact
from facegan.evaluation.resize import DESCRIPTION

_SIDE = 192
# Room for chips that reach beyond the picture.
_BORDER = 48
# The fixed square, as shares of the picture's side. Chosen on LFW cropped to 152 of its 250
# pixels, where detected faces are 0.70 wide; it holds from crops of 100 pixels (0.97 wide; the
# probability above is 0.996) to whole pictures (0.41 wide; 0.993).
_WIDTH, _CENTRE_X, _CENTRE_Y = 0.62, 0.50, 0.54
_RESIZER = (
    f"{DESCRIPTION}, to {_SIDE} px with its edges repeated over {_BORDER} px more; aligned by 5 "
    f"landmarks looked for in a fixed central square of {_WIDTH:.0%}; cut out at {CHIP} px"
)
_CHUNK = 16


class FaceIdentity(NetworkExtractor):
    """dlib's 128 numbers of who is shown, on the CPU.

    Raises:
        FaceganError: if the extra `faces` is missing, or its files are not the known ones.
    """

    def __init__(self) -> None:
        identity = fingerprint(
            models=HASHES, resizer=_RESIZER, centre=(_CENTRE_X, _CENTRE_Y), rule=1
        )
        super().__init__("faces", DIMENSION, _RESIZER, identity, _CHUNK)
        self.costly = True
        self._dlib = import_dlib()
        self._landmarks = landmark_predictor()
        self._network = FaceNetwork(identity_weights())
        left, top = (
            round(_BORDER + _SIDE * (centre - _WIDTH / 2)) for centre in (_CENTRE_X, _CENTRE_Y)
        )
        last = round(_SIDE * _WIDTH) - 1
        self._square = self._dlib.rectangle(left, top, left + last, top + last)

    def chips(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """What the network sees: uint8 [N, H, W, C] to uint8 [N, 150, 150, 3], aligned."""
        found = np.empty((len(images), CHIP, CHIP, 3), np.uint8)
        for chip, picture in zip(found, framed(images, _SIDE, _BORDER), strict=True):
            landmarks = self._landmarks(picture, self._square)
            chip[...] = self._dlib.get_face_chip(picture, landmarks, CHIP)
        return found

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        chips = torch.from_numpy(self.chips(images)).permute(0, 3, 1, 2)
        with exact(torch.device("cpu")):
            return self._network(chips).numpy()
