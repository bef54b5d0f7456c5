"""Who is shown, where a person says how to know it: by folders, by file names, or by a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from posixpath import basename

from facegan.data.labels import keys_of
from facegan.data.layouts.folders import named_folders
from facegan.data.tables import Column, read_table
from facegan.errors import DataError, one_line

FOLDERS, NAMES = "folders", "names"
# A person's name, then the number of the picture: `Ada_Lovelace_0001.jpg`, `ada-2.png`, `017 (3)`.
_NUMBERED = re.compile(r"(.*?\S)[ _.-]*(?:\(\d+\)|\d+)(?:\.[A-Za-z]+)?")
# What a list's column of persons is called, before any other.
_COLUMNS = ("identity", "person", "people", "name", "who", "subject", "id")


def persons(said: str | Path, paths: Sequence[str]) -> tuple[Mapping[str, str], str]:
    """Path → person, and where that comes from, in words.

    Args:
        said: `folders`, `names`, or the path of a list: a file and a person in each row.
        paths: of the pictures.

    Raises:
        DataError: the list cannot be read, names no picture, or nobody has two pictures by any
            of these.
    """
    if said == FOLDERS:
        found, source = dict(named_folders(paths)), "the folders' names"
    elif said == NAMES:
        found, source = in_names(paths), "the files' names, without the number at their end"
    else:
        found, source = in_list(Path(said), paths), f"the list {Path(said).name}"
    if len(set(found.values())) == len(found):
        raise DataError(
            f"By {source}, nobody is shown twice in {len(paths):,} pictures, such as {paths[0]}."
            if paths
            else "There are no pictures.",
            f"Say {FOLDERS} where each folder holds one person, {NAMES} where files are called "
            "PERSON_NUMBER, or give a list: a file's name and a person in each row.",
        )
    return found, source


def in_names(paths: Sequence[str]) -> dict[str, str]:
    """Path → what the file's name begins with, before the number at its end."""
    found = {}
    for path in paths:
        if match := _NUMBERED.fullmatch(basename(path)):
            found[path] = match[1]
    return found


def in_list(file: Path, paths: Sequence[str]) -> dict[str, str]:
    """Path → person, from a table with a column of files and one of persons."""
    table = read_table(file)
    column = _column(table.columns)
    if column is None:
        raise DataError(
            f"{table.where} has no column of persons beside {table.files.name}.",
            "Give a table with two columns: file, identity.",
        )
    rows = {key: person for key, person in zip(table.files, column, strict=True) if person}
    known = {key: person for name, person in rows.items() for key in (name.replace("\\", "/"),)}
    found = {}
    for path in paths:
        person = next((known[key] for key in keys_of(path) if key in known), None)
        if person is not None:
            found[path] = person
    if not found:
        raise DataError(
            f"{table.where}: none of its {len(rows):,} rows fits a picture. It names files like "
            f"{one_line(next(iter(rows), ''), 80)!r}, the source has files like {paths[0]!r}.",
            "Name files by their paths relative to the source's top folder, or by their names.",
        )
    return found


def _column(columns: Sequence[Column]) -> Column | None:
    named = {column.name.strip().lower(): column for column in columns}
    return next(
        (named[name] for name in _COLUMNS if name in named), columns[0] if columns else None
    )
