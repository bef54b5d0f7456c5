"""Datasets whose file names say everything: LFW and UTKFace."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from posixpath import basename

import numpy as np

from facegan.data.labels import LabelTable, class_label
from facegan.data.layouts.layout import Layout
from facegan.data.layouts.listing import Listing
from facegan.errors import DataError, one_line

_LFW = re.compile(r"(?:.*/)?([^/]+)/\1_\d{4}\.[A-Za-z]+")
_FLAT_LFW = re.compile(r"(?:.*/)?([^\W\d]\w*?[^\W\d][\w.'-]*?)_(\d{4})\.[A-Za-z]+")
_LFW_LISTS = re.compile(
    r"(?:.*/)?(pairs\w*|people\w*|lfw-names|lfw_attributes|identity_celeba)\.(txt|csv)",
    re.IGNORECASE,
)
_UTK = re.compile(
    r"(?:.*/)?(\d{1,3})((?:_\d{1,2})*)_(\d{14,20})\.jpe?g(?:\.chip\.jpe?g)?", re.IGNORECASE
)
_GENDERS = ("male", "female")
_RACES = ("white", "black", "asian", "indian", "others")


def read_lfw(listing: Listing) -> Layout | None:
    """LFW: `Person/Person_0001.jpg`, or `Person_0001.jpg` in one folder; torchvision's too.

    In one folder, names alone must tell: each person's pictures are numbered from 1 on, without a
    gap, and most names have several words.

    Raises:
        DataError: the same pictures are there several times, aligned in different ways.
    """
    paths = listing.pictures
    people = {path: match[1] for path in paths if (match := _LFW.fullmatch(path))}
    said = "folder and file names (Person/Person_0001)"
    if 2 * len(people) < len(paths) or len(set(people.values())) < 2:
        people, said = _flat(paths), "file names (First_Last_0001)"
    if not people:
        return None
    if len({basename(path) for path in people}) < len(people):
        tops = sorted({path.split("/")[0] for path in people})
        raise DataError(
            f"{listing.source.path} holds the same pictures of LFW several times: "
            f"{one_line(', '.join(tops), 120)}.",
            "Give one of these folders.",
        )
    lists = {
        path: "LFW's list of pairs or people: no use for a generator"
        for path in listing.paths
        if _LFW_LISTS.fullmatch(path)
    }
    return Layout("LFW", said, people, unused=lists)


def _flat(paths: Sequence[str]) -> dict[str, str]:
    people: dict[str, str] = {}
    numbers: dict[str, set[int]] = defaultdict(set)
    for path in paths:
        if match := _FLAT_LFW.fullmatch(path):
            people[path] = match[1]
            numbers[match[1]].add(int(match[2]))
    whole = all(len(each) == max(each) for each in numbers.values())
    several = sum("_" in name for name in numbers)
    enough = 2 * len(people) >= len(paths) and len(numbers) > 1
    return people if enough and whole and 2 * several >= len(numbers) else {}


def read_utkface(listing: Listing) -> Layout | None:
    """UTKFace: `AGE_GENDER_RACE_DATE.jpg`; a few names lack a value, which is then missing.

    Source: Zhang et al. 2017, "Age Progression/Regression by Conditional Adversarial Autoencoder":
    gender 0 is male and 1 female; race is 0 White, 1 Black, 2 Asian, 3 Indian, 4 others.
    """
    found = [(path, m) for path in listing.pictures if (m := _UTK.fullmatch(path))]
    if not found or 2 * len(found) < len(listing.pictures):
        return None
    names = (
        "age",
        *(class_label("gender", word) for word in _GENDERS),
        *(class_label("race", word) for word in _RACES),
    )
    values = np.full((len(found), len(names)), np.nan, np.float32)
    incomplete = 0
    for row, (_, match) in enumerate(found):
        values[row, 0] = int(match[1])
        rest = [int(each) for each in match[2].split("_")[1:]]
        if len(rest) != 2 or rest[0] > 1 or rest[1] > 4:
            incomplete += 1  # which of the two is there, nobody knows
            continue
        values[row, 1:] = 0
        values[row, 1 + rest[0]] = values[row, 3 + rest[1]] = 1
    about = (
        "age: years",
        f"gender: 2 classes ({', '.join(_GENDERS)})",
        f"race: 5 classes ({', '.join(_RACES)})",
    )
    rows = {path: row for row, (path, _) in enumerate(found)}
    notes = (
        (f"{incomplete} names lack gender or race, such as {_example(found)}: missing there.",)
        if incomplete
        else ()
    )
    table = LabelTable("the files' names", names, rows, values, about)
    return Layout(
        "UTKFace",
        labels=table,
        labels_note="age, gender and race as the files' names say: estimated and checked by people",
        notes=notes,
    )


def _example(found: list[tuple[str, re.Match[str]]]) -> str:
    return next(basename(p) for p, match in found if match[2].count("_") != 2 or not _fine(match))


def _fine(match: re.Match[str]) -> bool:
    gender, race = match[2].split("_")[1:]
    return int(gender) <= 1 and int(race) <= 4
