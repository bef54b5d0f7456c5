"""Tables of label values, and how their rows find their images."""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import splitext

import numpy as np
import numpy.typing as npt

from facegan.errors import DataError

_NAME_COLUMNS = ("image", "file", "filename", "file_name", "name", "image_id", "path")
_MISSING = ("", "nan", "na", "n/a")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class LabelTable:
    """Label values by file.

    Attributes:
        source: what the table is called, for messages and the card.
        names: the L label names.
        rows: file → row of `values`. A file is a name or a relative path, with or without
            its extension.
        values: float32 [M,L], NaN where missing; or int32 [M], for each file the number of the
            one column that is 1 where the others are 0.
    """

    source: str
    names: tuple[str, ...]
    rows: dict[str, int]
    values: npt.NDArray[np.float32] | npt.NDArray[np.int32]

    def join(self, paths: Sequence[str]) -> Joined:
        """Give each of the n images at `paths` its row.

        The longest match wins: the whole path, then ever shorter ends of it down to the bare
        file name; each with and without its extension.

        Raises:
            DataError: no row fits any image, or one row fits several.
        """
        taken: dict[int, int] = {}
        for index, path in enumerate(paths):
            row = next((self.rows[key] for key in _keys(path) if key in self.rows), None)
            if row is None:
                continue
            if row in taken:
                raise DataError(
                    f"{self.source}: one row fits both {paths[taken[row]]} and {path}.",
                    "Name files by their paths relative to the source's top folder.",
                )
            taken[row] = index
        if not taken:
            raise DataError(
                f"{self.source}: none of its {len(self.rows)} rows fits an image. It names files "
                f"like {next(iter(self.rows))!r}, the source has files like {paths[0]!r}.",
                "The first column, or one called image or file, must hold the images' file names.",
            )
        found = np.full(len(paths), -1, np.int64)
        found[list(taken.values())] = list(taken)
        return Joined(self, found, len(self.rows) - len(taken))

    @classmethod
    def from_csv(cls, path: Path | str) -> LabelTable:
        """Read a CSV: a header, then one line a file with a number for each label.

        The file stands in the column called image, file, filename, name, image_id or path,
        otherwise in the first. Empty cells, `nan` and `NA` are missing values.

        Raises:
            DataError: naming the line, whatever is wrong with the file.
        """
        path = Path(path)
        lines = _lines(path)
        _, header = next(lines, (0, []))
        at = _check_header(path, header)
        names = tuple(name.strip() for column, name in enumerate(header) if column != at)
        rows: dict[str, int] = {}
        seen: dict[str, int] = {}
        values: list[list[float]] = []
        for number, cells in lines:
            if len(cells) != len(header):
                raise DataError(
                    f"{path}, line {number}: {len(cells)} values, but the header has "
                    f"{len(header)}.",
                    "Every line needs as many values as the header; leave missing ones empty.",
                )
            key = _normal(cells.pop(at))
            if key in seen:
                raise DataError(
                    f"{path}, line {number}: {key!r} was already on line {seen[key]}.",
                    "Keep one row a file.",
                )
            seen[key] = number
            rows[key] = len(values)
            values.append(
                [_number(path, number, name, c) for name, c in zip(names, cells, strict=True)]
            )
        if not rows:
            raise DataError(f"{path} has a header, but no rows.", "Add one line a file.")
        return cls(path.name, names, rows, np.array(values, np.float32))


@dataclass(frozen=True)
class Joined:
    """Label values in the order of the images that asked for them.

    They are made when they are asked for: as columns, class numbers take a thousand times as
    much memory.

    Attributes:
        table: where they stand.
        rows: int64 [n]: the row of each image; −1 where it has none.
        unused_rows: how many rows fit no image.
    """

    table: LabelTable
    rows: npt.NDArray[np.int64]
    unused_rows: int

    @property
    def matched(self) -> npt.NDArray[np.bool_]:
        """Which images have a row: bool [n]."""
        return self.rows >= 0

    def values(self, indices: Sequence[int]) -> npt.NDArray[np.float32]:
        """The values of some of the images: float32 [len(indices),L]; NaN where missing."""
        rows = self.rows[list(indices)]
        found = np.full((len(rows), len(self.table.names)), np.nan, np.float32)
        there = rows >= 0
        known = self.table.values[rows[there]]
        if known.ndim == 1:
            found[there] = 0
            found[np.flatnonzero(there), known] = 1
        else:
            found[there] = known
        return found


def _check_header(path: Path, header: list[str]) -> int:
    """The number of the column that names the files."""
    if not header:
        raise DataError(f"{path} is empty.", "A labels file starts with a line of column names.")
    if len(header) == 1:
        other = next((d for d in (";", "\t", "|") if d in header[0]), None)
        if other is not None:
            raise DataError(
                f"{path}, line 1: the columns are separated by {other!r}.", "Separate by commas."
            )
        raise DataError(
            f"{path}, line 1: there is only one column, {header[0]!r}.",
            "Give a column of file names and at least one of numbers, separated by commas.",
        )
    names = [name.strip() for name in header]
    seen: set[str] = set()
    for column, name in enumerate(names):
        if not name or name in seen:
            what = f"{name!r} names two columns" if name else f"column {column + 1} has no name"
            raise DataError(f"{path}, line 1: {what}.", "Give each column its own name.")
        if not name.isprintable():
            raise DataError(
                f"{path}, line 1: the name of column {column + 1}, {name!r:.80}, has signs "
                "that cannot be printed.",
                "Use letters, digits and signs that can be seen.",
            )
        seen.add(name)
    lower = [name.lower() for name in names]
    return next((lower.index(name) for name in _NAME_COLUMNS if name in lower), 0)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV that are not blank, with their numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except FileNotFoundError as error:
        raise DataError(
            f"There is no labels file at {path}.", "Give the path of a CSV file."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Give a CSV file.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}).",
            "Save it as CSV in UTF-8.",
        ) from error
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error}.", "Save it as plain CSV."
        ) from error


def _number(path: Path, line: int, name: str, cell: str) -> float:
    cell = cell.strip()
    if cell.lower() in _MISSING:
        return math.nan
    # Python's own numbers may have other digits than these, and underscores.
    value = float(cell) if _NUMBER.fullmatch(cell) else math.inf
    if not abs(value) <= _FLOAT32_MAX:
        raise DataError(
            f"{path}, line {line}: {name} is {cell!r}, not a finite number.",
            "Labels are numbers (0 and 1 for yes and no); leave missing ones empty, and remove "
            "columns of text.",
        )
    return value


def _keys(path: str) -> Iterator[str]:
    """What a table may call the image at `path`, most telling first."""
    parts = PurePosixPath(_normal(path)).parts
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        yield end
        yield splitext(end)[0]


def _normal(path: str) -> str:
    """One spelling for one path: "/" between parts, no "./", composed characters."""
    return unicodedata.normalize("NFC", str(PurePosixPath(path.strip().replace("\\", "/"))))
