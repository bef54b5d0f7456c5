"""What kind of source a path is, by its content. `READERS` is the list of those that are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from facegan.data import lmdb_file, parquet
from facegan.data.archives import TarSource, ZipSource
from facegan.data.combined import CombinedSource
from facegan.data.kinds import OWN_ARCHIVE
from facegan.data.lmdb_file import LmdbSource
from facegan.data.parquet import ParquetSource
from facegan.data.sources import BZIP2, GZIP, XZ, FolderSource, Member, Source
from facegan.errors import DataError
from facegan.registry import Registry

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SHARDS = re.compile(r"(.*)\{(\d{1,9})\.\.(\d{1,9})\}(.*)")
_MOST_SHARDS = 100_000
# A path has lost one of the slashes of an address.
_ADDRESS = re.compile(r"(https?|ftp|s3|gs|hf):/+(.*)", re.IGNORECASE)

# What somebody may give, by its first bytes, and what it is in words.
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard",
    b"\x89HDF": "HDF5",
    b"\x93NUMPY": "a NumPy array",
    b"\x80\x02": "a Python pickle, which is never opened",
    b"\x80\x04": "a Python pickle, which is never opened",
    b"SQLite format 3": "a database of SQLite",
    b"ARROW1": "an Arrow file",
    b"%PDF": "a PDF",
}

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


@READERS.named("lmdb")
def _lmdb(path: Path) -> Source | None:
    file = path / lmdb_file.FILE if path.is_dir() else path
    return LmdbSource(path) if lmdb_file.is_lmdb(head(file)) else None


@READERS.named("parquet")
def _parquet(path: Path) -> Source | None:
    return ParquetSource(path, [path]) if head(path).startswith(parquet.MAGIC) else None


@READERS.named("shards")
def _shards(path: Path) -> Source | None:
    match = _SHARDS.fullmatch(path.name)
    if match is None or path.exists():
        return None
    before, first, last, after = match.groups()
    if not 0 <= int(last) - int(first) < _MOST_SHARDS:
        raise DataError(f"{path} names no shards.", "Write such as faces-{000000..000146}.tar.")
    found = [
        path.with_name(f"{before}{number:0{len(first)}}{after}")
        for number in range(int(first), int(last) + 1)
    ]
    return _together(path, found)


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
        if address := _ADDRESS.fullmatch(path.as_posix()):
            raise DataError(
                f"{address[1]}://{address[2]} is an address on the network.",
                "Download it, and give the file.",
            )
        raise DataError(f"There is nothing at {path}.", "Give a folder of images or an archive.")
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder.", "Give a folder or an archive.")
    raise DataError(
        f"{path} is {_what_it_is(head(path))}.",
        "Give a folder of images, a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz archive of them, an "
        "LMDB or a Parquet file.",
    )


def sources_within(source: Source, members: Sequence[Member]) -> Source | None:
    """What a folder without pictures holds, if that is pictures in another form: one archive, the
    shards of a WebDataset, LMDBs or Parquet files.

    Args:
        source: what was listed.
        members: its members.

    Raises:
        DataError: it holds several archives that are no shards of one dataset.
    """
    if not isinstance(source, FolderSource):
        return None
    usable = [member for member in members if member.refused is None]
    paths = [source.path / member.path for member in usable]
    databases = [path.parent for path in paths if path.name == lmdb_file.FILE]
    tables = [path for path in paths if head(path).startswith(parquet.MAGIC)]
    if databases and len(databases) + sum(p.name == "lock.mdb" for p in paths) == len(paths):
        return _lmdbs(source.path, databases)
    if tables:
        return ParquetSource(source.path, sorted(tables))
    if databases:
        return _lmdbs(source.path, databases)
    archives = [path for path in paths if OWN_ARCHIVE.search(path.name)]
    if len(archives) > 1:
        if all(".tar" in path.name.lower() for path in archives):
            return _together(source.path, archives)
        names = ", ".join(path.relative_to(source.path).as_posix() for path in archives[:5])
        raise DataError(
            f"{source.path} holds no pictures, but {len(archives)} archives: {names}.",
            "Give one of them.",
        )
    return open_source(archives[0]) if archives else None


def _together(path: Path, files: Iterable[Path]) -> Source:
    parts: dict[str, Source] = {}
    for file in sorted(files):
        name = file.name.split(".")[0]
        while name in parts:
            name += "_"
        parts[name] = open_source(file)
    return CombinedSource(path, f"{len(parts)} tar archives", parts)


def _lmdbs(path: Path, folders: list[Path]) -> Source:
    """An LMDB, or several: a category of LSUN in its parts, or several categories."""
    if len(folders) == 1:
        return LmdbSource(folders[0])
    parts: dict[str, Source] = {}
    for folder in sorted(folders):
        said = re.fullmatch(r"(.+?)_(train|val|test)(?:_lmdb)?", folder.name)
        name = f"{said[2]}/{said[1]}" if said else folder.name
        parts[name if name not in parts else folder.as_posix()] = LmdbSource(folder)
    return CombinedSource(path, f"{len(parts)} LMDBs", parts)


def _what_it_is(first: bytes) -> str:
    if not first:
        return "empty"
    known = next((name for start, name in _OTHERS.items() if first.startswith(start)), None)
    if known is not None:
        return f"not an archive that facegan knows, but {known}"
    if first.lstrip()[:20].lower().startswith((b"<!doctype", b"<html")):
        return "not an archive that facegan knows, but a web page: perhaps one that asks something"
    return "not an archive that facegan knows"


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
