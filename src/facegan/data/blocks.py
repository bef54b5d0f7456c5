"""Whether a picture shows the blocks of its compression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_GRID = 8


def blockiness(luma: npt.NDArray[np.float32]) -> float:
    """How much larger steps across the lines of an 8-pixel grid are than steps elsewhere.

    JPEG's blocks show as such lines; where a picture was resized since, they no longer do. The
    grid may begin anywhere.
    """
    ratio = 1.0
    for steps in (np.abs(np.diff(luma, axis=1)).mean(0), np.abs(np.diff(luma, axis=0)).mean(1)):
        if len(steps) < 2 * _GRID:
            return float("nan")
        phases = np.array([steps[phase::_GRID].mean() for phase in range(_GRID)])
        ratio *= (phases.max() + 0.5) / (np.median(phases) + 0.5)
    return float(np.sqrt(ratio))
