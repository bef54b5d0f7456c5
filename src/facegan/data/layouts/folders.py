"""What the folders of a tree say: parts (train, val), classes, or persons.

Parts are recognised by their names. Whether other folders are classes or persons, nobody can tell
from the files: they are taken as such where that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from posixpath import commonpath, dirname

import numpy as np

from facegan.data.labels import LabelTable, class_label, fold
from facegan.errors import DataError, one_line

_TRAIN = frozenset(("train", "training", "trn"))
_HELD_OUT = frozenset(
    ("val", "valid", "validation", "test", "testing", "eval", "holdout", "hold-out", "dev")
)
_MOST_CLASSES = 4096
CLASSES = "folders"


class ByFolder(Mapping[str, str]):
    """Path → what is said of the folder that it lies in: nothing is kept for each path.

    Args:
        paths: those that are listed.
        said: folder → what is said of it; of other folders, nothing.
    """

    def __init__(self, paths: Sequence[str], said: Mapping[str, str]) -> None:
        self._paths, self._said = paths, said

    def __getitem__(self, path: str) -> str:
        return self._said[dirname(path)]

    def __iter__(self) -> Iterator[str]:
        return (path for path in self._paths if dirname(path) in self._said)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return bool(self._said)

    @property
    def words(self) -> list[str]:
        """All that is said, each once, sorted."""
        return sorted(set(self._said.values()))


def _below(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Folder → its parts, below the folder that holds all of them."""
    folders = set(map(dirname, paths))
    if not folders:
        return {}
    top = commonpath(folders) if "" not in folders else ""
    skip = len(top.split("/")) if top else 0
    return {folder: tuple(folder.split("/")[skip:]) if folder else () for folder in folders}


def _parts(places: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Folder → split, where the tree's folders are train and val or test; else nothing."""
    tops = {place[0].lower() if place else "" for place in places.values()}
    if not tops <= _TRAIN | _HELD_OUT or not tops & _TRAIN or not tops & _HELD_OUT:
        return {}
    return {
        folder: "train" if place[0].lower() in _TRAIN else "holdout"
        for folder, place in places.items()
    }


def parts_of(paths: Sequence[str]) -> Mapping[str, str]:
    """Path → split, where the tree's folders are train and val or test; else nothing."""
    return ByFolder(paths, _parts(_below(paths)))


def named_folders(paths: Sequence[str]) -> ByFolder:
    """Path → the folder that tells pictures apart, below train and val; without one, no entry."""
    places = _below(paths)
    if _parts(places):
        places = {folder: place[1:] for folder, place in places.items()}
        # Below the parts there may be one more folder that holds all.
        firsts = {place[0] for place in places.values() if place}
        if len(firsts) == 1 and all(len(place) > 1 for place in places.values()):
            places = {folder: place[1:] for folder, place in places.items()}
    return ByFolder(paths, {folder: place[0] for folder, place in places.items() if place})


def classes_of(paths: Sequence[str], source: str) -> LabelTable:
    """Labels by the folder that each picture lies in.

    Args:
        paths: of the pictures.
        source: where, for errors.

    Raises:
        DataError: the pictures do not lie in two folders or more.
    """
    folders = named_folders(paths)
    names = {folder: fold(folder) for folder in folders.words}
    words = sorted(set(names.values()))
    if not 2 <= len(words) <= _MOST_CLASSES:
        said = f"{len(words):,} folders" if words else "no folders"
        raise DataError(
            f"{source}: classes are to be those of the folders, and the pictures lie in {said}.",
            f"Classes need from 2 to {_MOST_CLASSES:,} folders, such as faces/happy and faces/sad.",
        )
    places = {word: place for place, word in enumerate(words)}
    rows = {path: row for row, path in enumerate(folders)}
    values = np.array([places[names[folder]] for folder in folders.values()], np.int32)
    said = ", ".join(one_line(word, 60) for word in words[:12])
    about = f"class: {len(words)} classes ({said}{', …' if len(words) > 12 else ''})"
    return LabelTable(
        "the folders' names",
        tuple(class_label("class", one_line(word, 60)) for word in words),
        rows,
        values,
        (about,),
    )


def note_on_folders(paths: Sequence[str]) -> str | None:
    """What to say of folders that were not used."""
    folders = named_folders(paths).words
    if not 2 <= len(folders) <= len(paths) // 2 or all(folder.isdigit() for folder in folders):
        return None
    said = ", ".join(one_line(folder, 30) for folder in folders[:4])
    return (
        f"The pictures lie in {len(folders):,} folders ({said}{', …' if len(folders) > 4 else ''})"
        ", which were not used: they can be taken as classes, or as persons."
    )
