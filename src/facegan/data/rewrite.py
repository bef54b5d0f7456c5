"""Another dataset of the same pictures: some of them, in other splits, with more measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import DROPPED, Dataset
from facegan.data.writer import DatasetWriter
from facegan.errors import storage

_BATCH = 256
# What the writer finds out itself.
_WRITERS = {
    *("format", "created_with", "resolution", "channels", "label_names", "fingerprint"),
    *("mean", "std", "encoding"),
}
# Counts of pictures, which the writer takes anew; files that were read and left out stay counted.
_COUNTED = {
    *("kept", "train", "holdout", "identities", "duplicates", "duplicates_across_splits"),
}


def rewrite(
    dataset: Dataset,
    path: Path | str,
    *,
    rows: npt.NDArray[np.int64] | None = None,
    splits: Sequence[str] | None = None,
    measures: Mapping[str, npt.NDArray[np.float64]] | None = None,
    labels: Mapping[str, npt.NDArray[np.float64]] | None = None,
    card: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Dataset:
    """Write a dataset made of another one; `path` may be where that one is.

    Args:
        dataset: the other one.
        path: the folder to make.
        rows: which of its pictures, ascending; all by default.
        splits: the split of each of its pictures, [N]; as they were by default.
        measures: columns of measures, float64 [N] each; as they were by default.
        labels: further columns of labels, float64 [N] each.
        card: what to say in the card beside what it said.
        overwrite: replace a dataset that exists, once the new one is complete.

    Raises:
        DataError: nothing is left to train on, or the place is taken.
        StorageError: the dataset cannot be written.
    """
    rows = np.arange(len(dataset)) if rows is None else rows
    splits = dataset.splits if splits is None else splits
    columns = dataset.measures if measures is None else measures
    chosen = np.zeros(len(dataset), np.bool_)
    chosen[rows] = True
    # One after another: the names of a million pictures take a tenth of a gigabyte.
    items = (item for item, wanted in zip(dataset.items(), chosen, strict=True) if wanted)
    table = np.stack([*columns.values()], 1) if columns else np.empty((len(dataset), 0))
    further = np.stack([*labels.values()], 1) if labels else np.empty((len(dataset), 0))
    spec, dropped = dataset.spec, dataset.path / DROPPED
    said = {key: value for key, value in dataset.card.items() if key not in _WRITERS}
    said["counts"] = {
        key: value for key, value in dataset.card["counts"].items() if key not in _COUNTED
    }
    if isinstance(about := said.get("labels"), dict):
        said["labels"] = {key: value for key, value in about.items() if key != "columns"}
    label_names = (*dataset.label_names, *(labels or ()))
    with DatasetWriter(
        path,
        spec.resolution,
        spec.channels,
        label_names,
        overwrite,
        tuple(columns),
        encoded=dataset.encoded,
    ) as writer:
        for start in range(0, len(rows), _BATCH):
            some = rows[start : start + _BATCH]
            names, identities, _, sources = zip(*islice(items, len(some)), strict=True)
            writer.add(
                dataset.copied(some),
                names,
                identities,
                [splits[row] for row in some],
                sources,
                _labels(dataset, further, some),
                table[some],
            )
        if dropped.is_file():
            with storage(dropped):
                writer.extra(DROPPED, dropped.read_text("utf-8"))
        writer.finish({**said, **(card or {})})
    return Dataset.open(path)


def _labels(
    dataset: Dataset, further: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """The labels of some pictures, those that it had first: float32 [n,L]."""
    own = np.empty((len(rows), 0), np.float32)
    if dataset.labels is not None:
        own = np.asarray(dataset.labels[rows])
    return np.concatenate([own, further[rows].astype(np.float32)], 1)
