"""What is measured of each picture of a dataset, before anything is judged.

- `sharpness`: variance of the Laplacian of brightness, in 8-bit levels squared, at 128 pixels or at
  the picture's own size where that is smaller;
- `brightness`, `contrast`: mean and standard deviation of brightness, 0 to 1;
- `clipped`: share of pixels that are as good as black or white;
- `colour`: mean distance of the strongest from the weakest channel, 0 to 1; not of grey datasets;
- `blocks`: the steps across the lines of an 8-pixel grid, as a ratio to steps elsewhere;
- `face`: score of the face detector, 0 to 1; 0 where it finds none;
- `eyes`: from the middle of one eye to that of the other, in pixels of the picture;
- `yaw`, `pitch`, `roll`: where the face looks, see `facegan.faces.alignment.Pose`, in degrees;
- `cut`: share of the face's landmarks outside of the picture;
- `whole`: how little stands before the face, see `facegan.faces.alignment.wholeness`.

A face that is not found has no eyes, no pose, no share cut off and is not whole: these are missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegan.cache import cache_folder, keep_array, read_array
from facegan.data.align import one_thread_each
from facegan.data.blocks import blockiness
from facegan.data.dataset import Dataset
from facegan.faces import detect, mesh
from facegan.faces.alignment import eye_distance, pose, wholeness
from facegan.faces.weights import HASHES
from facegan.memory import usable_cores

MEASURES = (
    *("sharpness", "brightness", "contrast", "clipped", "colour", "blocks"),
    *("face", "eyes", "yaw", "pitch", "roll", "cut", "whole"),
)
# Raised when a measure changes.
_VERSION = 2
_SHARPEST = 128
_DARK, _LIGHT = 5, 250
# Detection wants some border, and faces of 40 pixels or more.
_BORDER, _LOOKED_AT = 0.25, 160
_LOOKS = 2
_READ = 64

Measured = dict[str, npt.NDArray[np.float64]]
Progress = Callable[[int, int], None]


def measured(
    dataset: Dataset, workers: int | None = None, progress: Progress | None = None
) -> Measured:
    """Measure every picture of a dataset, or take what is known of it from the cache.

    Args:
        dataset: it stays as it is.
        workers: threads; by default one for each processor available, 16 at most.
        progress: called with (pictures done, pictures in all).

    Returns:
        float64 [N] for each of `MEASURES`; NaN where it is missing.
    """
    kept = _kept(dataset)
    known = _read(kept, len(dataset))
    if known is not None:
        return known
    values = np.full((len(dataset), len(MEASURES)), np.nan)
    starts = range(0, len(dataset), _READ)

    def work(start: int) -> tuple[int, npt.NDArray[np.float64]]:
        rows = np.arange(start, min(start + _READ, len(dataset)))
        return start, np.stack([measure(image) for image in dataset.copied(rows)])

    with one_thread_each(), ThreadPoolExecutor(workers or min(16, len(usable_cores()))) as pool:
        for start, found in pool.map(work, starts):
            values[start : start + len(found)] = found
            if progress is not None:
                progress(start + len(found), len(dataset))
    keep_array(kept, values, "the measures of the pictures")
    return dict(zip(MEASURES, values.T, strict=True))


def measure(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The measures of one picture, uint8 [H,H,C], in the order of `MEASURES`."""
    import cv2

    rgb = np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image)
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = luma
    if len(luma) > _SHARPEST:
        size = (_SHARPEST, _SHARPEST)
        small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = rgb.max(axis=2).astype(np.float64) - rgb.min(axis=2)
    return np.array(
        [
            float(cv2.Laplacian(small, cv2.CV_32F).var()),
            float(luma.mean()) / 255,
            float(luma.std()) / 255,
            float(((luma <= _DARK) | (luma >= _LIGHT)).mean()),
            float(spread.mean()) / 255 if image.shape[2] == 3 else np.nan,
            blockiness(luma),
            *_face(rgb),
        ]
    )


def _face(rgb: npt.NDArray[np.uint8]) -> tuple[float, ...]:
    """The measures from `face` on, of the face in the middle."""
    import cv2

    side = len(rgb)
    border = round(side * _BORDER)
    framed = np.pad(rgb, ((border, border), (border, border), (0, 0)), mode="edge")
    size = max(len(framed), _LOOKED_AT)
    scale = size / len(framed)
    if scale > 1:
        interpolation = cv2.INTER_LINEAR
        framed = cv2.resize(framed, (size, size), interpolation=interpolation).astype(np.uint8)
    found = detect(framed)
    if not found:
        return (0.0, *(np.nan,) * 6)
    middle = len(framed) / 2
    face = max(
        found,
        key=lambda f: (
            min(f.box[2:])
            - np.hypot(f.box[0] + f.box[2] / 2 - middle, f.box[1] + f.box[3] / 2 - middle)
        ),
    )
    points = mesh(framed, face, _LOOKS)
    looks = pose(points)
    flat = points.points[:, :2] / scale - border
    outside = 1 - ((flat >= 0) & (flat <= side)).all(1).mean()
    return (
        face.score,
        eye_distance(points) / scale,
        looks.yaw,
        looks.pitch,
        looks.roll,
        float(outside),
        wholeness(points),
    )


def _kept(dataset: Dataset) -> Path:
    """Where the measures of this content are kept."""
    decides = json.dumps([dataset.fingerprint, _VERSION, MEASURES, HASHES], sort_keys=True)
    return cache_folder() / "measures" / f"{hashlib.sha256(decides.encode()).hexdigest()[:32]}.npy"


def _read(path: Path, count: int) -> Measured | None:
    values = read_array(path)
    if values is None:
        return None
    if values.shape != (count, len(MEASURES)) or values.dtype != np.float64:
        return None
    return dict(zip(MEASURES, values.T, strict=True))
