"""What kind of source a path is, by its content. `READERS` is the list of those that are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facegan.data.archives import TarSource, ZipSource
from facegan.data.sources import BZIP2, GZIP, XZ, FolderSource, Source
from facegan.errors import DataError
from facegan.registry import Registry

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

# Path → its source, or None for a path that is not the reader's.
Reader = Callable[[Path], Source | None]
READERS = Registry[Reader]("dataset reader")


@READERS.named("folder")
def _folder(path: Path) -> Source | None:
    return FolderSource(path) if path.is_dir() else None


@READERS.named("zip")
def _zip(path: Path) -> Source | None:
    return ZipSource(path) if head(path).startswith(_ZIP) else None


@READERS.named("tar")
def _tar(path: Path) -> Source | None:
    first = head(path)
    known = first.startswith((GZIP, BZIP2, XZ)) or first[257:262] == b"ustar"
    return TarSource(path) if known else None


def open_source(path: Path | str | Source) -> Source:
    """The source at `path`, recognised by its content; those that were registered last are asked
    first, so that a plug-in may know a folder better. A source is returned as it is.

    Raises:
        DataError: there is nothing at `path`, or no reader knows it.
    """
    if isinstance(path, Source):
        return path
    path = Path(path)
    for name in reversed(list(READERS)):
        source = READERS[name](path)
        if source is not None:
            return source
    if not path.exists():
        raise DataError(f"There is nothing at {path}.", "Give a folder of images or an archive.")
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder.", "Give a folder or an archive.")
    raise DataError(
        f"{path} is {'not an archive that facegan knows' if head(path) else 'empty'}.",
        "Give a folder of images, or a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz archive of them.",
    )


def head(path: Path) -> bytes:
    """The first 512 bytes of a file, by which its kind is known; none of what is no file.

    Raises:
        DataError: it cannot be read.
    """
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}).", "Check its permissions."
        ) from error
