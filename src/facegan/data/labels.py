"""Tables of label values: what each column means, and how rows find their images."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from posixpath import splitext
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from facegan.data.kinds import PICTURES
from facegan.data.tables import Column, Table
from facegan.errors import DataError, nearest, one_line

Repeats = Literal["refuse", "average"]
# Why a column is not used that was left out of those to use.
NOT_ASKED_FOR = "not asked for"

_MISSING = frozenset(("", "nan", "na", "n/a", "<na>"))
# Missing beside numbers or yes and no; among words they are words.
_SOFT_MISSING = frozenset(("none", "null", "?", "-", "unknown"))
_YES, _NO = frozenset(("yes", "true", "y", "t")), frozenset(("no", "false", "n", "f"))
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
# What somebody meant as a number: digits of any script, signs, an exponent, a hexadecimal mark.
_LIKE_NUMBER = re.compile(r"[+-]*(?:0[xX][0-9a-fA-F]+|[\d._, ]+(?:[eE][+-]?\d*)?)")
_INFINITE = re.compile(r"[+-]?(?:inf|infinity)", re.IGNORECASE)
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_MOST_CLASSES = 256
_LONGEST_WORD = 60
# Distinct values of a column: ways to write −1, 1 and nothing.
_FEW = 10


@dataclass(frozen=True)
class Reading:
    """How the columns of a table become labels.

    Attributes:
        columns: names of those to use; all by default.
        classes: names of columns whose numbers are classes.
        repeats: what becomes of several rows for one file that differ: an error, or their mean.
    """

    columns: tuple[str, ...] | None = None
    classes: tuple[str, ...] = ()
    repeats: Repeats = "refuse"


class NoLabelsError(DataError):
    """No column of a table can be labels."""


@dataclass(frozen=True)
class LabelTable:
    """Label values by file.

    Attributes:
        source: what the table is called, for messages and the card.
        names: the L label names; of a class `COLUMN=WORD`.
        rows: file → row of `values`. A file is a name or a relative path, with or without
            its extension.
        values: float32 [M,L], NaN where missing; or int32 [M], for each file the number of the
            one column that is 1 where the others are 0.
        about: what each column was taken for, a sentence each.
        unused: columns that were not used → why not.
        notes: what was guessed or merged, a sentence each.
    """

    source: str
    names: tuple[str, ...]
    rows: Mapping[str, int]
    values: npt.NDArray[np.float32] | npt.NDArray[np.int32]
    about: tuple[str, ...] = ()
    unused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def join(self, paths: Sequence[str]) -> Joined:
        """Give each of the n images at `paths` its row.

        The longest match wins: the whole path, then ever shorter ends of it down to the bare
        file name; each with and without its extension. Rows and images that are left over find
        each other by the same ends without any extension, then where the row's path ends as the
        image's, as in a table that was written elsewhere; only where no other could be meant.

        Raises:
            DataError: no row fits any image, or one row fits several.
        """
        taken: dict[int, int] = {}
        alone: list[int] = []
        for index, path in enumerate(paths):
            row = next((self.rows[key] for key in keys_of(path) if key in self.rows), None)
            if row is None:
                alone.append(index)
                continue
            if row in taken:
                raise DataError(
                    f"{self.source}: one row fits both {paths[taken[row]]} and {path}.",
                    "Name files by their paths relative to the source's top folder.",
                )
            taken[row] = index
        exact = len(taken)
        if alone and exact < len(self.rows):
            self._join_loosely(paths, alone, taken)
        if not taken:
            raise DataError(
                f"{self.source}: none of its {len(self.rows)} rows fits an image. It names files "
                f"like {next(iter(self.rows))!r}, the source has files like {paths[0]!r}.",
                "The first column, or one called image or file, must hold the images' file names.",
            )
        found = np.full(len(paths), -1, np.int64)
        found[list(taken.values())] = list(taken)
        return Joined(self, found, len(set(self.rows.values())) - len(taken), len(taken) - exact)

    def _join_loosely(
        self, paths: Sequence[str], alone: Sequence[int], taken: dict[int, int]
    ) -> None:
        """Rows left over for images left over; what could mean several is left alone."""
        left = {key: row for key, row in self.rows.items() if row not in taken}
        stems = _unambiguous((_stem(key), row) for key, row in left.items())
        # A row that was written elsewhere has more of a path than the image has.
        ends = _unambiguous(
            (end, row) for key, row in left.items() if "/" in key for end in _ends(_stem(key))
        )
        bare = _unambiguous(
            (_stem(key).rpartition("/")[2], row) for key, row in left.items() if _absolute(key)
        )
        found: dict[int, list[int]] = {}
        for index in alone:
            stem = _stem(_normal(paths[index]))
            row = next((stems[end] for end in _ends(stem) if stems.get(end) is not None), None)
            if row is None:
                row = ends.get(stem)
            if row is None:
                row = bare.get(stem.rpartition("/")[2])
            if row is not None:
                found.setdefault(row, []).append(index)
        taken.update({row: images[0] for row, images in found.items() if len(images) == 1})

    def only(self, columns: Sequence[str]) -> LabelTable:
        """The same with the labels of these columns alone; a class belongs to its column.

        Raises:
            DataError: there is no such column.
        """
        known = list(dict.fromkeys(name.partition("=")[0] for name in self.names))
        for name in columns:
            if name not in known:
                raise DataError(
                    f"{self.source} has no column {one_line(name, 80)!r}.", nearest(name, known)
                )
        chosen = [n for n, name in enumerate(self.names) if name.partition("=")[0] in columns]
        if len(chosen) == len(self.names) or self.values.ndim == 1:
            return self
        about = tuple(said for said in self.about if said.partition(":")[0] in columns)
        names = tuple(self.names[n] for n in chosen)
        unused = dict(self.unused) | {name: NOT_ASKED_FOR for name in known if name not in columns}
        return replace(self, names=names, values=self.values[:, chosen], about=about, unused=unused)

    @classmethod
    def of(cls, table: Table, reading: Reading | None = None) -> LabelTable:
        """The labels in a table.

        Numbers stay numbers, −1 and 1 become 0 and 1, yes and no become 1 and 0, words become
        classes: a label for each, 1 for the pictures that it names. Empty cells, `nan` and `NA`
        are missing values.

        Raises:
            DataError: naming the line, whatever is wrong with the table.
        """
        reading = reading or Reading()
        columns, classes = reading.columns, reading.classes
        by_name = {column.name: column for column in table.columns}
        for name in (*(columns or ()), *classes):
            if name not in by_name:
                raise DataError(
                    f"{table.where} has no column {one_line(name, 80)!r}.",
                    nearest(name, list(by_name)),
                )
        wanted = [column for column in table.columns if columns is None or column.name in columns]
        unused = {column.name: NOT_ASKED_FOR for column in table.columns if column not in wanted}
        signed = _signed(table)
        parts: list[npt.NDArray[np.float32]] = []
        names: list[str] = []
        about: list[str] = []
        for column in wanted:
            asked = columns is not None or column.name in classes
            taken = _taken(column, table, signed, column.name in classes, asked)
            if isinstance(taken, str):
                unused[column.name] = taken
                continue
            names += taken.names
            about.append(taken.about)
            parts.append(taken.values[np.frombuffer(column.codes, np.int32)])
        if not names:
            said = "; ".join(f"{name}: {why}" for name, why in unused.items())
            raise NoLabelsError(
                f"{table.where} has no column of labels: {one_line(said)}.",
                "Labels are numbers, yes and no, or words that many pictures share.",
            )
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(
                f"{table.where}: two labels would be called {twice!r}.", "Rename a column."
            )
        rows, values, notes = _by_file(table, np.concatenate(parts, 1), reading.repeats)
        return cls(
            table.source,
            tuple(names),
            rows,
            values,
            tuple(about),
            unused,
            (*table.notes, *notes),
        )


@dataclass(frozen=True)
class Joined:
    """Label values in the order of the images that asked for them.

    They are made when they are asked for: as columns, class numbers take a thousand times as
    much memory.

    Attributes:
        table: where they stand.
        rows: int64 [n]: the row of each image; −1 where it has none.
        unused_rows: how many rows fit no image.
        loosely: how many images found their row by another ending or a path from elsewhere.
    """

    table: LabelTable
    rows: npt.NDArray[np.int64]
    unused_rows: int
    loosely: int = 0

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


class _Taken(NamedTuple):
    """What a column became.

    Attributes:
        names: of its labels.
        values: float32 [V, len(names)], a row for each of the column's distinct values.
        about: what it was taken for, a sentence.
    """

    names: list[str]
    values: npt.NDArray[np.float32]
    about: str


def _signed(table: Table) -> bool:
    """Whether some column has −1 and 1 alone: then they are no and yes in all of them."""
    return any(
        {_number(value, False) for value in column.values if value.lower() not in _MISSING}
        == {-1.0, 1.0}
        for column in table.columns
        if len(column.values) <= _FEW
    )


def _taken(
    column: Column, table: Table, signed: bool, as_classes: bool, asked: bool
) -> _Taken | str:
    """What a column says; or why it says nothing, in words."""
    numbers: dict[int, float] = {}
    truths: dict[int, float] = {}
    words: dict[int, str] = {}
    soft: dict[int, str] = {}
    for code, value in enumerate(column.values):
        low = value.lower()
        if low in _MISSING:
            continue
        number = None if as_classes else _number(value, table.decimal_comma)
        if number is not None and abs(number) <= _FLOAT32_MAX:
            numbers[code] = number
        elif low in _YES or low in _NO:
            truths[code] = float(low in _YES)
        elif low in _SOFT_MISSING:
            soft[code] = value
        else:
            words[code] = value
    if as_classes or (not numbers and words):
        return _classes(column, table, as_classes, asked)
    if truths and not words and set(numbers.values()) <= {0.0, 1.0}:
        return _plain(column, numbers | truths, "yes or no")
    if words or (truths and numbers):
        code = min([*words, *truths], key=lambda each: column.lines[each])
        raise _no_number(column, code, table)
    if truths:
        return _plain(column, truths, "yes or no")
    if not numbers:
        return "every value is missing" if not soft else "it says nothing"
    found = set(numbers.values())
    if found == {-1.0, 1.0} or (signed and found <= {-1.0, 1.0}):
        about = "yes or no, written as 1 and −1, now 1 and 0"
        return _plain(column, {c: (v + 1) / 2 for c, v in numbers.items()}, about)
    least, most = min(found), max(found)
    if least >= 0 and most <= 1:
        about = "yes or no" if found <= {0.0, 1.0} else "a share, 0 to 1"
    else:
        about = f"a quantity, {least:g} to {most:g}"
        if len(found) <= 20 and all(value == int(value) for value in found):
            about += (
                f" ({len(found)} whole numbers; ask for classes if they are numbers of classes)"
            )
    return _plain(column, numbers, about)


def _plain(column: Column, known: Mapping[int, float], about: str) -> _Taken:
    values = np.full((len(column.values), 1), np.nan, np.float32)
    values[list(known), 0] = list(known.values())
    return _Taken([column.name], values, f"{column.name}: {about}")


def _classes(column: Column, table: Table, as_classes: bool, asked: bool) -> _Taken | str:
    """Words as classes, their case and spaces folded."""
    folded: dict[int, str] = {}
    for code, value in enumerate(column.values):
        if value.lower() in _MISSING:
            continue
        if not as_classes and (_LIKE_NUMBER.fullmatch(value) or _INFINITE.fullmatch(value)):
            raise _no_number(column, code, table)
        number = _number(value, table.decimal_comma)
        folded[code] = fold(value) if number is None else f"{number:g}"
    words = sorted(set(folded.values()), key=_by_number)
    known = len(column) - sum(code not in folded for code in column.codes)
    if len(words) > (
        _MOST_CLASSES if as_classes or asked else min(_MOST_CLASSES, max(2, known / 2))
    ):
        return f"text with {len(words):,} different values"
    if any(len(word) > _LONGEST_WORD or not word.isprintable() for word in words):
        return "long text" if all(map(str.isprintable, words)) else "signs that cannot be printed"
    if len(words) < 2:
        return f"it says {words[0]!r} of every picture" if words else "every value is missing"
    values = np.full((len(column.values), len(words)), np.nan, np.float32)
    places = {word: place for place, word in enumerate(words)}
    for code, word in folded.items():
        values[code] = 0
        values[code, places[word]] = 1
    about = f"{column.name}: {len(words)} classes ({', '.join(words[:12])}"
    about += f", … {len(words) - 12} more)" if len(words) > 12 else ")"
    if len(folded) > len(words):
        about += f"; case and spaces folded: {len(folded)} spellings"
    return _Taken([class_label(column.name, word) for word in words], values, about)


def class_label(column: str, word: str) -> str:
    """The name of the label that says whether a picture is of a class."""
    return f"{column}={word}"


def fold(word: str) -> str:
    """What the spellings of one class have in common: case and spaces folded."""
    return " ".join(unicodedata.normalize("NFC", word).casefold().split())


def _by_number(word: str) -> tuple[float, str]:
    number = _number(word, False)
    return (math.inf if number is None else number, word)


def _number(cell: str, decimal_comma: bool) -> float | None:
    """The number that a cell is; None for what is none, infinity for one beyond measure."""
    if decimal_comma and cell.count(",") == 1 and "." not in cell:
        cell = cell.replace(",", ".")
    # Python's own numbers may have other digits than these, and underscores.
    return float(cell) if _NUMBER.fullmatch(cell) else None


def _no_number(column: Column, code: int, table: Table) -> DataError:
    return DataError(
        f"{table.where}, line {column.lines[code]}: {column.name} is "
        f"{one_line(column.values[code], 80)!r}, not a finite number.",
        "A column holds numbers, yes and no, or words; leave missing values empty. Choose the "
        "columns to use, or ask for this one as classes.",
    )


def _by_file(
    table: Table, values: npt.NDArray[np.float32], repeats: Repeats
) -> tuple[dict[str, int], npt.NDArray[np.float32], list[str]]:
    """Rows by file, several for one file merged."""
    rows: dict[str, int] = {}
    first: list[int] = []
    again: dict[int, list[int]] = {}
    keys = [_normal(value) for value in table.files.values]
    for number, code in enumerate(table.files.codes):
        if not table.files.values[code]:
            raise DataError(
                f"{table.where}, line {table.lines[number]} names no picture.",
                "Give every line the name of its picture.",
            )
        row = rows.setdefault(keys[code], len(first))
        if row == len(first):
            first.append(number)
        else:
            again.setdefault(row, [first[row]]).append(number)
    merged = values[first]
    different = 0
    for row, numbers in again.items():
        several = values[numbers]
        if np.array_equal(several, np.broadcast_to(several[0], several.shape), equal_nan=True):
            continue
        if repeats == "refuse":
            key = table.files.values[table.files.codes[numbers[0]]]
            other = next(
                n for n in numbers if not np.array_equal(values[n], several[0], equal_nan=True)
            )
            raise DataError(
                f"{table.where}, line {table.lines[other]}: {one_line(key, 80)!r} was already on "
                f"line {table.lines[numbers[0]]}, with other values.",
                "Keep one row a file, or have them averaged.",
            )
        different += 1
        known = ~np.isnan(several)
        sums = np.where(known, several, 0).sum(0, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            merged[row] = sums / known.sum(0)
    notes = []
    if again:
        extra = sum(map(len, again.values())) - len(again)
        notes.append(
            f"{len(again):,} files have several rows ({extra:,} more): "
            + (f"{different:,} that differ were averaged." if different else "they say the same.")
        )
    return rows, merged, notes


def _unambiguous(pairs: Iterator[tuple[str, int]]) -> dict[str, int | None]:
    """Key → row, None where several rows have it."""
    found: dict[str, int | None] = {}
    for key, row in pairs:
        found[key] = row if found.get(key, row) == row else None
    return found


def _ends(path: str) -> Iterator[str]:
    """The path and ever shorter ends of it."""
    yield path
    while "/" in path:
        path = path.partition("/")[2]
        if path:
            yield path


def _stem(path: str) -> str:
    """The path without the extension of a picture."""
    stem, extension = splitext(path)
    return stem if extension.lower() in PICTURES else path


def _absolute(path: str) -> bool:
    return path.startswith("/") or bool(re.match(r"[A-Za-z]:/", path))


def keys_of(path: str) -> Iterator[str]:
    """What a table may call the picture at `path`, most telling first."""
    parts = PurePosixPath(_normal(path)).parts
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        yield end
        yield splitext(end)[0]


def _normal(path: str) -> str:
    """One spelling for one path: "/" between parts, no "./", composed characters."""
    return unicodedata.normalize("NFC", str(PurePosixPath(path.strip().replace("\\", "/"))))
