"""WebDataset: beside each picture, files of the same name up to its first dot say what it shows.

Folders of pictures with such files beside them are read the same way.

`000001.jpg`, `000001.cls` (the number of a class), `000001.json` (values by name), `000001.txt` (a
caption, or a word).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from posixpath import basename, dirname, join

from facegan.data.labels import LabelTable, NoLabelsError, Reading
from facegan.data.layouts.folders import parts_of
from facegan.data.layouts.layout import Layout
from facegan.data.layouts.listing import Listing
from facegan.data.tables import Column, Table, add_object
from facegan.errors import DataError, one_line
from facegan.parsing import parse_json

_SIDES = ("cls", "json", "txt")
# Bytes: of a class or a caption, and of an object of values.
_LONGEST = {"cls": 1 << 10, "txt": 1 << 16, "json": 1 << 20}
# Names of values that say where a picture comes from and not what it shows (img2dataset's own).
_ABOUT_THE_FILE = frozenset(
    (
        *("url", "key", "status", "error_message", "sha256", "md5", "hash", "uid", "exif"),
        *("width", "height", "original_width", "original_height"),
        *("similarity", "punsafe", "pwatermark"),
    )
)


def read_webdataset(listing: Listing) -> Layout | None:
    """The labels of a WebDataset; None where no picture has a file of labels beside it.

    Raises:
        DataError: one of them is not what its name says.
    """
    if not any(_extension(path) in _SIDES for path in listing.paths):
        return None
    pictures: dict[str, str] = {}
    for path in listing.pictures:
        pictures.setdefault(_key(path), path)
    sides = [
        path
        for path in listing.paths
        if _extension(path) in _SIDES and _key(path) in pictures and "." in basename(path)
    ]
    if not sides or len({_key(path) for path in sides}) * 2 < len(pictures):
        return None
    table, notes = _table(listing, sides, pictures)
    labels: LabelTable | None = None
    why = ""
    try:
        labels = LabelTable.of(table, _reading(listing.reading, table))
    except NoLabelsError as error:
        why = error.message
    shards = "tar" in listing.source.kind
    if labels is None and not shards:
        return None
    columns = set() if labels is None else {name.partition("=")[0] for name in labels.names}
    used, unused = {}, {}
    for path in sides:
        extension = _extension(path)
        one = {"cls": "class", "txt": "text"}.get(extension)
        if labels is not None and (one is None or one in columns):
            used[path] = "labels"
        else:
            said = labels.unused.get(one or "", "not used") if labels is not None else ""
            unused[path] = why or f"{one}: {said}"
    return Layout(
        "WebDataset" if shards else "pictures with files of labels beside them",
        splits=_parts(listing),
        labels=labels,
        labels_note="as the files beside the pictures give them",
        used=used,
        unused=unused,
        notes=tuple(notes),
    )


def _table(listing: Listing, sides: list[str], pictures: dict[str, str]) -> tuple[Table, list[str]]:
    columns: dict[str, Column] = {}
    files = Column("file")
    lines: list[int] = []
    where = listing.source.name
    broken = 0
    current = ""
    values: dict[str, object] = {}

    def close() -> None:
        if values:
            files.append(pictures[current], len(lines) + 1)
            add_object(columns, values, len(lines) + 1, where, len(lines))
            lines.append(len(lines) + 1)

    for path, content in listing.read(sides):
        key = _key(path)
        if key != current:
            close()
            current, values = key, {}
        extension = _extension(path)
        if len(content) > _LONGEST[extension]:
            broken += 1
            continue
        try:
            values |= _values(extension, content)
        except ValueError:
            broken += 1
    close()
    if not lines:
        raise DataError(
            f"{where}: none of the {len(sides):,} files of labels can be read.",
            "A .cls holds a number, a .json an object, a .txt text.",
        )
    notes = [f"{broken:,} files of labels cannot be read: missing there."] if broken else []
    return Table(where, where, files, list(columns.values()), lines), notes


def _values(extension: str, content: bytes) -> dict[str, object]:
    """What one file of labels says."""
    if extension == "json":
        found = parse_json(content, _LONGEST["json"])
        if isinstance(found, int | float) and not isinstance(found, bool):
            return {"class": found}
        if not isinstance(found, dict):
            raise ValueError("no object")
        return {k: v for k, v in found.items() if str(k).lower() not in _ABOUT_THE_FILE}
    text = content.decode("utf-8").strip()
    if extension == "cls":
        if not re.fullmatch(r"-?[0-9]{1,9}|[^\W\d][\w -]{0,59}", text):
            raise ValueError("no class")
        return {"class": text}
    return {"text": one_line(text, 200)}


def _reading(reading: Reading, table: Table) -> Reading:
    """What is called class is one, be it a number."""
    if all(column.name != "class" for column in table.columns) or "class" in reading.classes:
        return reading
    return replace(reading, classes=(*reading.classes, "class"))


def _parts(listing: Listing) -> Mapping[str, str]:
    """Shards called train and val are parts, as folders are."""
    if found := parts_of(listing.pictures):
        return found
    tops = {path: re.split(r"[-_.]", path.partition("/")[0])[0] for path in listing.pictures}
    found = parts_of([f"{top}/{path}" for path, top in tops.items()])
    return {path: found[f"{top}/{path}"] for path, top in tops.items()} if found else {}


def _key(path: str) -> str:
    """The path up to the first dot of the name."""
    return join(dirname(path), basename(path).partition(".")[0])


def _extension(path: str) -> str:
    return basename(path).rpartition(".")[2].lower()
