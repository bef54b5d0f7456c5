"""What kind of source a path is, by its content."""

from __future__ import annotations

from pathlib import Path

from facegan.data.archives import TarSource, ZipSource
from facegan.data.sources import BZIP2, GZIP, XZ, FolderSource, Source
from facegan.errors import DataError

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def open_source(path: Path | str) -> Source:
    """The source at `path`, recognised by its content.

    Raises:
        DataError: there is nothing at `path`, or it is neither a folder nor a known archive.
    """
    path = Path(path)
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise DataError(f"There is nothing at {path}.", "Give a folder of images or an archive.")
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder.", "Give a folder or an archive.")
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}).", "Check its permissions."
        ) from error
    if head.startswith(_ZIP):
        return ZipSource(path)
    if head.startswith((GZIP, BZIP2, XZ)) or head[257:262] == b"ustar":
        return TarSource(path)
    raise DataError(
        f"{path} is {'empty' if not head else 'not an archive that facegan knows'}.",
        "Give a folder of images, or a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz archive of them.",
    )
