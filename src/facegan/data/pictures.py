"""The one place where picture files are opened: in allowed formats alone, and never too large.

Pillow chooses a decoder by what a file holds, whatever its name says, and some of its decoders
hand the file to other programs: an EPS called `.png` would reach Ghostscript. A rule of the
linter keeps `Image.open` from being called anywhere else. PNGs are written here, too.
"""

from __future__ import annotations

import functools
import io
import warnings
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

MAX_PIXELS = 80_000_000
# Only formats whose decoders work in the process and without scripts: no EPS, no PDF. HEIF, which
# phones write, is read where the extra `heic` is installed.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "HEIF")

_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}
_OTHERS = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"DDS ": "DDS",
    b"qoif": "QOI",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"FUJIFILM": "a camera's raw format",
    b"II*\0\x10\0\0\0CR": "a camera's raw format",
    b"\0\0\x01\0": "an icon",
    b"<svg": "SVG",
}
_DOCUMENTS = frozenset(("PDF", "PostScript", "SVG"))


def open_picture(file: Path | IO[bytes], formats: tuple[str, ...] = FORMATS) -> Image:
    """Open a picture without decoding it: its size and format are known, no pixel is.

    Args:
        file: a path, or an open binary file.
        formats: of Pillow, those that may be tried; some of `FORMATS`.

    Raises:
        PIL.UnidentifiedImageError: it is in none of these formats.
        Exception: whatever else Pillow's parsers let out.
    """
    from PIL import Image

    if not set(formats) <= set(FORMATS):
        raise ValueError(f"{formats} are not all among the formats {FORMATS}")
    known = [each for each in formats if each in Image.OPEN]
    if len(known) < len(formats):
        Image.init()
        if "HEIF" in formats:
            register_heif()
        known = [each for each in formats if each in Image.OPEN]
    return Image.open(file, formats=known)  # noqa: TID251


def other_format(data: bytes) -> tuple[str, str] | None:
    """What a picture is that cannot be read here, as a reason and what to do; None if unknown."""
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in _HEIC:
            if not register_heif():
                how = 'pip install "facegan[heic]" reads them; or convert them to JPEG or PNG'
                return "HEIC without its extra", how
            return "damaged image", "a HEIC that cannot be read"
        if brand in (b"avif", b"avis"):
            return "AVIF", "this Pillow cannot read it, or it is damaged; convert it to PNG or JPEG"
        if brand in (b"crx ", b"qt  ", b"isom", b"mp42", b"mp41"):
            return "not an image", "a film, or a camera's raw format"
    for start, name in _OTHERS.items():
        if data.startswith(start):
            if name in _DOCUMENTS:
                return "not an image", f"{name}; convert it to PNG or JPEG"
            return name, "not read here; convert it to PNG or JPEG"
    return None


@functools.cache
def register_heif() -> bool:
    """Teach Pillow HEIF, if the extra `heic` is there; whether it is."""
    try:
        import pi_heif
    except ImportError:
        return False
    # One picture, not what is beside it; sizes are limited here, and libheif limits them too.
    pi_heif.register_heif_opener(thumbnails=False)
    return True


def png_bytes(
    image: np.ndarray, about: PngInfo | None = None, single: bool = False, level: int = -1
) -> bytes:
    """The content of a PNG file.

    Args:
        image: uint8 [H, W, C], C = 1 or 3.
        about: its metadata.
        single: whether it is one photographic picture, without the repetitions that a sheet of
            several has. Searching for none takes half the time, and the file is as small.
        level: of compression, 0 to 9; zlib's own by default.
    """
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0]).save(
        target,
        "PNG",
        pnginfo=about,
        compress_type=zlib.Z_RLE if single else -1,
        compress_level=level,
    )
    return target.getvalue()


def read_png(path: Path) -> Image | None:
    """A PNG that facegan wrote into a run, in RGB; None where it is none, damaged or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes that are judged here
            with open_picture(path, ("PNG",)) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                return image.convert("RGB")
    except Exception:  # decoders meet foreign bytes and let out whatever they please
        return None
