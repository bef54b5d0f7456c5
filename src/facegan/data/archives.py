"""Archives as sources: tar (plain, gzip, bzip2, xz) read as a stream, zip read by member."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Container, Iterator
from typing import IO, Any, Self, cast

from facegan.data import sources
from facegan.data.members import Member, Members, SkippedFile, last_of_each_name
from facegan.data.sources import BZIP2, GZIP, XZ, Source, is_junk, limited, refuse, tidy
from facegan.errors import DataError, one_line

_BLOCK = 1 << 20
# Readings at the end of an archive that give nothing: whole archives need one or two.
_MOST_EMPTY = 4
_INFLATERS: dict[bytes, Callable[[IO[bytes]], io.BufferedIOBase]] = {
    GZIP: lambda packed: gzip.GzipFile(fileobj=packed),
    BZIP2: bz2.BZ2File,
    XZ: lzma.LZMAFile,
}
# What the standard library lets out when it meets a broken archive.
_TAR_DAMAGE = (
    *(tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError),
    *(ValueError, LookupError, TypeError, OverflowError, RecursionError, MemoryError),
)
_ZIP_DAMAGE = (
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    ValueError,
    struct.error,
    *(LookupError, TypeError, OverflowError, RecursionError),
)


class TarSource(Source):
    """A tar archive. Each reading goes through it once, from its beginning to its end."""

    kind = "tar archive"

    def members(self) -> Members:
        """List the archive in its own order; see `Source.members`."""
        self.junk = 0
        digest = hashlib.sha256()
        found = Members()
        # Of each header, whether it is a member.
        self._listed = bytearray()
        with self._damage_reported():
            for info, file in self._stream(digest):
                member = self._member(info, file)
                self._listed.append(member is not None)
                if member is not None:
                    found.append(member)
        self.sha256 = digest.hexdigest()
        return last_of_each_name(found)

    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """Read the chosen members; see `Source.read`."""
        index = -1
        with self._damage_reported():
            for position, (info, file) in enumerate(self._stream()):
                # An archive that grew since it was listed has more than was listed.
                if position >= len(self._listed) or not self._listed[position]:
                    continue
                index += 1
                if index in chosen and file is not None:
                    try:
                        # Room is made for as much as is asked for, so no more is.
                        most = min(info.size, sources.MAX_FILE_BYTES)
                        yield index, limited(file.read(most + 1))
                    except SkippedFile as unusable:
                        yield index, unusable

    def _member(self, info: tarfile.TarInfo, file: IO[bytes] | None) -> Member | None:
        if info.isdir():
            return None
        path = tidy(info.name)
        if is_junk(path):
            self.junk += 1
            return None
        if info.issym() or info.islnk():
            return Member(path, 0, SkippedFile("link", f"to {info.linkname}"))
        if info.issparse():  # its holes are not in the archive: a few bytes stand for gigabytes
            return Member(path, 0, SkippedFile("sparse file"))
        if file is None:
            return Member(path, 0, SkippedFile("not a regular file"))
        member = Member(path, info.size, refuse(path, info.size))
        if not member.refused and self._describes_better(path):
            self.description = (path, file.read())
        return member

    def _stream(
        self, digest: hashlib._Hash | None = None
    ) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
        """Every header with, for a regular file, its content; valid until the next is asked for."""
        with self.path.open("rb") as raw:
            packed = _Counted(raw, digest)
            plain = _Inflated(packed)
            archive = cast(IO[bytes], plain)
            with tarfile.open(fileobj=archive, mode="r|", tarinfo=_Info) as tar:
                for info in tar:
                    plain_file = info.isreg() and not info.issparse()
                    yield info, tar.extractfile(info) if plain_file else None
                    cast(Any, tar).members.clear()  # else all headers stay: half a kilobyte each
            while plain.rest(_BLOCK):  # a checksum stands at the very end
                pass
            while packed.read(_BLOCK):
                pass

    @contextlib.contextmanager
    def _damage_reported(self) -> Iterator[None]:
        try:
            yield
        except _TAR_DAMAGE as error:
            raise DataError(
                f"{self.path} is damaged or cut short, or is not a tar archive "
                f"({one_line(error)}).",
                "Fetch or make the archive again, and compare its checksum.",
            ) from error


class ZipSource(Source):
    """A zip archive."""

    kind = "zip archive"

    def members(self) -> Members:
        """List the archive in its own order; see `Source.members`."""
        self.junk = 0
        digest = hashlib.sha256()
        with self._open() as archive, self.path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
            infos = archive.infolist()
            self._check_whole([info for info in infos if not info.is_dir()])
            members = Members()
            # Where the members stand in the archive's own list.
            self._places = array("i")
            for place, info in enumerate(infos):
                member = self._member(info)
                if member is not None:
                    members.append(member)
                    self._places.append(place)
            last_of_each_name(members)
            for place, member in zip(self._places, members, strict=True):
                if not member.refused and self._describes_better(member.path):
                    with contextlib.suppress(SkippedFile):
                        self.description = (member.path, _content(archive, infos[place]))
        self.sha256 = digest.hexdigest()
        return members

    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """Read the chosen members; see `Source.read`."""
        with self._open() as archive:
            infos = self._infos(archive)
            for index, place in enumerate(self._places):
                if index in chosen:
                    try:
                        yield index, _content(archive, infos[place])
                    except SkippedFile as unusable:
                        yield index, unusable

    def stream(self, number: int) -> IO[bytes]:
        """One member, read and inflated as it is asked for; see `Source.stream`."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                info = self._infos(archive)[self._places[number]]
                return io.BufferedReader(_Unzipped(archive.open(info)))
        except _ZIP_DAMAGE as error:
            raise SkippedFile("damaged in the archive", str(error)) from error
        except (NotImplementedError, RuntimeError) as error:
            raise SkippedFile("cannot be read", str(error)) from error

    def _member(self, info: zipfile.ZipInfo) -> Member | None:
        if info.is_dir():
            return None
        path = tidy(info.filename.replace("\\", "/"))
        if is_junk(path):
            self.junk += 1
            return None
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            return Member(path, 0, SkippedFile("link"))
        if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
            return Member(path, 0, SkippedFile("not a regular file"))
        return Member(path, info.file_size, refuse(path, info.file_size))

    def _infos(self, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        """The archive's own list: half a kilobyte a file, so it is not kept."""
        infos = archive.infolist()
        if self._places and self._places[-1] >= len(infos):
            raise zipfile.BadZipFile("it has changed since it was listed")
        return infos

    def _check_whole(self, infos: list[zipfile.ZipInfo]) -> None:
        if any(info.flag_bits & 0x1 for info in infos):
            raise DataError(
                f"{self.path} is encrypted.", "Decrypt it, or unpack it and give the folder."
            )
        _check_ratio(sum(i.file_size for i in infos), self.path.stat().st_size)

    @contextlib.contextmanager
    def _open(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (*_ZIP_DAMAGE, NotImplementedError) as error:
            raise DataError(
                f"{self.path} is a damaged or incomplete zip archive ({one_line(error)}).",
                "Fetch or make the archive again, and compare its checksum.",
            ) from error


class _Unzipped(io.RawIOBase):
    """A member of a zip whose damage is met as an error of reading, whatever zlib says of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except _ZIP_DAMAGE as error:
            raise OSError(f"damaged in the archive: {one_line(error)}") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as file:
            return limited(file.read(sources.MAX_FILE_BYTES + 1))
    except _ZIP_DAMAGE as error:
        raise SkippedFile("damaged in the archive", str(error)) from error
    except (NotImplementedError, RuntimeError) as error:
        raise SkippedFile("cannot be read", str(error)) from error


class _Info(tarfile.TarInfo):
    """Headers that insist on a proper end: tarfile takes a broken header for it in silence."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # a block of zeros is the proper end
            raise tarfile.ReadError(str(error)) from error


class _Counted:
    """A file that counts, and hashes if asked to, what is read from it."""

    def __init__(self, file: IO[bytes], digest: hashlib._Hash | None) -> None:
        self._file, self._digest = file, digest
        self.count = 0

    def peek(self, size: int) -> bytes:
        head = self._file.read(size)
        self._file.seek(-len(head), io.SEEK_CUR)
        return head

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        if self._digest is not None:
            self._digest.update(data)
        return data


class _Inflated:
    """The decompressed content of a `_Counted` file; refuses to grow without measure."""

    def __init__(self, packed: _Counted) -> None:
        self._packed, self._count, self._empty = packed, 0, 0
        self._file: io.BufferedIOBase | _Counted = packed
        head = packed.peek(6)
        for magic, inflater in _INFLATERS.items():
            if head.startswith(magic):
                self._file = inflater(cast(IO[bytes], packed))

    def read(self, size: int = -1) -> bytes:
        data = self.rest(size)
        # tarfile "reads" on to where a header says that a member ends, however far that is.
        self._empty = 0 if data else self._empty + 1
        if self._empty > _MOST_EMPTY:
            raise EOFError("it ends before its members do")
        return data

    def rest(self, size: int) -> bytes:
        """What is left, `size` bytes at a time; empty at the end, as often as it is asked."""
        data = self._file.read(size)
        self._count += len(data)
        _check_ratio(self._count, self._packed.count)
        return data


def _check_ratio(plain: int, packed: int) -> None:
    if plain > sources.RATIO_FLOOR and plain > sources.MAX_RATIO * max(packed, 1):
        raise DataError(
            f"The archive would unpack to more than {sources.MAX_RATIO} times its size: "
            "it looks like a decompression bomb.",
            "If you trust it, unpack it yourself and give the folder.",
        )
