"""The layout of NVlabs' dataset_tool: numbered pictures and a dataset.json with their labels."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.labels import LabelTable
from facegan.data.layouts.layout import Layout
from facegan.data.layouts.listing import Listing
from facegan.errors import DataError, one_line
from facegan.parsing import parse_json

_MOST_CLASSES = 4096
# Bytes of a dataset.json: a line for each of a million pictures has half of it.
_LONGEST = 1 << 26


def read_nvlabs(listing: Listing) -> Layout | None:
    """The dataset.json of NVlabs' dataset_tool: {"labels": [[file, class or vector], …]}.

    Raises:
        DataError: the source describes itself, and wrongly; or it is a dataset already.
    """
    source = listing.source
    if source.description is None:
        return None
    path, data = source.description
    where = f"{source.name}: {path}"
    try:
        content = parse_json(data, _LONGEST, deep=False)
    except ValueError as error:
        raise DataError(
            f"{where} is not JSON ({one_line(error)}).", "Mend or remove it."
        ) from error
    if isinstance(content, dict) and "fingerprint" in content:
        raise DataError(
            f"{source.path} is a dataset already.", "Train on it as it is: give it as `data`."
        )
    if not isinstance(content, dict) or "labels" not in content:
        return None
    table = _table(where, content["labels"]) if content["labels"] else None
    note = "as the dataset gives them"
    used = {path: "labels" if table is not None else "it names no labels"}
    return Layout("NVlabs dataset", labels=table, labels_note=note, used=used)


def _table(where: str, entries: Any) -> LabelTable:
    hint = 'It must read {"labels": [["file.png", 3], …]} or [["file.png", [0.5, 1]], …].'
    values: dict[str, int | npt.NDArray[np.float32]] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else [None]):
        match entry:
            case [str(name), bool()]:
                raise DataError(
                    f"{where}: label {number} ({one_line(name, 80)}) is a truth value.", hint
                )
            case [str(name), int(value)] if 0 <= value < _MOST_CLASSES:
                values[name] = value
            case [str(name), [*vector]] if vector and all(_is_finite(v) for v in vector):
                values[name] = np.array(vector, np.float32)
            case _:
                raise DataError(f"{where}: label {number} is {_short(entry)}.", hint)
    classes = [value for value in values.values() if isinstance(value, int)]
    vectors = [value for value in values.values() if not isinstance(value, int)]
    if classes and vectors:
        raise DataError(f"{where} mixes class numbers with vectors.", hint)
    if len({len(vector) for vector in vectors}) > 1:
        raise DataError(f"{where}: the vectors have different lengths.", hint)
    if classes:
        # One number a picture; its columns are made for the pictures that are kept.
        matrix: npt.NDArray[Any] = np.array(classes, np.int32)
        names = tuple(f"class_{index}" for index in range(max(classes) + 1))
    else:
        matrix = np.stack(vectors)
        names = tuple(f"label_{index}" for index in range(matrix.shape[1]))
    rows = {name: row for row, name in enumerate(values)}
    return LabelTable("dataset.json", names, rows, matrix)


def _short(entry: Any) -> str:
    try:
        return json.dumps(entry)[:80]
    except RecursionError:
        return "nested too deeply"


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= float(np.finfo(np.float32).max)
