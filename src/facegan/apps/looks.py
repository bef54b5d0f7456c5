"""What each snapshot's pictures are looked at for beside training: faces, patterns of pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.evaluation.clear_faces import find_clear
from facegan.evaluation.spectrum import powers

Images = npt.NDArray[np.uint8]

# Pictures in which faces are looked for: shares are known to six percent.
_FACES = 64
# Of real ones, before it is known whether it is worth while.
_FEW = 24
# A face that the detector takes for one, blurred or not, at a size that takes a few milliseconds.
_SCORE, _SIDE, _BORDER = 0.6, 96, 24
# Where fewer real pictures show a face, generated ones need not.
_SHOWS_FACES = 0.5


class Looks:
    """Measures generated pictures against a few real ones.

    Args:
        real: uint8 [n, H, W, C], n ≥ 1.
    """

    def __init__(self, real: Images) -> None:
        self._checkered = float(powers(real)[:, -1].mean())
        self._faces = _share(real[:_FEW])
        if self._faces >= _SHOWS_FACES:
            self._faces = _share(real[:_FACES])

    def __call__(self, generated: Images) -> dict[str, float]:
        """Numbers by name.

        - `checkered`: the power of what alternates from pixel to pixel in both directions, over
          that of real pictures;
        - `faces`: the share of pictures with a face;
        - `faces_real`: the same of real ones; both absent where real pictures show none.
        """
        found = {"checkered": float(powers(generated)[:, -1].mean()) / self._checkered}
        if self._faces >= _SHOWS_FACES:
            found["faces"] = _share(generated[:_FACES])
            found["faces_real"] = self._faces
        return found


def _share(images: Images) -> float:
    return float(find_clear(images, side=_SIDE, border=_BORDER, score=_SCORE).mean())
