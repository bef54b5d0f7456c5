"""A run's sample grids, small enough to be part of a page."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from facegan.data.pictures import read_png

if TYPE_CHECKING:
    from PIL.Image import Image

# As base64 this makes about 2.6 MB.
ROOM = 1_950_000
# The part of the room for the last grid, which is the one that people look at.
_LAST = 0.36
_QUALITIES = (85, 70, 50, 30, 10)
# (longest side, quality), from the best that a page may hold down to what always fits.
_OTHERS = ((640, 85), (640, 70), (640, 50), (480, 50), (320, 50), (320, 30), (240, 20))
_NAME = re.compile(r"(?P<kimg>[0-9]+\.[0-9]+)k\.png")

# How training lays its samples out.
COLUMNS, GAP = 8, 2

# The widest that a page shows a grid, in CSS pixels.
_WIDEST = 1056

T = TypeVar("T")


@dataclass(frozen=True)
class Frame:
    """One grid.

    Attributes:
        kimg: images shown to the discriminator until then, in thousands.
        uri: the picture as a data: URI.
        width: of what is kept of the original, in its own pixels.
        height: of the same.
    """

    kimg: float
    uri: str
    width: int
    height: int


def filmstrip(
    samples: Path,
    at_most: int = 24,
    room: int = ROOM,
    rows: int = COLUMNS,
    widest: int | None = None,
) -> list[Frame]:
    """The grids in a run's folder of samples, in the order of training.

    The last is kept as it is, unless it is very large; the others lose detail, and pixels
    beyond a side of 640, as far as their number asks for. Files that are not pictures are left out.

    Args:
        samples: the folder; it need not exist.
        at_most: frames to keep, at least 2: the first, the last, others evenly between.
        room: bytes for all of them together.
        rows: how many of the grid's 8 rows of pictures to keep.
        widest: pixels beyond which grids are made smaller; None for no limit.
    """
    found = sorted(
        (float(match["kimg"]), path)
        for path in samples.glob("*.png")
        if (match := _NAME.fullmatch(path.name))
    )
    images = [
        (kimg, _reduced(image, rows, widest))
        for kimg, path in evenly(found, at_most)
        if (image := read_png(path)) is not None
    ]
    if not images:
        return []
    *before, last = [image for _, image in images]
    for_last = round(room * _LAST)
    encoded = [*_small(before, room - for_last), _large(last, for_last)]
    return [
        Frame(kimg, data_uri(data), image.width, image.height)
        for (kimg, image), data in zip(images, encoded, strict=True)
    ]


def kept(path: Path, kimg: float, room: int) -> Frame | None:
    """A picture that was made small before, as a frame; None where it is not there.

    Args:
        path: of a PNG file.
        kimg: images shown to the discriminator until then, in thousands.
        room: bytes for it.
    """
    image = read_png(path) if path.exists() else None
    if image is None:
        return None
    return Frame(kimg, data_uri(_large(image, room)), image.width, image.height)


def shown_width(natural: int) -> int:
    """CSS pixels: whole screen pixels for each of the picture's, where it is small enough."""
    return natural * max(1, _WIDEST // natural)


def evenly(items: Sequence[T], at_most: int) -> list[T]:
    """The first, the last, and as many as allowed evenly between."""
    if len(items) <= at_most:
        return list(items)
    step = (len(items) - 1) / (at_most - 1)
    return [items[round(i * step)] for i in range(at_most)]


def _reduced(image: Image, rows: int, widest: int | None) -> Image:
    """The first rows of a grid of 8 × 8 (all of one laid out otherwise), not too wide."""
    side, rest = divmod(image.height + GAP, COLUMNS)
    if not rest and image.width == image.height and rows < COLUMNS:
        image = image.crop((0, 0, image.width, rows * side - GAP))
    if widest is not None:
        image.thumbnail((widest, widest))
    return image


def _large(image: Image, room: int) -> bytes:
    """Without loss where there is room for it."""
    encoded = webp(image, lossless=True)
    for quality in _QUALITIES:
        if len(encoded) <= room:
            break
        encoded = webp(image, quality=quality)
    return encoded


def _small(images: list[Image], room: int) -> list[bytes]:
    """With one quality for all, so that a change between frames is a change in training."""
    if not images:
        return []
    for side, quality in _OTHERS[:-1]:
        # A few tell quickly whether all would be too large.
        some = [len(_shrunk(image, side, quality)) for image in images[:: len(images) // 3 + 1]]
        if sum(some) / len(some) * len(images) <= 1.1 * room:
            encoded = [_shrunk(image, side, quality) for image in images]
            if sum(map(len, encoded)) <= room:
                return encoded
    return [_shrunk(image, *_OTHERS[-1]) for image in images]


def _shrunk(image: Image, side: int, quality: int) -> bytes:
    copy = image.copy()
    copy.thumbnail((side, side))
    return webp(copy, quality=quality)


def webp(image: Image, lossless: bool = False, quality: int = 80) -> bytes:
    """The content of a WebP file."""
    target = io.BytesIO()
    image.save(target, "WEBP", lossless=lossless, quality=quality, method=4)
    return target.getvalue()


def data_uri(data: bytes) -> str:
    """A WebP picture as the source of an `<img>`."""
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
