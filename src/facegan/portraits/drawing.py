"""From parameters to pictures: the painters in their order, in batches, on all cores."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError
from facegan.portraits import backdrop, face, hair, wear
from facegan.portraits.palette import column
from facegan.portraits.parameters import Parameters
from facegan.portraits.scene import Scene, stage

SMALLEST, LARGEST = 16, 2048
# Pixels painted together: their fields stay in a core's cache.
_BATCH_PIXELS = 2**16
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def draw(parameters: Parameters, resolution: int, channels: int = 3) -> npt.NDArray[np.uint8]:
    """Draw the portraits.

    The picture is the same at every resolution and in every batch; nothing is random.

    Args:
        parameters: N portraits, from `sample`.
        resolution: height and width in pixels, 16 to 2048.
        channels: 3 for RGB, 1 for grey (0.299 R + 0.587 G + 0.114 B).

    Returns:
        uint8 [N, resolution, resolution, channels].

    Raises:
        DataError: for a resolution or channels that cannot be drawn.
    """
    check_format(resolution, channels)
    n = len(parameters)
    pictures = np.empty((n, resolution, resolution, channels), np.uint8)
    batch = max(1, _BATCH_PIXELS // resolution**2)

    def work(start: int) -> None:
        some = slice(start, start + batch)
        pictures[some] = _finish(_paint(parameters[some], resolution), resolution, channels)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        list(pool.map(work, range(0, n, batch)))
    return pictures


def check_format(resolution: int, channels: int) -> None:
    """Raise DataError unless `draw` can make pictures of this format."""
    if not SMALLEST <= resolution <= LARGEST:
        raise DataError(
            f"Portraits cannot be drawn at {resolution} px.",
            f"Choose a resolution from {SMALLEST} to {LARGEST}.",
        )
    if channels not in (1, 3):
        raise DataError(f"Portraits cannot have {channels} channels.", "Use 3 (RGB) or 1 (grey).")


def _paint(parameters: Parameters, resolution: int) -> Scene:
    """All layers, back to front."""
    scene = stage(parameters, resolution)
    backdrop.paint(scene)
    hair.paint_back(scene)
    wear.paint_neck_and_garment(scene)
    face.paint_head(scene)
    face.paint_skin_details(scene)
    hair.paint_facial_hair(scene)
    face.paint_mouth(scene)
    face.paint_eyes(scene)
    wear.paint_glasses(scene)
    hair.paint_front(scene)
    return scene


def _finish(scene: Scene, resolution: int, channels: int) -> npt.NDArray[np.uint8]:
    """Tint by the light's warmth, then round to bytes [N, H, W, C]."""
    warmth = column(scene.p.light_warmth)[:, :, None]
    tint = np.array([0.045, 0.0, -0.06], np.float32).reshape(1, 3, 1)
    rgb = np.clip(scene.rgb * (1.0 + warmth * tint), 0.0, 1.0)
    if channels == 1:
        rgb = (rgb[:, 0] * _LUMA[0] + rgb[:, 1] * _LUMA[1] + rgb[:, 2] * _LUMA[2])[:, None]
    pixels = (rgb * 255.0 + 0.5).astype(np.uint8)
    return pixels.reshape(len(rgb), channels, resolution, resolution).transpose(0, 2, 3, 1)
