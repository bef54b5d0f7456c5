"""metadata.csv and metadata.jsonl beside pictures, as the Hugging Face imagefolder has them."""

from __future__ import annotations

from posixpath import basename, dirname, join

from facegan.data.labels import LabelTable, NoLabelsError
from facegan.data.layouts.folders import parts_of
from facegan.data.layouts.layout import Layout
from facegan.data.layouts.listing import Listing
from facegan.data.tables import Column, Table, table_of

_NAMES = ("metadata.csv", "metadata.jsonl")


def read_metadata(listing: Listing) -> Layout | None:
    """The tables called metadata of all folders, as one; None where there is none.

    Raises:
        DataError: one of them cannot be read.
    """
    found = [path for path in listing.paths if basename(path) in _NAMES]
    tables = []
    for path in found:
        side = listing.inside(path)
        with listing.opened(side) as file:
            table = table_of(file, path, side.where)
        if table.files.name != "file_name":
            continue  # somebody's own, and not of this form
        tables.append((path, table))
    if not tables:
        return None
    labels: LabelTable | None = None
    why = ""
    table = _together(tables)
    try:
        labels = LabelTable.of(table, listing.reading)
    except NoLabelsError as error:
        why = error.message
    return Layout(
        "imagefolder with metadata",
        splits=parts_of(listing.pictures),
        labels=labels,
        labels_note="as the metadata give them",
        used={path: "labels" for path, _ in tables} if labels is not None else {},
        unused={} if labels is not None else {path: why for path, _ in tables},
    )


def _together(tables: list[tuple[str, Table]]) -> Table:
    """One table of several, whose files are named from where each of them lies."""
    files = Column("file_name")
    names = list(dict.fromkeys(column.name for _, table in tables for column in table.columns))
    columns = {name: Column(name) for name in names}
    lines: list[int] = []
    for path, table in tables:
        folder = dirname(path)
        for row, line in enumerate(table.lines):
            files.append(join(folder, table.files.values[table.files.codes[row]]), line)
        here = {column.name: column for column in table.columns}
        for name, column in columns.items():
            if name in here:
                for value, line in zip(here[name], table.lines, strict=True):
                    column.append(value, line)
            else:
                for line in table.lines:
                    column.append("", line)
        lines += table.lines
    first = tables[0]
    source = first[0] if len(tables) == 1 else f"{len(tables)} tables of metadata"
    return Table(
        source,
        first[1].where,
        files,
        list(columns.values()),
        lines,
        any(table.decimal_comma for _, table in tables),
        list(dict.fromkeys(note for _, table in tables for note in table.notes)),
    )
