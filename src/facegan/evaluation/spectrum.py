"""How much detail of each size generated pictures have, beside real ones.

The power of brightness by spatial frequency, averaged over pictures and over directions. A
generator that blurs has too little at high frequencies; one that upsamples badly has too much
there (Durall et al. 2020, "Watch your up-convolution", arXiv:2003.01826), most of all where both
directions alternate from pixel to pixel: a checkered pattern. Feature spaces hardly show either in
words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError
from facegan.evaluation.pictures import require_pictures
from facegan.evaluation.results import Estimate, Spectrum

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_LUMA = np.array([0.299, 0.587, 0.114])
_CHUNK = 256
# 95 % of a normal distribution lie within so many standard deviations.
_NORMAL = 1.959964
# Grey levels, squared: less power than rounding to whole levels leaves is none.
_ROUNDING = 1 / 12
# Of the checkered corner: both frequencies above this share of the highest.
_CORNER = 0.85


def spectrum(generated: Images, real: Images) -> Spectrum:
    """The power of generated pictures over that of real ones, by frequency.

    Args:
        generated: uint8 [n, S, S, C], n ≥ 2.
        real: uint8 [m, S, S, C], m ≥ 2.

    Raises:
        DataError: these are no square pictures of one size, or too few.
    """
    for images in (generated, real):
        require_pictures(images)
        if len(images) < 2 or images.shape[1:3] != (real.shape[1], real.shape[1]):
            raise DataError(
                f"The spectra of {list(generated.shape)} and {list(real.shape)} do not compare.",
                "Give two or more square pictures of each kind, all of one size.",
            )
    one, other = powers(generated), powers(real)
    ratios = [_ratio(one[:, band], other[:, band]) for band in range(one.shape[1])]
    return Spectrum(
        n=len(generated),
        n_real=len(real),
        frequencies=tuple(range(1, one.shape[1])),
        ratios=tuple(ratios[:-1]),
        checkered=ratios[-1],
    )


def powers(images: Images) -> Floats:
    """The power of each picture by frequency: float64 [N, S/2 + 1].

    Column i is the mean over frequencies from i + ½ to i + 1½ cycles a side, i from 0, whatever
    their direction; the last column is the corner where both directions are nearly the highest.
    """
    side = images.shape[1]
    window = np.hanning(side + 2)[1:-1]
    window = np.outer(window, window)
    window /= np.sqrt(np.square(window).mean())
    waves = np.abs(np.fft.fftfreq(side) * side)
    radius = np.hypot(waves[:, None], waves[None])
    half = side // 2
    bands = [(radius > i + 0.5) & (radius <= i + 1.5) for i in range(half)]
    corner = (waves >= _CORNER * half)[:, None] & (waves >= _CORNER * half)[None]
    masks = np.stack([*bands, corner]).reshape(half + 1, -1).astype(np.float64)
    masks /= np.maximum(masks.sum(1, keepdims=True), 1)
    found = np.empty((len(images), half + 1))
    for begin in range(0, len(images), _CHUNK):
        some = images[begin : begin + _CHUNK]
        grey = np.broadcast_to(some, (*some.shape[:3], 3)) @ _LUMA
        grey = (grey - grey.mean((1, 2), keepdims=True)) * window
        power = np.square(np.abs(np.fft.fft2(grey))) / side**2
        found[begin : begin + len(some)] = power.reshape(len(some), -1) @ masks.T
    return found + _ROUNDING


def _ratio(generated: Floats, real: Floats) -> Estimate:
    """Mean over mean of two samples, with its interval by the delta method on the logarithm."""
    value = float(generated.mean() / real.mean())
    variance = sum(x.var(ddof=1) / len(x) / x.mean() ** 2 for x in (generated, real))
    reach = float(np.exp(_NORMAL * np.sqrt(variance)))
    return Estimate(value=value, low=value / reach, high=value * reach)
