"""Where images come from: a folder tree or an archive, first listed, then read as streams.

Nothing is ever extracted to disk and no link is followed, so a hostile archive has nothing
to act on; its links, devices and paths that lead elsewhere are listed as left out.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from facegan.data.labels import Reading
from facegan.data.members import Member as Member
from facegan.data.members import Members, SkippedFile
from facegan.errors import DataError

if TYPE_CHECKING:
    from facegan.data.layouts import Layout

MAX_FILE_BYTES = 256 << 20
# An archive that grows more than this much, beyond the floor, is a decompression bomb:
# photographs hardly compress, and even flat drawings stored raw stay below.
MAX_RATIO = 200
RATIO_FLOOR = 256 << 20

GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"

_DESCRIPTION = "dataset.json"
_JUNK = {"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db"}


class Source(ABC):
    """Something that holds image files.

    Attributes:
        path: where it is.
        kind: what it is, in words.
        sha256: hash of the archive (hex), known once listed; "" for a folder.
        description: the path and bytes of the dataset.json nearest to the top, known once
            listed; None without one.
        junk: how many files were passed over that an operating system leaves about.
        holds_files: whether members are files, some of which may be no pictures; else each is
            meant as a picture, whatever it is called.
        reading: how the columns of a table that it brings become labels; set before `layout` is
            asked.
    """

    kind: str
    holds_files: bool = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reading = Reading()
        self.sha256 = ""
        self.description: tuple[str, bytes] | None = None
        self.junk = 0

    @property
    def name(self) -> str:
        """The name of the file or folder, without where it lies."""
        return self.path.resolve().name

    @abstractmethod
    def members(self) -> Sequence[Member]:
        """List every file but junk, in a fixed order.

        Raises:
            DataError: the source as a whole is damaged, encrypted or a decompression bomb.
        """

    def layout(self, paths: Sequence[str]) -> Layout | None:
        """What this kind of source tells of its pictures (who, which split, which labels), for
        a source that knows; None by default, and the layout is recognised by names and files.

        Args:
            paths: of the members that can be used.
        """
        return None

    def _describes_better(self, path: str) -> bool:
        """Whether `path` is a dataset.json nearer to the top than the one known."""
        folder, _, name = path.rpartition("/")
        known = self.description
        nearer = known is None or path.count("/") < known[0].count("/")
        return name == _DESCRIPTION and "/" not in folder and nearer

    def stream(self, number: int) -> IO[bytes]:
        """The content of one member as an open file; here it is read at once.

        Raises:
            SkippedFile: it cannot be read.
        """
        for _, content in self.read({number}):
            if isinstance(content, SkippedFile):
                raise content
            return io.BytesIO(content)
        raise SkippedFile("cannot be read", "it is gone")

    @abstractmethod
    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """The content of those members whose number in `members()` is in `chosen`, in order."""


class FolderSource(Source):
    """A folder tree."""

    kind = "folder"

    def members(self) -> Members:
        """List the tree, sorted by path; see `Source.members`."""
        self.junk = 0
        self._found = Members(self._walk())
        for member in self._found:
            if not member.refused and self._describes_better(member.path):
                with contextlib.suppress(SkippedFile):
                    self.description = (member.path, self._content(member.path))
        return self._found

    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """Read the chosen files; see `Source.read`."""
        for index in range(len(self._found)):
            if index in chosen:
                try:
                    yield index, self._content(self._found.path(index))
                except SkippedFile as unusable:
                    yield index, unusable

    def stream(self, number: int) -> IO[bytes]:
        """One file, open; see `Source.stream`."""
        return (self.path / self._found.path(number)).open("rb")

    def _content(self, path: str) -> bytes:
        try:
            with (self.path / path).open("rb") as file:
                return limited(file.read(MAX_FILE_BYTES + 1))
        except OSError as error:
            raise SkippedFile("cannot be read", error.strerror or str(error)) from error

    def _walk(self) -> Iterator[Member]:
        """Every file, in the order of the paths: one folder's names are held at a time, and those
        of the folders that it lies in."""
        # A folder's name ends in "/", so that its files come where their paths say.
        levels: list[tuple[str, list[str]]] = [("", [""])]
        while levels:
            prefix, names = levels[-1]
            if not names:
                levels.pop()
                continue
            path = prefix + names.pop()
            if path and not path.endswith("/"):
                yield self._member(path)
                continue
            try:
                levels.append((path, self._names(path)))
            except OSError as error:
                if not path:
                    raise DataError(
                        f"{self.path} cannot be read ({error.strerror}).", "Check its permissions."
                    ) from error
                yield Member(path, 0, SkippedFile("cannot be read", error.strerror or ""))

    def _names(self, prefix: str) -> list[str]:
        """What a folder holds but junk, the last first; folders end in "/"."""
        found = []
        with os.scandir(self.path / prefix) as entries:
            for entry in entries:
                if is_junk(prefix + entry.name):
                    self.junk += 1
                else:
                    folder = entry.is_dir(follow_symlinks=False)
                    found.append(f"{entry.name}/" if folder else entry.name)
        return sorted(found, reverse=True)

    def _member(self, path: str) -> Member:
        try:
            about = (self.path / path).lstat()
        except OSError as error:
            return Member(path, 0, SkippedFile("cannot be read", error.strerror or ""))
        if stat.S_ISLNK(about.st_mode):
            return Member(path, 0, SkippedFile("link"))
        if not stat.S_ISREG(about.st_mode):
            return Member(path, 0, SkippedFile("not a regular file"))
        return Member(path, about.st_size, refuse(path, about.st_size), about.st_mtime_ns)


def is_junk(path: str) -> bool:
    """Whether `path` is something hidden or left about by an operating system."""
    return any(
        (part.startswith(".") and part not in (".", "..")) or part.lower() in _JUNK
        for part in path.split("/")
    )


def refuse(path: str, size: int) -> SkippedFile | None:
    """Why a member of this path and size must not be read; None if it may be."""
    if path.startswith("/") or ".." in path.split("/") or re.match(r"[A-Za-z]:", path):
        return SkippedFile("unsafe path")
    if size > MAX_FILE_BYTES:
        return SkippedFile("file too large", f"{size} bytes; {MAX_FILE_BYTES} are allowed")
    return SkippedFile("empty file") if size == 0 else None


def tidy(path: str) -> str:
    """`path` without "./" and doubled slashes."""
    if "//" not in path and "./" not in path and not path.endswith(("/", "/.")):
        return path or "."  # pathlib keeps the parts of each path that it sees
    return str(PurePosixPath(path))


def limited(data: bytes) -> bytes:
    """`data`, unless there is more of it than was declared possible."""
    if len(data) > MAX_FILE_BYTES:
        raise SkippedFile("file too large", f"more than {MAX_FILE_BYTES} bytes")
    return data
