"""CelebA and CelebA-HQ: attributes, persons and the official partition, in every form they have.

The authors publish `Anno/`, `Eval/` and `Img/` with lists of text, torchvision keeps the lists
beside the pictures, Kaggle has the lists as CSV and the folder of pictures twice in itself.
Source: Liu et al. 2015, "Deep Learning Face Attributes in the Wild"; Karras et al. 2018 and Lee et
al. 2020 for CelebA-HQ and its attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from facegan.data.labels import LabelTable
from facegan.data.layouts.layout import UNKNOWN, Layout
from facegan.data.layouts.listing import Listing, SideFile
from facegan.data.tables import Table, table_of
from facegan.errors import DataError, one_line

ATTRIBUTES, PERSONS, PARTITION = "list_attr_celeba", "identity_CelebA", "list_eval_partition"
# Known, and of no use for a generator.
_OTHERS = ("list_bbox_celeba", "list_landmarks_align_celeba", "list_landmarks_celeba")
_PICTURE = re.compile(r"(?:.*/)?(\d{6})\.(?:jpe?g|png)", re.IGNORECASE)
_HQ_PICTURE = re.compile(r"(?:.*/)?(\d{1,5})\.(?:jpe?g|png)", re.IGNORECASE)
_HQ_ATTRIBUTES = (
    "CelebAMask-HQ-attribute-anno.txt",
    "list_attr_celeba_hq.txt",
    "list_attr_celebahq.txt",
)
_HQ_MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
_HQ_MASK = re.compile(r"(?:.*/)?CelebAMask-HQ-mask-anno/.*|(?:.*/)?\d{5}_[a-z_]+\.png")
_HQ_POSE = "CelebAMask-HQ-pose-anno.txt"
NOTE = "as the dataset gives them, −1 and 1 written as 0 and 1"


def read_celeba(listing: Listing) -> Layout | None:
    """CelebA, by its numbered pictures and its lists; None for anything else.

    Raises:
        DataError: a list that cannot be read.
    """
    pictures = _numbered(listing.pictures, _PICTURE)
    if pictures is None:
        return None
    lists = {stem: _side(listing, stem) for stem in (ATTRIBUTES, PERSONS, PARTITION)}
    if not any(lists.values()):
        return None
    used = {
        side.name: {ATTRIBUTES: "labels", PERSONS: "identities", PARTITION: "split"}[stem]
        for stem, side in lists.items()
        if side is not None
    }
    persons = _column(listing, lists[PERSONS])
    parts = _parts(listing, lists[PARTITION])
    attributes, people = lists[ATTRIBUTES], lists[PERSONS]
    notes = []
    if not persons:
        notes.append(
            f"{PERSONS}.txt was not found: nobody knows who is shown, so a person may be both in "
            "training and held out."
        )
    if not parts:
        notes.append(f"{PARTITION}.txt was not found: pictures are held out by chance.")
    if attributes is None:
        notes.append(f"{ATTRIBUTES}.txt was not found: there are no labels.")
    return Layout(
        "CelebA",
        UNKNOWN if people is None else people.name,
        {path: persons[number] for number, path in pictures if number in persons},
        {path: parts[number] for number, path in pictures if number in parts},
        _attributes(listing, attributes) if attributes else None,
        NOTE,
        used,
        _unused(listing),
        notes=tuple(notes),
    )


def read_celeba_hq(listing: Listing) -> Layout | None:
    """CelebA-HQ, with CelebA's persons and partition through its mapping; None for anything else.

    Raises:
        DataError: a list that cannot be read.
    """
    attributes = next(filter(None, map(listing.named, _HQ_ATTRIBUTES)), None)
    mapping = listing.named(_HQ_MAPPING)
    if attributes is None and mapping is None:
        return None
    masks = {path for path in listing.pictures if _HQ_MASK.fullmatch(path)}
    others = [path for path in listing.pictures if path not in masks] if masks else listing.pictures
    pictures = _numbered(others, _HQ_PICTURE)
    if pictures is None:
        return None
    used = {} if attributes is None else {attributes.name: "labels"}
    notes: list[str] = []
    persons: dict[int, str] = {}
    parts: Mapping[int, str] = {}
    if mapping is None:
        notes.append(
            f"{_HQ_MAPPING} was not found: persons and the official partition are unknown."
        )
    else:
        original = _mapping(listing, mapping)
        used[mapping.name] = "identities and split, through CelebA's lists"
        lists = {stem: _side(listing, stem) for stem in (PERSONS, PARTITION)}
        persons = _column(listing, lists[PERSONS])
        parts = _parts(listing, lists[PARTITION])
        for stem, side in lists.items():
            if side is None:
                notes.append(f"CelebA's {stem}.txt was not found, which the mapping leads to.")
            else:
                used[side.name] = "identities" if stem == PERSONS else "split"
        persons = {n: persons[at] for n, at in original.items() if at in persons}
        parts = {n: parts[at] for n, at in original.items() if at in parts}
    unused = _unused(listing) | dict.fromkeys(masks, "a mask, no picture")
    if (pose := listing.named(_HQ_POSE)) is not None and pose.number is not None:
        unused[pose.name] = "angles of heads: not used"
    return Layout(
        "CelebA-HQ",
        f"{PERSONS}, through {_HQ_MAPPING}" if persons else UNKNOWN,
        {path: persons[number] for number, path in pictures if number in persons},
        {path: parts[number] for number, path in pictures if number in parts},
        _attributes(listing, attributes) if attributes else None,
        NOTE,
        used,
        unused,
        notes=tuple(notes),
    )


def _numbered(paths: Sequence[str], pattern: re.Pattern[str]) -> list[tuple[int, str]] | None:
    """The pictures with their numbers, where most are numbered like that."""
    found = [(int(match[1]), path) for path in paths if (match := pattern.fullmatch(path))]
    return found if found and 2 * len(found) >= len(paths) else None


def _side(listing: Listing, stem: str) -> SideFile | None:
    return listing.named(f"{stem}.txt") or listing.named(f"{stem}.csv")


def _unused(listing: Listing) -> dict[str, str]:
    found = {}
    for stem in _OTHERS:
        side = _side(listing, stem)
        if side is not None and side.number is not None:
            found[side.name] = "known, and of no use here"
    return found


def _attributes(listing: Listing, side: SideFile) -> LabelTable:
    with listing.opened(side) as file:
        table = table_of(file, side.name.rpartition("/")[2], side.where)
    for column in table.columns:
        for value, line in zip(column.values, column.lines, strict=True):
            if value not in ("-1", "1"):
                raise DataError(
                    f"{side.where}, line {line}: {column.name} is {one_line(value, 40)!r}, not −1 "
                    "or 1.",
                    "Fetch the file again.",
                )
    return LabelTable.of(table, listing.reading)


def _column(listing: Listing, side: SideFile | None) -> dict[int, str]:
    """Number of a picture → the one value that a list has for it."""
    if side is None:
        return {}
    with listing.opened(side) as file:
        # A list of text has no header, a CSV has one.
        if side.name.lower().endswith(".csv"):
            table = table_of(file, side.name.rpartition("/")[2], side.where)
            if len(table.columns) != 1:
                raise DataError(
                    f"{side.where} has {1 + len(table.columns)} columns, not 2.",
                    "Fetch the file again, or move it away to import without it.",
                )
            return _by_number(table, side)
        return _pairs((line.decode("utf-8") for line in file), side)


def _by_number(table: Table, side: SideFile) -> dict[int, str]:
    column = table.columns[0]
    found = {}
    for name, value, line in zip(table.files, column, table.lines, strict=True):
        found[_number(name, side, line)] = value
    return found


def _pairs(lines: Iterable[str], side: SideFile) -> dict[int, str]:
    found = {}
    try:
        for at, line in enumerate(lines, start=1):
            cells = line.split()
            if not cells:
                continue
            if len(cells) != 2:
                raise DataError(
                    f"{side.where}, line {at}: {len(cells)} values, not 2.",
                    "Fetch the file again, or move it away to import without it.",
                )
            found[_number(cells[0], side, at)] = cells[1]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{side.where} cannot be read ({one_line(error)}).", "Fetch the file again."
        ) from error
    return found


def _number(name: str, side: SideFile, line: int) -> int:
    match = _HQ_PICTURE.fullmatch(name) or _PICTURE.fullmatch(name)
    if match is None:
        raise DataError(
            f"{side.where}, line {line}: {one_line(name, 60)!r} is no picture of CelebA.",
            "Its pictures are called 000001.jpg and so on. Fetch the file again.",
        )
    return int(match[1])


def _parts(listing: Listing, side: SideFile | None) -> Mapping[int, str]:
    found = _column(listing, side)
    assert side is not None or not found
    for part in set(found.values()):
        if part not in ("0", "1", "2") and side is not None:
            raise DataError(
                f"{side.where}: {one_line(part, 40)!r} is no part.", "Parts are 0, 1 and 2."
            )
    return {number: "train" if part == "0" else "holdout" for number, part in found.items()}


def _mapping(listing: Listing, side: SideFile) -> dict[int, int]:
    """Number in CelebA-HQ → number in CelebA."""
    found = {}
    with listing.opened(side) as file:
        for at, line in enumerate(file, start=1):
            cells = line.decode("utf-8", "replace").split()
            if not cells or (at == 1 and not cells[0].isdigit()):
                continue  # its header: idx orig_idx orig_file
            match = _PICTURE.fullmatch(cells[-1])
            if len(cells) != 3 or not cells[0].isdigit() or match is None:
                raise DataError(
                    f"{side.where}, line {at}: {one_line(' '.join(cells), 60)!r} is none of it.",
                    "A line is a number, CelebA's index and its file. Fetch the file again.",
                )
            found[int(cells[0][:9])] = int(match[1])
    return found
