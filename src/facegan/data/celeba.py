"""CelebA's own lists: attributes, identities and the official partition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facegan.data.labels import LabelTable
from facegan.errors import DataError

LISTS = ("list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt")
_PICTURE = re.compile(r"(?:.*/)?\d{6}\.(?:jpg|png)")


class CelebA(NamedTuple):
    """What the lists say of the pictures at hand.

    Attributes:
        identities: path → number of the person.
        splits: path → "train" or "holdout" (the official validation and test parts).
        labels: the 40 attributes as 0 and 1, or None without their list.
    """

    identities: dict[str, str]
    splits: dict[str, str]
    labels: LabelTable | None


def read_celeba(folders: Sequence[Path], paths: Sequence[str]) -> CelebA | None:
    """Read the lists for the pictures at `paths` from the first of `folders` that has them.

    Returns:
        None where the pictures are not numbered as CelebA's are, or no list is found.

    Raises:
        DataError: a list that cannot be read.
    """
    pictures = {path.rpartition("/")[2]: path for path in paths if _PICTURE.fullmatch(path)}
    if not pictures or 2 * len(pictures) < len(paths):
        return None
    attributes, identity, partition = (_find(folders, name) for name in LISTS)
    if not (attributes or identity or partition):
        return None
    persons = _columns(identity, 2) if identity else []
    parts = _columns(partition, 2) if partition else []
    for _, part in parts:
        if part not in ("0", "1", "2"):
            raise DataError(f"{partition}: {part!r} is no part.", "Parts are 0, 1 and 2.")
    return CelebA(
        {pictures[name]: person for name, person in persons if name in pictures},
        {
            pictures[name]: "train" if part == "0" else "holdout"
            for name, part in parts
            if name in pictures
        },
        _attributes(attributes) if attributes else None,
    )


def _find(folders: Sequence[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _attributes(path: Path) -> LabelTable:
    """A count, a line of names, then a line of −1 and 1 for each picture."""
    lines = _lines(path)
    names = lines[1].split() if len(lines) > 1 else []
    if not names:
        raise DataError(f"{path} names no attributes.", "Its second line must; fetch it again.")
    pictures = _columns(path, len(names) + 1, skip=2)
    for number, (_, *values) in enumerate(pictures, start=3):
        if not set(values) <= {"-1", "1"}:
            raise DataError(
                f"{path}, line {number}: not every value is −1 or 1.", "Fetch the file again."
            )
    matrix = np.array([[value == "1" for value in row[1:]] for row in pictures], np.float32)
    rows = {row[0]: index for index, row in enumerate(pictures)}
    return LabelTable(path.name, tuple(names), rows, matrix)


def _columns(path: Path, columns: int, skip: int = 0) -> list[list[str]]:
    rows = [line.split() for line in _lines(path)[skip:]]
    for number, row in enumerate(rows, start=skip + 1):
        if len(row) != columns:
            raise DataError(
                f"{path}, line {number}: {len(row)} values, not {columns}.",
                "Fetch the file again, or move it away to import without it.",
            )
    return rows


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}).", "Fetch the file again.") from error
