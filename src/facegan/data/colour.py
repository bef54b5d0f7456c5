"""Colour profiles: pixels of any colour space → sRGB, which networks, metrics and screens assume.

Display P3, which phones write, would come out dull otherwise, and Adobe RGB too. A profile that
cannot be used changes nothing, and is counted. Source: the ICC's specification, through Little CMS
(`PIL.ImageCms`).
"""

from __future__ import annotations

import functools
import io
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

APPLIED = "colour profile applied"
UNUSABLE = "colour profile unusable: taken as sRGB"
# Bytes: those of printers have a megabyte or two.
_LARGEST = 8 << 20
# Of 255: a profile that changes no colour by more is sRGB under another name.
_INVISIBLE = 1
_MODES = ("RGB", "RGBA", "L", "CMYK")


def to_srgb(image: Image, profile: Any, conversions: list[str]) -> Image:
    """An image of 8 bits in sRGB.

    Args:
        image: decoded.
        profile: the ICC profile that came with it; None without one.
        conversions: what was done is added here.
    """
    if not profile:
        return image
    if not isinstance(profile, bytes) or len(profile) > _LARGEST:
        conversions.append(UNUSABLE)
        return image
    before = image
    if image.mode in ("P", "PA", "LA", "1"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode not in _MODES:
        conversions.append(UNUSABLE)
        return before
    try:
        transform = _Transforms.here().of(profile, image.mode)
        if transform is None:
            return before
        from PIL import ImageCms

        made = ImageCms.applyTransform(image, transform)
    except Exception:  # a profile is somebody's program of tables: parsers let out what they please
        conversions.append(UNUSABLE)
        return before
    assert made is not None
    conversions.append(APPLIED)
    return made.getchannel(1) if image.mode == "L" else made


class _Transforms(threading.local):
    """The transforms of one thread: cameras use few profiles, and Little CMS's are not shared."""

    def __init__(self) -> None:
        self.of = functools.lru_cache(64)(_transform)

    @staticmethod
    def here() -> _Transforms:
        return _TRANSFORMS


def _transform(profile: bytes, mode: str) -> Any:
    """From the profile to sRGB; None where no colour would change."""
    from PIL import ImageCms

    given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    out = "RGBA" if mode == "RGBA" else "RGB"
    transform = ImageCms.buildTransform(given, srgb, mode, out)
    if mode in ("RGB", "RGBA") and _changes_nothing(transform, mode):
        return None
    return transform


def _changes_nothing(transform: Any, mode: str) -> bool:
    from PIL import Image, ImageCms

    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3)
    image = Image.fromarray(colours)
    made = ImageCms.applyTransform(image.convert(mode), transform)
    assert made is not None
    found = np.asarray(made.convert("RGB")).astype(int)
    return int(np.abs(found - colours).max()) <= _INVISIBLE


_TRANSFORMS = _Transforms()
