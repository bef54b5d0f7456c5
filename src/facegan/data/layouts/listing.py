"""What a layout is recognised by: the files of a source, and those that lie beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from posixpath import basename
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from facegan.data.kinds import could_be_picture
from facegan.data.labels import Reading
from facegan.data.members import Paths, SkippedFile
from facegan.data.sources import FolderSource, Source
from facegan.errors import DataError

# Folders above a source that are looked at, and those in them where lists are kept.
_LEVELS = 3
_SHELVES = ("", "Anno", "Eval", "anno", "eval", "annotations", "labels")


class SideFile(NamedTuple):
    """A file that says something of pictures, inside a source or beside it.

    Attributes:
        name: its path inside the source, or its name beside it.
        where: the same with the place of the source, for errors.
        number: which member of the source it is; None beside it.
        place: where it lies beside it; None inside.
    """

    name: str
    where: str
    number: int | None
    place: Path | None


class Listing:
    """The files of a source, by path.

    Args:
        source: a source that was listed.
        paths: of the members that can be used.
        numbers: of these members in the source's own order; 0, 1, … by default.
        reading: how the columns of the tables that come along become labels.

    Attributes:
        pictures: paths of those that may be pictures, by their names.
    """

    def __init__(
        self,
        source: Source,
        paths: Sequence[str],
        numbers: Sequence[int] | npt.NDArray[np.integer] | None = None,
        reading: Reading | None = None,
    ) -> None:
        self.source, self.paths, self.reading = source, paths, reading or Reading()
        self._numbers = range(len(paths)) if numbers is None else numbers
        self.pictures: Sequence[str] = paths
        if source.holds_files:
            likely = np.fromiter(map(could_be_picture, paths), np.bool_, len(paths))
            if isinstance(paths, Paths):
                self.pictures = paths.those(likely)
            else:
                self.pictures = [path for path, fine in zip(paths, likely, strict=True) if fine]

    @cached_property
    def _side_numbers(self) -> dict[str, int]:
        """Path → number of the member, of files that are no pictures by their names."""
        return self.numbers(path for path in self.paths if not could_be_picture(path))

    def numbers(self, paths: Iterable[str]) -> dict[str, int]:
        """Path → number of the member, of these."""
        wanted = set(paths)
        every = zip(self.paths, self._numbers, strict=True)
        return {path: int(number) for path, number in every if path in wanted}

    @cached_property
    def _by_name(self) -> Mapping[str, str]:
        """Name → the path nearest to the top, of files that are no pictures."""
        found: dict[str, str] = {}
        for path in self.paths:
            name = basename(path)
            if not could_be_picture(path) and (
                name not in found or path.count("/") < found[name].count("/")
            ):
                found[name] = path
        return found

    def named(self, name: str) -> SideFile | None:
        """The side file of this name: inside the source, or beside it and in the folders above."""
        inside = self._by_name.get(name)
        if inside is not None:
            return self.inside(inside)
        for folder in self.around:
            for shelf in _SHELVES:
                place = folder / shelf / name
                with contextlib.suppress(OSError):
                    if place.is_file():
                        return SideFile(name, str(place), None, place)
        return None

    def inside(self, path: str) -> SideFile:
        """A file of the source as a side file."""
        place = self.source.path / path
        where = (
            str(place) if isinstance(self.source, FolderSource) else f"{self.source.name}: {path}"
        )
        return SideFile(path, where, self._side_numbers[path], None)

    @cached_property
    def around(self) -> list[Path]:
        """The folders above the source, the nearest first."""
        return list(self.source.path.resolve().parents[:_LEVELS])

    @contextlib.contextmanager
    def opened(self, side: SideFile) -> Iterator[IO[bytes]]:
        """A side file, open for reading.

        Raises:
            DataError: it cannot be read.
        """
        try:
            if side.number is None:
                assert side.place is not None
                with side.place.open("rb") as file:
                    yield file
            else:
                with self.source.stream(side.number) as stream:
                    yield stream
        except SkippedFile as error:
            raise DataError(
                f"{side.where} cannot be read ({error.reason}).", "Fetch the file again."
            ) from error
        except OSError as error:
            raise DataError(
                f"{side.where} cannot be read ({error.strerror or error}).", "Fetch the file again."
            ) from error

    def read(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of many small files of the source, in its order; without unreadable ones."""
        wanted = {number: path for path, number in self.numbers(paths).items()}
        for number, content in self.source.read(wanted):
            if isinstance(content, bytes):
                yield wanted[number], content
