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
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from facegan.data.labels import Reading
from facegan.data.skipped import SkippedFile
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


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source.

    Attributes:
        path: where it lies inside the source, parts separated by "/".
        size: bytes, uncompressed, as declared.
        refused: why it must not be read, or None.
        stamp: when it was changed, in nanoseconds; 0 in an archive, which has a hash.
    """

    path: str
    size: int
    refused: SkippedFile | None = None
    stamp: int = 0


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
    def members(self) -> list[Member]:
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

    def members(self) -> list[Member]:
        """List the tree, sorted by path; see `Source.members`."""
        self.junk = 0
        self._found = sorted(self._walk(), key=lambda member: member.path)
        for member in self._found:
            if not member.refused and self._describes_better(member.path):
                with contextlib.suppress(SkippedFile):
                    self.description = (member.path, self._content(member.path))
        return self._found

    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """Read the chosen files; see `Source.read`."""
        for index, member in enumerate(self._found):
            if index in chosen:
                try:
                    yield index, self._content(member.path)
                except SkippedFile as unusable:
                    yield index, unusable

    def stream(self, number: int) -> IO[bytes]:
        """One file, open; see `Source.stream`."""
        return (self.path / self._found[number].path).open("rb")

    def _content(self, path: str) -> bytes:
        try:
            with (self.path / path).open("rb") as file:
                return limited(file.read(MAX_FILE_BYTES + 1))
        except OSError as error:
            raise SkippedFile("cannot be read", error.strerror or str(error)) from error

    def _walk(self) -> Iterator[Member]:
        folders = [""]
        while folders:
            prefix = folders.pop()
            try:
                entries = list(os.scandir(self.path / prefix))
            except OSError as error:
                if not prefix:
                    raise DataError(
                        f"{self.path} cannot be read ({error.strerror}).", "Check its permissions."
                    ) from error
                yield Member(prefix, 0, SkippedFile("cannot be read", error.strerror or ""))
                continue
            for entry in entries:
                path = prefix + entry.name
                if is_junk(path):
                    self.junk += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path + "/")
                else:
                    yield self._member(path)

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


def last_of_each_name(members: list[Member]) -> list[Member]:
    """`members`, refusing all but the last of those that share a path, as unpacking would."""
    last = {member.path: index for index, member in enumerate(members) if not member.refused}
    return [
        member
        if member.refused or last[member.path] == index
        else Member(member.path, member.size, SkippedFile("duplicate name", "a later one is kept"))
        for index, member in enumerate(members)
    ]
