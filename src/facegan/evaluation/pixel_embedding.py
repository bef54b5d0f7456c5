"""Pictures as a few waves of brightness and colour: an embedding that needs no network.

Distances between pixels are poor judges of copies: a shift by two pixels looks farther away
than a stranger's face, and a blurred face looks close to everything, as faces share their
broad shapes. Both faults belong to certain frequencies, so pictures are compared wave by
wave. Fine waves, which a shift or a JPEG destroys, are left out. Of the others, finer ones
weigh more, for faces have less of them: every frequency then says as much, and a blur,
which only weakens the finest of those kept, brings a picture no closer to strangers.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from facegan.evaluation.extractors.base import Extractor

# Pictures are averaged to this many pixels a side.
_SIDE = 16
# Waves kept: those whose numbers of half waves across and down have a root sum of squares up
# to this. Brightness is fine enough to tell faces apart, colour as coarse as a JPEG leaves it.
_LUMINANCE_WAVES, _COLOUR_WAVES = 8, 3
_COLOUR_WEIGHT = 0.25
# Contrast (root mean square, in grey levels) below which a picture counts as flat: noise is
# not blown up to a face.
_FLAT = 2.0
_LUMINANCE = np.array([0.299, 0.587, 0.114])


class PixelEmbedding(Extractor):
    """The coarse waves (a cosine transform) of a picture, whatever its brightness and contrast.

    With I the picture averaged to 16 × 16 pixels, Y = 0.299 R + 0.587 G + 0.114 B, and
    c(u, v) the cosine transform of a plane for u, v half waves across and down:

    - brightness: √(u² + v²) · c_Y(u, v) for 0 < √(u² + v²) ≤ 8, scaled to length 1;
    - colour: 0.25 · √(u² + v²) (1 for the mean) · c(u, v) of R − Y and B − Y for
      √(u² + v²) ≤ 3, divided by the contrast of Y.

    So brightness and contrast cancel, and grey pictures are at most 2 apart. 79 numbers; no
    weights, nothing to download, thousands of pictures a second.
    """

    def __init__(self) -> None:
        self.name = "pixels"
        self.resizer = f"area average to {_SIDE} px"
        across = np.arange(_LUMINANCE_WAVES + 1)
        frequency = np.hypot(across[:, None], across)
        self._luminance = (frequency > 0) & (frequency <= _LUMINANCE_WAVES)
        self._colour = frequency <= _COLOUR_WAVES
        self._weight = np.maximum(frequency, 1)
        self.dimension = int(self._luminance.sum() + 2 * self._colour.sum())
        method = f"{self.name} 1: {_SIDE} {_LUMINANCE_WAVES} {_COLOUR_WAVES} {_COLOUR_WEIGHT} "
        self.fingerprint = hashlib.sha256(f"{method}{_FLAT}".encode()).hexdigest()

    def features(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See the class. float32 [N, 79] for uint8 [N, H, W, C] of any size."""
        rgb = np.broadcast_to(images, (*images.shape[:3], 3))
        luminance = rgb @ _LUMINANCE
        down, across = _waves(images.shape[1]), _waves(images.shape[2])
        bright, red, blue = (
            down @ plane @ across.T
            for plane in (luminance, rgb[..., 0] - luminance, rgb[..., 2] - luminance)
        )
        contrast = _length(bright[:, self._luminance])
        shape = (bright * self._weight)[:, self._luminance]
        colour = np.concatenate(
            [(plane * self._weight)[:, self._colour] for plane in (red, blue)], axis=1
        )
        return np.concatenate(
            [shape / _length(shape), _COLOUR_WEIGHT * colour / contrast], axis=1
        ).astype(np.float32)


def _length(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64 [N, 1], hardly less than that of a flat picture's noise."""
    return np.hypot(np.linalg.norm(vectors, axis=1, keepdims=True), _SIDE * _FLAT)


def _waves(size: int) -> npt.NDArray[np.float64]:
    """Takes `size` pixels to their first waves: average over areas, then cosine transform."""
    edges = np.arange(_SIDE + 1) * size / _SIDE
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(size)
    covered = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    average = covered / covered.sum(axis=1, keepdims=True)
    wave = np.arange(_LUMINANCE_WAVES + 1)[:, None]
    cosine = np.cos(np.pi * wave * (np.arange(_SIDE) + 0.5) / _SIDE) * np.sqrt(2 / _SIDE)
    cosine[0] /= np.sqrt(2)
    return cosine @ average
