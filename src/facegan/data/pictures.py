"""The one place where picture files are opened: in allowed formats alone, and never too large.

Pillow chooses a decoder by what a file holds, whatever its name says, and some of its decoders
hand the file to other programs: an EPS called `.png` would reach Ghostscript. A rule of the
linter keeps `Image.open` from being called anywhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 80_000_000
# Only formats whose decoders work in the process and without scripts: no EPS, no PDF.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM")


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
        known = [each for each in formats if each in Image.OPEN]
    return Image.open(file, formats=known)  # noqa: TID251


def read_png(path: Path) -> Image | None:
    """A PNG that facegan wrote into a run, in RGB; None where it is none, damaged or too large."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes that are judged here
            with open_picture(path, ("PNG",)) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                return image.convert("RGB")
    except Exception:  # decoders meet foreign bytes and let out whatever they please
        return None
