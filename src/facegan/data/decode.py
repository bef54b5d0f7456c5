"""Bytes of an image file → one square uint8 image, or the reason why not.

One decoder (Pillow, which notices files cut short), one resize filter (OpenCV area, which
averages; cubic where an image must be enlarged, since area would only repeat pixels there).
Colour profiles are applied: pixels are sRGB (colour.py).
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from facegan.data.colour import to_srgb
from facegan.data.members import SkippedFile
from facegan.data.pictures import MAX_PIXELS, open_picture, other_format, register_heif
from facegan.memory import memory_limit

if TYPE_CHECKING:
    from PIL.Image import Image

BACKGROUND = (255, 255, 255)
FILTER = "OpenCV area (cubic where enlarged)"

_BEGINNINGS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112


# Scans of one JPEG: progressive ones have about ten.
MAX_SCANS = 100
# Pixels scaled at a time.
_STRIP = 1 << 20
_NETPBM = re.compile(rb"P[1-7fF]\s|P[1-7fF]#")
_SPACE = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
_BINARY_PNM = re.compile(rb"P[56]" + 3 * (_SPACE + rb"[0-9]{1,9}") + rb"[ \t\r\n\v\f]")


class Room:
    """Memory that threads share: who needs more than is left waits until others are done.

    Args:
        size: bytes. What needs more than all of it is let in alone.
    """

    def __init__(self, size: int) -> None:
        self._size, self._used = size, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Hold `size` bytes, once there is room for them."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self._size)
            self._used += size
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()


def _quarter_of_memory() -> int:
    """At least 1 GiB: so much a single picture may need."""
    return max(1 << 30, memory_limit() // 4)


_ROOM = Room(_quarter_of_memory())


@dataclass(frozen=True)
class Shape:
    """What images are made into.

    Attributes:
        resolution: height and width of the result in pixels.
        crop: "full" for the largest centred square, or the side in pixels of a centred
            square of the original.
        channels: 3 (RGB) or 1 (grey, ITU-R 601 luma).
        min_size: images with a side shorter than this are left out.
    """

    resolution: int
    crop: int | Literal["full"] = "full"
    channels: int = 3
    min_size: int = 16


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Attributes:
        pixels: uint8 [R,R,C].
        conversions: what had to be changed on the way, in words; counted in the card.
        number: which face of its photograph it is, 0 for the main one.
        measures: what is known of it, in an order that all share.
    """

    pixels: npt.NDArray[np.uint8]
    conversions: tuple[str, ...] = ()
    number: int = 0
    measures: tuple[float, ...] = ()


def prepare() -> None:
    """Load Pillow's decoders; call once before decoding in several threads."""
    from PIL import Image

    Image.init()
    register_heif()


def decode(data: bytes, shape: Shape) -> Picture:
    """Decode an image file and make it `shape`.

    Colour profiles and orientation tags are applied, alpha is laid over `BACKGROUND`, 16 bits a
    channel are scaled to 8, of several frames the first is taken.

    Raises:
        SkippedFile: not an image, damaged, too small, or too large to be decoded safely.
    """
    pixels, conversions = decode_whole(data, shape)
    return _square(pixels, shape, conversions)


def decode_whole(data: bytes, shape: Shape) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Decode an image file as `decode` does, but for cropping and resizing.

    Args:
        data: the file.
        shape: how many channels, and how large the image must be.

    Returns:
        uint8 [H,W] or [H,W,3], upright; and what had to be changed, in words.

    Raises:
        SkippedFile: as `decode`.
    """
    from PIL import Image

    conversions: list[str] = []
    try:
        _check_effort(data)
        with open_picture(io.BytesIO(data)) as file, _ROOM.taken(_memory(file)):
            _check_size(file.size, shape)
            # A camera's MPO holds previews or a second eye beside its picture, no animation.
            if file.format != "MPO" and getattr(file, "is_animated", False):
                conversions.append("first of several frames")
            image = _eight_bits(file, data, conversions)
            image = to_srgb(image, file.info.get("icc_profile"), conversions)
            image = _upright(image, _orientation(file), conversions)
            image = _plain(image, shape.channels, conversions)
    except SkippedFile:
        raise
    except Image.DecompressionBombError as error:
        raise SkippedFile("too many pixels", str(error)) from error
    except Image.UnidentifiedImageError as error:
        if (known := other_format(data)) is not None:
            raise SkippedFile(*known) from error
        if data.startswith(_BEGINNINGS):
            raise SkippedFile("damaged image", "its header cannot be read") from error
        raise SkippedFile("not an image", "no known image format") from error
    except Exception as error:  # decoders meet hostile bytes and let out whatever they please
        raise SkippedFile("damaged image", f"{type(error).__name__}: {error}") from error
    return np.asarray(image), conversions


def _check_effort(data: bytes) -> None:
    """Refuse what a few bytes would keep a decoder busy with for minutes or hours."""
    if _NETPBM.match(data) and not _BINARY_PNM.match(data[:4096]):
        raise SkippedFile(
            "not an image", "of PPM and PGM, the binary kinds (P5, P6) alone are read"
        )
    # In coded data 0xFF is followed by 0: these two bytes are the beginning of a scan.
    if data.startswith(b"\xff\xd8") and (scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise SkippedFile("too many scans", f"{scans}; {MAX_SCANS} are allowed")


def _memory(file: Image) -> int:
    """About how many bytes decoding takes at its height."""
    sixteen = file.mode.startswith(("I", "F")) or any(
        ";16" in str(tile) for tile in getattr(file, "tile", ())
    )
    return file.width * file.height * (30 if sixteen else 12)


def _check_size(size: tuple[int, int], shape: Shape) -> None:
    """Judge by the size that the header declares, before anything is decoded."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise SkippedFile("too many pixels", f"{width}×{height}; {MAX_PIXELS} are allowed")
    if min(size) < shape.min_size:
        raise SkippedFile(
            "too small", f"{width}×{height}; the shorter side must be {shape.min_size}"
        )
    if shape.crop != "full" and min(size) < shape.crop:
        raise SkippedFile("smaller than the crop", f"{width}×{height}; the crop is {shape.crop}")


def _eight_bits(file: Image, data: bytes, conversions: list[str]) -> Image:
    """Decode; scale 16 bits to 8 by the full range, 65535 → 255, rounded."""
    import cv2

    sixteen = any(";16" in str(tile) for tile in getattr(file, "tile", ()))
    file.load()
    if file.mode in ("I", "F") and not (file.mode == "I" and file.format == "PPM"):
        raise SkippedFile("unsupported pixels", "32 bits a channel have no agreed range")
    if file.mode == "I" or file.mode.startswith("I;16"):
        return _scaled(np.asarray(file), conversions)
    elif sixteen:
        # Pillow keeps the upper byte of 16-bit colour; OpenCV gives all of it, as BGR.
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)  # noqa: TID251
        if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
            return file
        order = [2, 1, 0, 3][: decoded.shape[2]]
        return _scaled(decoded, conversions, order)
    return file


def _scaled(
    wide: npt.NDArray[Any], conversions: list[str], order: list[int] | None = None
) -> Image:
    """16 bits to 8, a strip at a time: as wide numbers, all of it would take four times as much."""
    from PIL import Image

    conversions.append("16 bits")
    channels = wide.shape[2:] if order is None else (len(order),)
    eight = np.empty((*wide.shape[:2], *channels), np.uint8)
    rows = max(1, _STRIP // max(wide.shape[1], 1))
    for top in range(0, len(wide), rows):
        strip = wide[top : top + rows]
        strip = strip if order is None else strip[:, :, order]
        eight[top : top + rows] = (strip.astype(np.uint32) * 255 + 32767) // 65535
    return Image.fromarray(eight)


def _orientation(file: Image) -> int:
    """The EXIF orientation, 1 to 8; a broken tag spoils no picture."""
    try:
        return int(file.getexif().get(_ORIENTATION, 1))
    except Exception:  # the parser of the tags lets out whatever it pleases
        return 1


def _upright(image: Image, orientation: int, conversions: list[str]) -> Image:
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    if turn is None:
        return image
    conversions.append("turned upright")
    return image.transpose(turn)


def _plain(image: Image, channels: int, conversions: list[str]) -> Image:
    """Colour of any kind to RGB or grey, without alpha."""
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            conversions.append("alpha laid over the background")
            image = Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image)
        image = image.convert("RGB")
    elif image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV"):
        conversions.append({"P": "palette"}.get(image.mode, image.mode))
        image = image.convert("RGB")
    wanted = "RGB" if channels == 3 else "L"
    if wanted == "RGB" and image.mode in ("L", "1"):
        conversions.append("grey repeated as colour")
    return image if image.mode == wanted else image.convert(wanted)


def _square(pixels: npt.NDArray[np.uint8], shape: Shape, conversions: list[str]) -> Picture:
    import cv2

    height, width = pixels.shape[:2]
    side = min(height, width) if shape.crop == "full" else shape.crop
    top, left = (height - side) // 2, (width - side) // 2
    pixels = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    if side != shape.resolution:
        if side < shape.resolution:
            conversions.append("enlarged")
        interpolation = cv2.INTER_AREA if side > shape.resolution else cv2.INTER_CUBIC
        target = (shape.resolution, shape.resolution)
        pixels = cv2.resize(pixels, target, interpolation=interpolation).astype(
            np.uint8, copy=False
        )
    square = (shape.resolution, shape.resolution, shape.channels)
    return Picture(pixels.reshape(square), tuple(conversions))
