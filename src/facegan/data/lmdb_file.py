"""LSUN's databases: an LMDB file read as it stands, without the library and without a lock.

A file that somebody else made is never mapped into memory: every page is read and checked, so a
damaged one ends in an error and not in a signal. Format: LMDB 0.9 (lmdb.h, mdb.c), little-endian,
64 bits: pages with a header of 16 bytes, two meta pages at the beginning, a B+ tree of keys; values
longer than half a page stand on pages of their own.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from facegan.data import sources
from facegan.data.members import Member, Members, SkippedFile, last_of_each_name
from facegan.data.sources import Source
from facegan.errors import DataError

FILE = "data.mdb"
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _META = 0x01, 0x02, 0x08
_HEADER = struct.Struct("<QHHHH")  # page number, padding, flags, lower, upper
_NODE = struct.Struct("<HHHH")  # low and high half of a size or page, flags, size of the key
_ENVIRONMENT = struct.Struct("<IIQQ")  # magic, version, address, size of the map
_DATABASE = struct.Struct("<IHHQQQQQ")  # page size, flags, depth, three counts, entries, root
_TAIL = struct.Struct("<QQ")  # last page, transaction
_ELSEWHERE, _SUBDATABASE, _DUPLICATES = 0x01, 0x02, 0x04
_NONE = 0xFFFFFFFFFFFFFFFF
_DEEPEST = 32


class _Value(NamedTuple):
    """Where a value stands: its first byte in the file, and how many there are."""

    start: int
    size: int


class LmdbSource(Source):
    """An LMDB environment whose values are pictures: a folder with data.mdb, or that file.

    Members are called by their keys, of 40 hexadecimal digits in LSUN. Keys are listed without
    reading a value.
    """

    kind = "LMDB"
    holds_files = False

    def members(self) -> Members:
        """List the keys, in their order; see `Source.members`."""
        self.junk = 0
        self._starts, self._sizes = array("q"), array("q")
        members = Members()
        with self._reader() as reader:
            for key, value in reader.entries():
                path = _name(key, len(members))
                refused = sources.refuse(path, value.size)
                members.append(Member(path, value.size, refused))
                self._starts.append(value.start)
                self._sizes.append(value.size)
        return last_of_each_name(members)

    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """Read the chosen values; see `Source.read`."""
        with self._reader() as reader:
            for number, (start, size) in enumerate(zip(self._starts, self._sizes, strict=True)):
                if number in chosen:
                    try:
                        yield number, reader.bytes_at(start, size)
                    except _Damaged as error:
                        yield number, SkippedFile("damaged in the database", str(error))

    @property
    def file(self) -> Path:
        """The file with the pages."""
        return self.path / FILE if self.path.is_dir() else self.path

    def _reader(self) -> _Environment:
        return _Environment(self.file)


class _Damaged(Exception):
    """What a page says cannot be."""


class _Environment:
    """The pages of a file; a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> _Environment:
        try:
            self._file = self.path.open("rb", buffering=0)
            self._size = os.fstat(self._file.fileno()).st_size
            try:
                self._page_size, self._root, self._pages = self._newest_meta()
            except BaseException:
                self._file.close()
                raise
        except _Damaged as error:
            raise self._refused(error) from error
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read ({error.strerror}).", "Check its permissions."
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def entries(self) -> Iterator[tuple[bytes, _Value]]:
        """Every key with the place of its value, in the order of the keys.

        Raises:
            DataError: the file is damaged, cut short, or of another form.
        """
        if self._root == _NONE:
            return
        try:
            yield from self._below(self._root, 0, {self._root})
        except _Damaged as error:
            raise self._refused(error) from error
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read ({error.strerror}).", "Check the disk."
            ) from error

    def bytes_at(self, start: int, size: int) -> bytes:
        """These bytes of the file."""
        if start + size > self._size:
            raise _Damaged("it ends before a value does")
        self._file.seek(start)
        data = self._file.read(size) or b""
        while len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                raise _Damaged("it ends before a value does")
            data += more
        return data

    def _newest_meta(self) -> tuple[int, int, int]:
        """Page size, root of the main tree, and number of pages, by the last whole transaction."""
        found: list[tuple[int, int, int, int]] = []
        size = 4096
        for page in range(2):
            start = page * size
            if self._size < start + 512:
                break
            block = self.bytes_at(start, 512)
            at = _HEADER.size
            flags = _HEADER.unpack_from(block)[2]
            magic, version, _, _ = _ENVIRONMENT.unpack_from(block, at)
            if magic != _MAGIC or not flags & _META:
                if page == 0:
                    raise _Damaged("it is no LMDB file")
                continue
            if version != _VERSION:
                raise _Damaged(f"its format is {version}, and {_VERSION} is read")
            at += _ENVIRONMENT.size
            size = _DATABASE.unpack_from(block, at)[0]
            if not 512 <= size <= 65536 or size & (size - 1):
                raise _Damaged(f"pages of {size} bytes")
            main = _DATABASE.unpack_from(block, at + _DATABASE.size)
            if main[1] & 0x04:
                raise _Damaged("its keys have several values")
            last, transaction = _TAIL.unpack_from(block, at + 2 * _DATABASE.size)
            found.append((transaction, size, main[7], last + 1))
        if not found:
            raise _Damaged("it is no LMDB file")
        _, size, root, pages = max(found)
        if pages * size > self._size:
            raise _Damaged(f"{self._size:,} of {pages * size:,} bytes are there")
        return size, root, pages

    def _below(self, number: int, depth: int, seen: set[int]) -> Iterator[tuple[bytes, _Value]]:
        if depth > _DEEPEST:
            raise _Damaged("its tree is too deep")
        page = self._page(number)
        _, _, flags, lower, _ = _HEADER.unpack_from(page)
        count = (lower - _HEADER.size) // 2
        if lower < _HEADER.size or lower > len(page):
            raise _Damaged(f"page {number} is none")
        places = struct.unpack_from(f"<{count}H", page, _HEADER.size)
        for place in places:
            if place + _NODE.size > len(page):
                raise _Damaged(f"page {number} is none")
            low, high, node_flags, key_size = _NODE.unpack_from(page, place)
            begin = place + _NODE.size
            if begin + key_size > len(page):
                raise _Damaged(f"page {number} is none")
            if flags & _BRANCH:
                child = low | high << 16 | node_flags << 32
                if child in seen:
                    raise _Damaged("its tree leads back")
                seen.add(child)
                yield from self._below(child, depth + 1, seen)
                continue
            if not flags & _LEAF:
                raise _Damaged(f"page {number} is none of its tree")
            if node_flags & (_SUBDATABASE | _DUPLICATES):
                raise _Damaged("it holds several databases")
            key = page[begin : begin + key_size]
            size = low | high << 16
            if node_flags & _ELSEWHERE:
                yield key, self._elsewhere(page, begin + key_size, size)
            else:
                if begin + key_size + size > len(page):
                    raise _Damaged(f"page {number} is none")
                yield key, _Value(number * self._page_size + begin + key_size, size)

    def _elsewhere(self, page: bytes, at: int, size: int) -> _Value:
        """A value on pages of its own, whose number stands where the value would."""
        if at + 8 > len(page):
            raise _Damaged("a value is nowhere")
        (number,) = struct.unpack_from("<Q", page, at)
        start = number * self._page_size + _HEADER.size
        if number >= self._pages or start + size > self._pages * self._page_size:
            raise _Damaged("a value lies beyond the end")
        return _Value(start, size)

    def _page(self, number: int) -> bytes:
        if not 2 <= number < self._pages:
            raise _Damaged(f"page {number} of {self._pages}")
        return self.bytes_at(number * self._page_size, self._page_size)

    def _refused(self, error: _Damaged) -> DataError:
        return DataError(
            f"{self.path} is damaged or cut short, or no LMDB of pictures ({error}).",
            "Fetch it again, and compare its size.",
        )


def _name(key: bytes, number: int) -> str:
    """A key as a path; one that is no text by its number."""
    text = key.decode("utf-8", "backslashreplace")
    if not text or not text.isprintable() or text.startswith("/") or ".." in text:
        return f"{number:08}"
    return sources.tidy(text)


def is_lmdb(head: bytes) -> bool:
    """Whether a file that begins like that is an LMDB file."""
    return len(head) >= 24 and struct.unpack_from("<I", head, _HEADER.size)[0] == _MAGIC
