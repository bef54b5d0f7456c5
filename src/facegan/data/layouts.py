"""Known datasets: who is shown, which pictures are held out, what labels come along."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facegan.data.celeba import LISTS, read_celeba
from facegan.data.labels import LabelTable
from facegan.data.sources import FolderSource, Source
from facegan.errors import DataError

_LFW = re.compile(r"(?:.*/)?([^/]+)/\1_\d{4}\.[A-Za-z]+")
_MOST_CLASSES = 4096


@dataclass(frozen=True)
class Layout:
    """What the arrangement of a source tells about its pictures.

    Attributes:
        name: what the arrangement is called.
        identities_from: where identities come from, in words.
        identities: path → person; a path that is not in it is a person of its own.
        splits: path → split, where the dataset has an official one.
        labels: the labels that come along, or None.
        labels_note: what is known of these labels.
        own_files: paths of files that describe the dataset and are no pictures.
    """

    name: str
    identities_from: str = "unknown: each picture counts as a person of its own"
    identities: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    labels: LabelTable | None = None
    labels_note: str = ""
    own_files: frozenset[str] = frozenset()

    def identity(self, path: str) -> str:
        """Who is shown at `path`."""
        return self.identities.get(path, path)

    def split(self, path: str, holdout: float, seed: int) -> str:
        """The official split of `path`; else one that its identity's hash decides.

        Equal identities share a split, and pictures added later change nobody's.
        """
        if path in self.splits:
            return self.splits[path]
        digest = hashlib.sha256(f"{seed}:{self.identity(path)}".encode("utf-8", "backslashreplace"))
        share = int.from_bytes(digest.digest()[:8], "big") / 2**64
        return "holdout" if share < holdout else "train"


def recognise(source: Source, paths: Sequence[str]) -> Layout:
    """The layout of a source whose usable files lie at `paths`.

    Raises:
        DataError: the source describes itself, and wrongly.
    """
    described = _nvlabs(source)
    if described is not None:
        return described
    folders = [source.path.resolve().parent]
    if isinstance(source, FolderSource):
        folders = [source.path, *folders]
    celeba = read_celeba(folders, paths)
    if celeba is not None:
        who = {"identities_from": "identity_CelebA.txt"} if celeba.identities else {}
        return Layout(
            "CelebA",
            **who,
            identities=celeba.identities,
            splits=celeba.splits,
            labels=celeba.labels,
            labels_note="as the dataset gives them, −1 and 1 written as 0 and 1",
            own_files=frozenset(LISTS),
        )
    people = {path: match[1] for path in paths if (match := _LFW.fullmatch(path))}
    if 2 * len(people) >= len(paths) and len(set(people.values())) > 1:
        return Layout("LFW", "folder and file names (Person/Person_0001)", people)
    return Layout("images")


def _nvlabs(source: Source) -> Layout | None:
    """The dataset.json of NVlabs' dataset_tool: {"labels": [[file, class or vector], …]}."""
    if source.description is None:
        return None
    path, data = source.description
    where = f"{source.name}: {path}"
    try:
        content = json.loads(data)
    except ValueError as error:
        raise DataError(f"{where} is not JSON ({error}).", "Mend or remove it.") from error
    if isinstance(content, dict) and "fingerprint" in content:
        raise DataError(
            f"{source.path} is a dataset already.", "Give it to `facegan train` with --data."
        )
    if not isinstance(content, dict) or "labels" not in content:
        return None
    table = _nvlabs_table(where, content["labels"]) if content["labels"] else None
    note = "as the dataset gives them"
    return Layout("NVlabs dataset", labels=table, labels_note=note, own_files=frozenset({path}))


def _nvlabs_table(where: str, entries: Any) -> LabelTable:
    hint = 'It must read {"labels": [["file.png", 3], …]} or [["file.png", [0.5, 1]], …].'
    values: dict[str, int | list[float]] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else [None]):
        match entry:
            case [str(name), bool()]:
                raise DataError(f"{where}: label {number} ({name}) is a truth value.", hint)
            case [str(name), int(value)] if 0 <= value < _MOST_CLASSES:
                values[name] = value
            case [str(name), [*vector]] if vector and all(_is_finite(v) for v in vector):
                values[name] = [float(v) for v in vector]
            case _:
                raise DataError(f"{where}: label {number} is {json.dumps(entry)[:80]}.", hint)
    classes = [value for value in values.values() if isinstance(value, int)]
    vectors = [value for value in values.values() if not isinstance(value, int)]
    if classes and vectors:
        raise DataError(f"{where} mixes class numbers with vectors.", hint)
    if len({len(vector) for vector in vectors}) > 1:
        raise DataError(f"{where}: the vectors have different lengths.", hint)
    if classes:
        matrix = np.eye(max(classes) + 1, dtype=np.float32)[classes]
        names = tuple(f"class_{index}" for index in range(matrix.shape[1]))
    else:
        matrix = np.array(vectors, np.float32)
        names = tuple(f"label_{index}" for index in range(matrix.shape[1]))
    rows = {name: row for row, name in enumerate(values)}
    return LabelTable("dataset.json", names, rows, matrix)


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= float(np.finfo(np.float32).max)
