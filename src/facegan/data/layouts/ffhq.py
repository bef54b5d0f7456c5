"""FFHQ: 70,000 numbered faces in folders of a thousand, and a JSON of 255 MB beside them.

Source: NVlabs/ffhq-dataset. The first 60,000 are the training set, the last 10,000 the validation
set; `ffhq-dataset-v2.json` says the same by `category`, and the licence of each photograph.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import IO, Any

from facegan.data.layouts.layout import Layout
from facegan.data.layouts.listing import Listing, SideFile
from facegan.errors import DataError, one_line

_PICTURE = re.compile(r"(?:(.*)/)?(\d{5})/(\d{5})\.(?:png|jpe?g|webp)", re.IGNORECASE)
_FLAT = re.compile(r"(?:(.*)/)?(\d{5})\.(?:png|jpe?g|webp)", re.IGNORECASE)
_JSON = ("ffhq-dataset-v2.json", "ffhq-dataset-v1.json")
_LAST_TO_TRAIN = 60_000
_SIZES = ("images1024x1024", "thumbnails128x128", "in-the-wild-images")
_BLOCK = 1 << 20
# Characters of one entry: those of FFHQ have three or four thousand.
_LONGEST = 1 << 18
_SPACE = " \t\r\n"


def read_ffhq(listing: Listing) -> Layout | None:
    """FFHQ, by its numbered folders, or by numbers and the JSON; None for anything else.

    Raises:
        DataError: the JSON cannot be read, or every picture is there several times.
    """
    side = next(filter(None, map(listing.named, _JSON)), None)
    pictures = _foldered(listing.pictures)
    if pictures is None and side is not None:
        pictures = {
            p: (m[1] or "", int(m[2])) for p in listing.pictures if (m := _FLAT.fullmatch(p))
        }
    if not pictures or 2 * len(pictures) < len(listing.pictures):
        return None
    tops = {top for top, _ in pictures.values()}
    if len(tops) > 1 and len({number for _, number in pictures.values()}) < len(pictures):
        raise DataError(
            f"{listing.source.path} holds the same pictures in several sizes: "
            f"{', '.join(sorted(tops))}.",
            f"Give one of these folders, such as {_SIZES[0]}.",
        )
    splits = {
        path: "train" if number < _LAST_TO_TRAIN else "holdout"
        for path, (_, number) in pictures.items()
    }
    notes: list[str] = []
    licences: dict[str, str] = {}
    used: dict[str, str] = {}
    if side is None:
        notes.append(
            f"{_JSON[0]} was not found: the official split follows from the numbers, and nobody "
            "counted the licences."
        )
    else:
        used[side.name] = "split and licences"
        categories, licence_of = _described(listing, side)
        for path, (_, number) in pictures.items():
            if (category := categories.get(number)) is not None:
                splits[path] = "train" if category == "training" else "holdout"
            if (licence := licence_of.get(number)) is not None:
                licences[path] = licence
    counted = {"licences": licences} if licences else {}
    return Layout("FFHQ", splits=splits, used=used, counted=counted, notes=tuple(notes))


def _foldered(paths: Sequence[str]) -> dict[str, tuple[str, int]] | None:
    """Path → (folder above the thousands, number), where they lie as FFHQ's do."""
    found = {}
    for path in paths:
        match = _PICTURE.fullmatch(path)
        if match and int(match[3]) // 1000 * 1000 == int(match[2]):
            found[path] = (match[1] or "", int(match[3]))
    return found if 2 * len(found) >= len(paths) else None


def _described(listing: Listing, side: SideFile) -> tuple[dict[int, str], dict[int, str]]:
    """Number → category, and number → licence."""
    categories: dict[int, str] = {}
    licences: dict[int, str] = {}
    names: dict[str, str] = {}  # one text for each of the few that there are
    with listing.opened(side) as file:
        for key, entry in entries(file, side.where):
            if not key.isdecimal() or len(key) > 6 or not isinstance(entry, dict):
                raise DataError(
                    f"{side.where}: the entry {one_line(key, 40)!r} is none of FFHQ's.",
                    "Fetch the file again, or move it away to import without it.",
                )
            category = entry.get("category")
            if isinstance(category, str):
                categories[int(key)] = names.setdefault(category, category)
            metadata = entry.get("metadata")
            licence = metadata.get("license") if isinstance(metadata, dict) else None
            if isinstance(licence, str):
                licence = one_line(licence, 80)
                licences[int(key)] = names.setdefault(licence, licence)
    return categories, licences


def entries(file: IO[bytes], where: str) -> Iterator[tuple[str, Any]]:
    """The entries of one large object of JSON, one at a time.

    Args:
        file: UTF-8, at its beginning.
        where: what errors call it.

    Raises:
        DataError: it is not such an object, or was cut short.
    """
    decoder = json.JSONDecoder()
    text, at, ended = "", 0, False
    pending = b""

    def more() -> None:
        """Read on; what was dealt with is let go."""
        nonlocal text, at, ended, pending
        block = file.read(_BLOCK)
        ended = not block
        data = pending + block
        # A character may stand on both sides of a block's end.
        keep = next((n for n in range(1, 4) if data[-n:][:1] >= b"\xc0"), 0) if block else 0
        pending = data[len(data) - keep :] if keep else b""
        text, at = text[at:] + data[: len(data) - keep].decode("utf-8"), 0

    def next_sign() -> str:
        nonlocal at
        while True:
            while at < len(text) and text[at] in _SPACE:
                at += 1
            if at < len(text):
                return text[at]
            if ended:
                raise ValueError("it was cut short")
            more()

    def value() -> Any:
        nonlocal at
        while True:
            try:
                found, end = decoder.raw_decode(text, at)
            except ValueError as error:
                if ended or len(text) - at > _LONGEST:
                    raise ValueError(f"it was cut short, or is none ({one_line(error)})") from error
            else:
                if end < len(text) or ended:  # a number may go on
                    at = end
                    return found
            if ended:
                raise ValueError("it was cut short")
            more()

    try:
        more()
        text = text.removeprefix("\ufeff")
        if next_sign() != "{":
            raise ValueError("it does not begin with {")
        at += 1
        while next_sign() != "}":
            key = value()
            if not isinstance(key, str) or next_sign() != ":":
                raise ValueError("a name and a colon are missing")
            at += 1
            next_sign()
            yield key, value()
            if next_sign() == ",":
                at += 1
            elif text[at] != "}":
                raise ValueError("a comma is missing")
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(
            f"{where} is no JSON of many entries: {one_line(error)}.",
            "Fetch the file again, or move it away to import without it.",
        ) from error
