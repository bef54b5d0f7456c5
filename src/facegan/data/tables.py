"""Tables as people have them: CSV, TSV, semicolons, spaces, JSON lines, CelebA's lists.

A table is kept as codes: the distinct values of each column once, and four bytes for each cell,
so that two hundred thousand rows of forty attributes take 32 MB.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from posixpath import splitext
from typing import IO, Any, cast

from facegan.data.kinds import PICTURES
from facegan.errors import DataError, one_line
from facegan.parsing import parse_json

# Columns that name the picture, the surest first.
NAME_COLUMNS = (
    *("image", "file", "filename", "file_name", "filepath", "file_path", "image_path"),
    *("img_path", "image_name", "img_name", "img", "picture", "photo", "images", "files"),
    *("image_id", "imageid", "path", "name", "id", "face_name_align"),
)
_DELIMITERS = (",", ";", "\t", "|")
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Rows looked at to find the column of file names.
_SAMPLE = 200
# Characters of one value in JSON lines, and of one line.
_LONGEST_LINE = 1 << 20
_MOST_COLUMNS = 5_000


class Column:
    """The values of one column: each distinct one once, and a code for every row.

    Attributes:
        name: as the header has it.
        values: the distinct values, trimmed, in the order of their first row.
        codes: for each row the number of its value.
        lines: the line on which each distinct value stands first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: list[str] = []
        self.lines: list[int] = []
        self.codes = array("i")
        self._known: dict[str, int] = {}

    def append(self, value: str, line: int) -> None:
        """Add the value of the next row."""
        value = value.strip()
        code = self._known.get(value)
        if code is None:
            code = self._known[value] = len(self.values)
            self.values.append(value)
            self.lines.append(line)
        self.codes.append(code)

    def __iter__(self) -> Iterator[str]:
        return (self.values[code] for code in self.codes)

    def __len__(self) -> int:
        return len(self.codes)


class Table:
    """A table that says something of pictures.

    Attributes:
        source: what it is called, for messages and the card.
        where: the same with its place, for errors.
        files: the column that names the pictures.
        columns: the others.
        lines: the line of each row.
        decimal_comma: whether numbers may have a comma.
        notes: what was guessed or passed over, a sentence each.
    """

    def __init__(
        self,
        source: str,
        where: str,
        files: Column,
        columns: list[Column],
        lines: Sequence[int],
        decimal_comma: bool = False,
        notes: Sequence[str] = (),
    ) -> None:
        self.source, self.where = source, where
        self.files, self.columns, self.lines = files, columns, lines
        self.decimal_comma = decimal_comma
        self.notes = list(notes)


def read_table(path: Path | str) -> Table:
    """Read a table from a file.

    Raises:
        DataError: naming the line, whatever is wrong with the file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return table_of(file, path.name, str(path))
    except FileNotFoundError as error:
        raise DataError(
            f"There is no labels file at {path}.", "Give the path of a CSV file."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Give a CSV file.") from error


def table_of(file: IO[bytes], source: str, where: str) -> Table:
    """Read a table from an open file; its kind follows from its name and its first lines.

    Args:
        file: binary, at its beginning.
        source: its name; `.jsonl` and `.ndjson` hold an object a line.
        where: what errors call it.

    Raises:
        DataError: naming the line, whatever is wrong with the file.
    """
    buffered: Any = file if hasattr(file, "peek") else io.BufferedReader(cast(Any, file))
    start = buffered.peek(4)[:4]
    encoding = next((name for bom, name in _BOMS.items() if start.startswith(bom)), "utf-8")
    text = io.TextIOWrapper(buffered, encoding, newline="")
    try:
        if splitext(source)[1].lower() in (".jsonl", ".ndjson"):
            return _of_objects(_json_lines(text, where), source, where)
        return _of_lines(text, source, where)
    except UnicodeError as error:
        raise DataError(
            f"{where} is not UTF-8 text ({one_line(getattr(error, 'reason', error))}"
            f"{f' at byte {error.start}' if isinstance(error, UnicodeDecodeError) else ''}).",
            "Save it as CSV in UTF-8.",
        ) from error


def _of_lines(text: io.TextIOWrapper, source: str, where: str) -> Table:
    first = _first_line(text, where)
    if first is None:
        raise DataError(f"{where} is empty.", "A labels file starts with a line of column names.")
    line, begun = first
    if begun.strip().isdigit():
        return _of_celeba(text, source, where)
    delimiter = _delimiter(begun)
    notes = []
    if delimiter is None and len(begun.split()) > 1:
        rows = _split_at_spaces(text, line, begun)
    elif delimiter is None:
        raise DataError(
            f"{where}, line {line}: there is only one column, {one_line(begun.strip(), 80)!r}.",
            "Give a column of file names and at least one of labels, separated by commas.",
        )
    else:
        rows = _csv(text, line, begun, delimiter, where)
    at, header = next(rows)
    if any(splitext(cell.strip())[1].lower() in PICTURES for cell in header):
        rows = _with(at, header, rows)
        names = next(c for c, cell in enumerate(header) if _names_picture(cell))
        others = ["label"] if len(header) == 2 else [f"label_{c}" for c in range(1, len(header))]
        header = [*others[:names], "file", *others[names:]]
        notes.append("It has no header: its first line is a picture, and its columns were named.")
    else:
        header = _checked_header(where, at, header)
    return _of_rows(rows, header, source, where, delimiter not in (",", None), notes)


def _of_rows(
    rows: Iterable[tuple[int, list[str]]],
    header: list[str],
    source: str,
    where: str,
    decimal_comma: bool,
    notes: list[str],
) -> Table:
    columns = [Column(name) for name in header]
    lines = array("q")
    for number, cells in rows:
        if len(cells) != len(header):
            raise DataError(
                f"{where}, line {number}: {len(cells)} values, but the header has {len(header)}.",
                "Every line needs as many values as the header; leave missing ones empty.",
            )
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell, number)
        lines.append(number)
    if not len(lines):
        raise DataError(f"{where} has a header, but no rows.", "Add one line a file.")
    if not columns[0].name and len(columns[0].values) == len(lines):  # what pandas writes
        columns.pop(0)
        notes = [*notes, "Its first column has no name and counts the rows: not used."]
        if len(columns) < 2:
            raise DataError(
                f"{where}, line 1: there is only one column, {columns[0].name!r}, beside one "
                "without a name.",
                "Give a column of file names and at least one of labels.",
            )
    for number, column in enumerate(columns):
        if not column.name:
            raise DataError(
                f"{where}, line 1: column {number + 1} has no name.", "Give each column its name."
            )
    files = columns.pop(_file_column(columns))
    return Table(source, where, files, columns, lines, decimal_comma, notes)


def _file_column(columns: Sequence[Column]) -> int:
    """Which column names the pictures: the one whose cells end like pictures, or by its name."""

    def by_name(column: Column) -> int:
        name = column.name.lower().replace(" ", "_").replace("-", "_")
        return NAME_COLUMNS.index(name) if name in NAME_COLUMNS else len(NAME_COLUMNS)

    shares = []
    for column in columns:
        sample = [column.values[code] for code in column.codes[:_SAMPLE]]
        shares.append(sum(map(_names_picture, sample)) / len(sample))
    best = max(shares)
    if best >= 0.5:
        return min(
            (n for n, share in enumerate(shares) if share == best),
            key=lambda n: by_name(columns[n]),
        )
    return min(range(len(columns)), key=lambda n: (by_name(columns[n]), n))


def _names_picture(cell: str) -> bool:
    return splitext(cell.strip())[1].lower() in PICTURES


def _delimiter(line: str) -> str | None:
    """What separates the columns of a header; quoted text does not count."""
    plain = "".join(line.split('"')[::2])
    counts = [(plain.count(each), -place, each) for place, each in enumerate(_DELIMITERS)]
    most, _, delimiter = max(counts)
    return delimiter if most else None


def _first_line(text: io.TextIOWrapper, where: str) -> tuple[int, str] | None:
    """The first line that is not blank, and its number."""
    number = 0
    while line := text.readline(_LONGEST_LINE):
        number += 1
        if len(line) >= _LONGEST_LINE:
            raise DataError(f"{where}, line {number} is too long.", "Give a table of lines.")
        if line.strip("\r\n,;\t |\ufeff\0"):
            return number, line
    return None


def _csv(
    text: Iterable[str], line: int, begun: str, delimiter: str, where: str
) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, with their numbers, from the one that was read already on."""

    def lines() -> Iterator[str]:
        yield begun
        yield from text

    reader = csv.reader(lines(), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{where}, line {line - 1 + reader.line_num}: {error}.", "Save it as plain CSV."
            ) from error
        if len(cells) > _MOST_COLUMNS:
            raise DataError(
                f"{where}, line {line - 1 + reader.line_num}: {len(cells):,} values in a line; "
                f"{_MOST_COLUMNS:,} are allowed.",
                "Leave out the columns that are no labels.",
            )
        if any(cell.strip() for cell in cells):
            yield line - 1 + reader.line_num, cells


def _split_at_spaces(text: Iterable[str], line: int, begun: str) -> Iterator[tuple[int, list[str]]]:
    yield line, begun.split()
    for number, each in enumerate(text, start=line + 1):
        if each.strip():
            yield number, each.split()


def _with(
    line: int, cells: list[str], rows: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    yield line, cells
    yield from rows


def _of_celeba(text: io.TextIOWrapper, source: str, where: str) -> Table:
    """CelebA's own form: a count, a line of names, then a name and its values on each line."""
    names = text.readline(_LONGEST_LINE).split()
    if not names:
        raise DataError(f"{where} names no attributes.", "Its second line must; fetch it again.")
    rows = ((number, each.split()) for number, each in enumerate(text, start=3) if each.strip())
    header = _checked_header(where, 2, ["image", *names])
    return _of_rows(rows, header, source, where, False, [])


def _checked_header(where: str, line: int, header: Sequence[str]) -> list[str]:
    names = [name.strip().lstrip("\ufeff") for name in header]
    if len(names) > _MOST_COLUMNS:
        raise DataError(f"{where} has {len(names):,} columns.", f"{_MOST_COLUMNS:,} are allowed.")
    seen: set[str] = set()
    for column, name in enumerate(names):
        if (not name and column) or name in seen:
            what = f"{name!r} names two columns" if name else f"column {column + 1} has no name"
            raise DataError(f"{where}, line {line}: {what}.", "Give each column its own name.")
        if not name.isprintable():
            raise DataError(
                f"{where}, line {line}: the name of column {column + 1}, {name!r:.80}, has signs "
                "that cannot be printed.",
                "Use letters, digits and signs that can be seen.",
            )
        seen.add(name)
    return names


def _json_lines(text: Iterable[str], where: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            found = parse_json(line.lstrip("\ufeff"), _LONGEST_LINE)
        except ValueError as error:
            raise DataError(
                f"{where}, line {number} is not JSON ({one_line(error)}).",
                'Each line must hold one object, such as {"file_name": "a.png", "smile": 1}.',
            ) from error
        if not isinstance(found, dict):
            raise DataError(
                f"{where}, line {number} is no object: {one_line(line, 60)}.",
                'Each line must hold one object, such as {"file_name": "a.png", "smile": 1}.',
            )
        yield number, found


def _of_objects(objects: Iterable[tuple[int, Mapping[str, Any]]], source: str, where: str) -> Table:
    columns: dict[str, Column] = {}
    lines = array("q")
    for number, found in objects:
        add_object(columns, found, number, where, len(lines))
        lines.append(number)
    if not len(lines):
        raise DataError(f"{where} is empty.", "Add one line a file.")
    if len(columns) < 2:
        raise DataError(
            f"{where}: its lines say one thing alone, {', '.join(columns)}.",
            "Give a file name and at least one label.",
        )
    _checked_header(where, 1, list(columns))
    ordered = list(columns.values())
    files = ordered.pop(_file_column(ordered))
    return Table(source, where, files, ordered, lines)


def add_object(
    columns: dict[str, Column], found: Mapping[str, Any], line: int, where: str, rows: int
) -> None:
    """Add a row that an object of JSON says; what is nested in it is passed over.

    Args:
        columns: by name; new ones are added, with nothing in the rows before.
        found: the object.
        line: its number.
        where: what errors call the table.
        rows: how many there are already.

    Raises:
        DataError: it has too many names.
    """
    for name, value in found.items():
        name = str(name).strip()
        if isinstance(value, dict | list) or not name:
            continue
        if name not in columns:
            if len(columns) >= _MOST_COLUMNS:
                raise DataError(
                    f"{where}, line {line}: more than {_MOST_COLUMNS:,} different names.",
                    "Leave out what is no label.",
                )
            columns[name] = Column(name)
            for _ in range(rows):
                columns[name].append("", line)
        columns[name].append(cell_of(value), line)
    for column in columns.values():
        if len(column) == rows:
            column.append("", line)


def cell_of(value: Any) -> str:
    """A value of JSON as a cell of a table."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | float) else str(value)
