"""The labels that networks see: which columns of a dataset, on which scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.spec import ImageSpec, Label
from facegan.errors import DataError, FaceganError, nearest

if TYPE_CHECKING:
    from torch import Tensor

Wanted = Literal["all"] | tuple[str, ...]

# In standard deviations: no value of 10,000 is farther from their mean. Beyond it, numbers in a
# network grow without meaning anything.
_FARTHEST = 100.0


def spec_with_labels(dataset: Dataset, wanted: Wanted) -> ImageSpec:
    """The dataset's image shape, with the labels that a recipe asks for.

    Args:
        dataset: the dataset.
        wanted: names of its label columns, or `all`; empty for none.

    Raises:
        DataError: the dataset has no labels, not this one, or no two values of it to train on.
    """
    names = dataset.label_names if wanted == "all" else wanted
    if (wanted and not dataset.label_names) or (names and dataset.labels is None):
        raise DataError(
            f"The recipe asks for labels, but {dataset.path} has none.",
            "Import the pictures again with --labels, or set data.labels=[].",
        )
    for name in names:
        if column_of(dataset, name) is None:
            raise DataError(
                f"{dataset.path} has no label {name!r}.", nearest(name, list(dataset.label_names))
            )
    return replace(dataset.spec, labels=tuple(_label(dataset, name) for name in names))


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


def fixed(wanted: Mapping[str, float], labels: Sequence[Label]) -> dict[int, float]:
    """Wanted label values by column, scaled.

    Args:
        wanted: name → value as the dataset has it: 0 to 1 for yes or no, or a quantity. Names
            in any case, with dashes or underscores.
        labels: those of the generator.

    Raises:
        FaceganError: the generator knows no such label, the value is impossible, or two
            values are given to one label.
    """
    names = [label.name for label in labels]
    spelt = [spelling(name) for name in names]
    columns: dict[int, float] = {}
    for name, value in wanted.items():
        if spelling(name) not in spelt:
            known = nearest(name, names) if names else "It was trained without labels."
            raise FaceganError(f"The generator knows no label {name!r}.", known)
        column = spelt.index(spelling(name))
        label = labels[column]
        if not np.isfinite(value) or (label.binary and not 0.0 <= value <= 1.0):
            possible = "a number from 0 (no) to 1 (yes)" if label.binary else "a finite number"
            raise FaceganError(f"--label {name}={value:g} is not possible.", f"Give {possible}.")
        if column in columns:
            raise FaceganError(f"--label {label.name} is given twice.", "Give it once.")
        columns[column] = (value - label.mean) / label.std
        if abs(columns[column]) > _FARTHEST:
            raise FaceganError(
                f"--label {name}={value:g} is not possible.",
                f"In the training images it is about {label.mean:.3g}, give or take "
                f"{label.std:.3g}.",
            )
    return columns
