"""The labels that networks see: which columns of a dataset, on which scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.spec import ImageSpec, Label, class_groups
from facegan.errors import DataError, FaceganError, nearest, one_line

if TYPE_CHECKING:
    from torch import Tensor

Wanted = Literal["all"] | tuple[str, ...]

# In standard deviations: no value of 10,000 is farther from their mean. Beyond it, numbers in a
# network grow without meaning anything.
_FARTHEST = 100.0
_TRUTHS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def spec_with_labels(dataset: Dataset, wanted: Wanted) -> ImageSpec:
    """The dataset's image shape, with the labels that a recipe asks for.

    Args:
        dataset: the dataset.
        wanted: names of its label columns, or `all`; empty for none. The name of a column whose
            words are classes stands for all of its classes.

    Raises:
        DataError: the dataset has no labels, not this one, or no two values of it to train on.
    """
    names = dataset.label_names if wanted == "all" else _with_classes(dataset, wanted)
    if (wanted and not dataset.label_names) or (names and dataset.labels is None):
        raise DataError(
            f"The recipe asks for labels, but {dataset.path} has none.",
            "Import the pictures again with `labels`, or set `data.labels=[]`.",
        )
    for name in names:
        if column_of(dataset, name) is None:
            raise DataError(
                f"{dataset.path} has no label {name!r}.", nearest(name, list(dataset.label_names))
            )
    return replace(dataset.spec, labels=tuple(_label(dataset, name) for name in names))


def _with_classes(dataset: Dataset, wanted: Sequence[str]) -> tuple[str, ...]:
    """The names, those of a column of classes as those of its classes."""
    groups = class_groups(dataset.label_names)
    by_spelling = {spelling(column): column for column in groups}
    names: list[str] = []
    for name in wanted:
        column = by_spelling.get(spelling(name))
        if column is None or column_of(dataset, name) is not None:
            names.append(name)
        else:
            names += (dataset.label_names[place] for place in groups[column].values())
    return tuple(dict.fromkeys(names))


def column_of(dataset: Dataset, name: str) -> int | None:
    """Where a label is among a dataset's; without regard to case where none is spelt like it.

    Tables of different makers have Age and age; one recipe serves both.
    """
    if name in dataset.label_names:
        return dataset.label_names.index(name)
    alike = [n for n, other in enumerate(dataset.label_names) if other.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def _label(dataset: Dataset, name: str) -> Label:
    place = column_of(dataset, name)
    assert dataset.labels is not None
    assert place is not None
    column = dataset.labels[dataset.indices("train"), place].astype(np.float64)
    known = column[~np.isnan(column)]
    if len(known) == 0:
        raise DataError(
            f"{dataset.path}: the label {name!r} is missing from every training image.",
            "Leave it out of data.labels.",
        )
    if known.min() >= 0.0 and known.max() <= 1.0:
        return Label(name, binary=True)
    if known.std() == 0.0:
        raise DataError(
            f"{dataset.path}: the label {name!r} is {known[0]:g} in every training image: it says "
            "nothing.",
            "Leave it out of data.labels.",
        )
    return Label(name, False, float(known.mean()), float(known.std()))


def scaled(dataset: Dataset, rows: npt.NDArray[np.int64], labels: Sequence[Label]) -> Tensor:
    """The labels of some images as networks see them: float32 [len(rows), L], NaN = missing.

    A label that the dataset does not have is missing everywhere.
    """
    import torch

    values = torch.full((len(rows), len(labels)), torch.nan)
    for column, label in enumerate(labels):
        place = column_of(dataset, label.name)
        if dataset.labels is not None and place is not None:
            stored = np.asarray(dataset.labels[rows, place])
            values[:, column] = (torch.from_numpy(stored) - label.mean) / label.std
    return values


def unscaled(values: Tensor, labels: Sequence[Label]) -> npt.NDArray[np.float32]:
    """The inverse of the scale: float32 [N, L], as a dataset stores it."""
    import torch

    mean = torch.tensor([label.mean for label in labels])
    std = torch.tensor([label.std for label in labels])
    return (values.float().cpu() * std + mean).numpy()


def spelling(name: str) -> str:
    """What two ways to write a label's name have in common: `Wearing_Hat`, `wearing-hat`."""
    return name.lower().replace("-", "_").replace(" ", "_")


def values_by_column(
    wanted: Mapping[str, float | str], labels: Sequence[Label]
) -> dict[int, float]:
    """Wanted label values by column, in the units of the dataset.

    Args:
        wanted: name → value as the dataset has it: 0 to 1 for yes or no, or a quantity. Names
            in any case, with dashes or underscores. A column of classes takes one of its classes,
            by its word; a class has the name `COLUMN=CLASS`, or its word alone where that is the
            name of nothing else. One class asked for is none of the others.
        labels: those of the generator.

    Raises:
        FaceganError: the generator knows no such label, the value is impossible, or two
            values are given to one label.
    """
    names = [label.name for label in labels]
    known = _LabelNames(names)
    columns: dict[int, float] = {}
    others: dict[int, float] = {}
    for name, value in wanted.items():
        column, number = known.place(name, value)
        label = labels[column]
        if not np.isfinite(number) or (label.binary and not 0.0 <= number <= 1.0):
            possible = "a number from 0 (no) to 1 (yes)" if label.binary else "a finite number"
            raise FaceganError(f"The label {name}={number:g} is not possible.", f"Give {possible}.")
        if column in columns:
            raise FaceganError(f"The label {label.name} is given twice.", "Give it once.")
        columns[column] = number
        if number == 1.0:
            others |= dict.fromkeys(known.siblings(column), 0.0)
    return columns | {column: no for column, no in others.items() if column not in columns}


def scaled_by_column(
    wanted: Mapping[str, float | str], labels: Sequence[Label]
) -> dict[int, float]:
    """Wanted label values by column, as networks see them; see `values_by_column`.

    Raises:
        FaceganError: as `values_by_column`; or a value is farther from those of the training images
            than a network can make sense of.
    """
    columns: dict[int, float] = {}
    for column, value in values_by_column(wanted, labels).items():
        label = labels[column]
        columns[column] = (value - label.mean) / label.std
        if abs(columns[column]) > _FARTHEST:
            raise FaceganError(
                f"The label {label.name}={value:g} is not possible.",
                f"In the training images it is about {label.mean:.3g}, give or take "
                f"{label.std:.3g}.",
            )
    return columns


class _LabelNames:
    """The labels of a generator, and the columns of classes among them, by spelling."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._places = {spelling(name): place for place, name in enumerate(names)}
        self._groups = class_groups(names)
        self._columns = {spelling(column): column for column in self._groups}
        words: dict[str, list[int]] = {}
        for group in self._groups.values():
            for word, place in group.items():
                words.setdefault(spelling(word), []).append(place)
        self._words = {word: places[0] for word, places in words.items() if len(places) == 1}

    def place(self, name: str, value: float | str) -> tuple[int, float]:
        """Which label is meant, and its value."""
        spelt = spelling(name)
        column = self._columns.get(spelt)
        if column is not None and spelt not in self._places:
            return self._class(column, value), 1.0
        place = self._places.get(spelt, self._words.get(spelt))
        if place is None:
            every = [*self._columns.values(), *(n for n in self._names if not self._is_class(n))]
            known = nearest(name, every) if self._names else "It was trained without labels."
            raise FaceganError(f"The generator knows no label {name!r}.", known)
        if isinstance(value, str):
            word = value.strip().lower()
            if word not in _TRUTHS:
                raise FaceganError(
                    f"The label {self._names[place]} cannot be {one_line(value, 60)!r}.",
                    "Give a number; 0 and 1 are no and yes.",
                )
            value = _TRUTHS[word]
        return place, float(value)

    def siblings(self, place: int) -> list[int]:
        """The other classes of the column that a label is a class of."""
        group = next((g for g in self._groups.values() if place in g.values()), {})
        return [other for other in group.values() if other != place]

    def _class(self, column: str, value: float | str) -> int:
        group = self._groups[column]
        word = value if isinstance(value, str) else f"{value:g}"
        spelt = {spelling(each): place for each, place in group.items()}
        found = spelt.get(spelling(" ".join(word.split())))
        if found is None:
            raise FaceganError(
                f"{column} has no class {one_line(word, 60)!r}.", nearest(word, list(group))
            )
        return found

    def _is_class(self, name: str) -> bool:
        return name.partition("=")[0] in self._groups
