"""Parquet as the Hugging Face hub has it: a column of pictures, and labels beside it.

    data/train-00000-of-00005.parquet
    image: struct<bytes, path>, label: int64, and the names of classes in the schema's metadata

Needs the extra `parquet`. Rows are read a few at a time: a row group of a thousand pictures would
fill the memory of a small machine.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from facegan.data import sources
from facegan.data.labels import LabelTable, NoLabelsError, Reading
from facegan.data.layouts.layout import Layout
from facegan.data.members import Member, Members, Paths, SkippedFile
from facegan.data.sources import Source
from facegan.data.tables import Column, Table, cell_of
from facegan.errors import DataError, one_line
from facegan.parsing import parse_json

MAGIC = b"PAR1"
_ROWS = 64
_HELD_OUT = re.compile(r"(?:val|valid|validation|test|dev|eval)\b", re.IGNORECASE)
_TRAIN = re.compile(r"train(?:ing)?\b", re.IGNORECASE)
_MOST_COLUMNS = 200
_LONGEST_TEXT = 200


class ParquetSource(Source):
    """One file or several of the same columns; a member is a row.

    Args:
        path: a file, or the folder that the files lie in.
        files: the files, in their order.
    """

    kind = "Parquet"
    holds_files = False

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path)
        self._files = list(files)

    def members(self) -> Members:
        """List the rows, without reading a picture; see `Source.members`."""
        self.junk = 0
        members = Members()
        self._begins: list[int] = []
        self._columns: dict[str, Column] = {}
        self._splits: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        for file in self._files:
            self._begins.append(len(members))
            with _Opened(file) as opened:
                self._list(file, opened, members)
        self._paths = Paths(members, np.arange(len(members), dtype=np.int32))
        return members

    def _list(self, file: Path, opened: _Opened, members: Members) -> None:
        image = opened.image
        self._image = image.name
        named = opened.classes()
        plain = opened.plain_columns()
        wanted = [*plain, *([f"{image.name}.path"] if image.has_path else [])]
        part = _part(file)
        for name in plain:
            if name not in self._columns:
                self._columns[name] = Column(name)
                for _ in range(len(members)):
                    self._columns[name].append("", 0)
            self._names.setdefault(name, named.get(name, []))
        if not wanted:
            for row in range(opened.rows):
                path = _path(file, row, None)
                members.append(Member(path, 0))
                if part:
                    self._splits[path] = part
            return
        row = 0
        for batch in opened.batches(wanted, 4096):
            columns = {name: batch.column(name).to_pylist() for name in plain}
            own = [None] * batch.num_rows
            if image.has_path:
                own = [each and each.get("path") for each in batch.column(image.name).to_pylist()]
            for number in range(batch.num_rows):
                path = _path(file, row + number, own[number])
                members.append(Member(path, 0))
                if part:
                    self._splits[path] = part
                for name, values in columns.items():
                    self._columns[name].append(_cell(values[number], named.get(name)), 0)
                for name, column in self._columns.items():
                    if name not in columns:
                        column.append("", 0)
            row += batch.num_rows

    def layout(self, paths: Sequence[str]) -> Layout:
        """Labels of the other columns, parts by the files' names; see `Source.layout`."""
        files = Column("row")
        for number, path in enumerate(self._paths):
            files.append(path, number + 1)
        lines = range(1, len(self._paths) + 1)
        labels, notes = None, []
        splits = self._splits if len(set(self._splits.values())) > 1 else {}
        if self._columns:
            table = Table(self.name, str(self.path), files, list(self._columns.values()), lines)
            reading = self.reading
            known = [name for name, words in self._names.items() if words]
            classes = tuple(dict.fromkeys((*reading.classes, *known)))
            chosen = reading.columns
            if chosen is not None:
                classes = tuple(name for name in classes if name in chosen)
            try:
                labels = LabelTable.of(table, Reading(chosen, classes, reading.repeats))
            except NoLabelsError as error:
                notes.append(f"No labels: {error.message}")
        return Layout(
            "Hugging Face parquet",
            splits=splits,
            labels=labels,
            labels_note="as the table gives them",
            notes=tuple(notes),
        )

    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """Read the pictures of the chosen rows; see `Source.read`."""
        for file, begin in zip(self._files, self._begins, strict=True):
            with _Opened(file) as opened:
                number = begin
                for batch in opened.batches([opened.image.name], _ROWS):
                    for value in batch.column(opened.image.name):
                        if number in chosen:
                            yield number, _content(value)
                        number += 1


class _Image:
    """The column that holds pictures."""

    def __init__(self, name: str, has_path: bool) -> None:
        self.name, self.has_path = name, has_path


class _Opened:
    """A Parquet file; a context manager. Whatever is wrong with it ends in a DataError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> _Opened:
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise DataError(
                f"{self.path} is Parquet, which needs the package pyarrow.",
                'Install it with the extra: pip install "facegan[parquet]".',
            ) from error
        try:
            self._file = parquet.ParquetFile(self.path, memory_map=False)
            self._schema = self._file.schema_arrow
        except Exception as error:
            raise self._damaged(error) from error
        self.image = self._image_column()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self._file.metadata.num_rows)

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[Any]:
        """Batches of rows."""
        try:
            yield from self._file.iter_batches(batch_size=rows, columns=list(columns))
        except Exception as error:
            raise self._damaged(error) from error

    def plain_columns(self) -> list[str]:
        """Names of the columns that hold one number or text for each row."""
        from pyarrow import types

        kinds = (
            *(types.is_integer, types.is_floating, types.is_boolean, types.is_string),
            *(types.is_large_string, types.is_dictionary, types.is_decimal),
        )
        found = [
            field.name
            for field in self._schema
            if field.name != self.image.name and any(is_kind(field.type) for is_kind in kinds)
        ]
        return found[:_MOST_COLUMNS]

    def classes(self) -> dict[str, list[str]]:
        """Names of the classes that numbers stand for, by column, by the hub's metadata."""
        features = self._features()
        found = {}
        for name, about in features.items():
            if isinstance(about, dict) and about.get("_type") == "ClassLabel":
                names = about.get("names")
                if isinstance(names, list) and all(isinstance(each, str) for each in names):
                    found[name] = names
        return found

    def _features(self) -> dict[str, Any]:
        metadata = (self._schema.metadata or {}).get(b"huggingface")
        if not metadata:
            return {}
        try:
            found = parse_json(metadata)["info"]["features"]
        except (ValueError, KeyError, TypeError):
            return {}
        return found if isinstance(found, dict) else {}

    def _image_column(self) -> _Image:
        from pyarrow import types

        said = [
            name
            for name, about in self._features().items()
            if isinstance(about, dict) and about.get("_type") == "Image"
        ]
        structs, plain = {}, []
        for field in self._schema:
            if types.is_struct(field.type):
                inner = {field.type.field(n).name for n in range(field.type.num_fields)}
                if "bytes" in inner:
                    structs[field.name] = "path" in inner
            elif types.is_binary(field.type) or types.is_large_binary(field.type):
                plain.append(field.name)
        for name in (*said, *structs, *plain):
            if name in structs or name in plain:
                return _Image(name, structs.get(name, False))
        raise DataError(
            f"{self.path} has no column of pictures; its columns are "
            f"{one_line(', '.join(self._schema.names))}.",
            "Pictures stand in a column of bytes, or of bytes and path.",
        )

    def _damaged(self, error: Exception) -> DataError:
        return DataError(
            f"{self.path} is damaged or cut short, or no Parquet file ({one_line(error)}).",
            "Fetch it again, and compare its checksum.",
        )


def _path(file: Path, row: int, own: Any) -> str:
    """What a row is called: the file, its number, and the name that the picture had."""
    place = f"{file.stem}/{row:07}"
    if isinstance(own, str) and own:
        return f"{place}-{one_line(PurePosixPath(own.replace(chr(92), '/')).name, 80)}"
    return place


def _part(file: Path) -> str:
    if _TRAIN.match(file.name) or file.parent.name.lower() in ("train", "training"):
        return "train"
    return "holdout" if _HELD_OUT.match(file.name) or _HELD_OUT.fullmatch(file.parent.name) else ""


def _cell(value: Any, classes: list[str] | None) -> str:
    if classes and isinstance(value, int):
        return classes[value] if 0 <= value < len(classes) else ""
    return cell_of(value)[:_LONGEST_TEXT]


def _content(value: Any) -> bytes | SkippedFile:
    data = value.as_py()
    if isinstance(data, dict):
        data = data.get("bytes")
    if not isinstance(data, bytes):
        return SkippedFile("not in the file", "the row has a path, and no picture")
    if not data:
        return SkippedFile("empty file")
    try:
        return sources.limited(data)
    except SkippedFile as unusable:
        return unusable
