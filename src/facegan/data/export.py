"""A dataset → the zip of NVlabs' dataset_tool, which StyleGAN and its kin train on.

    00000/img00000000.png, 00000/img00000001.png, …
    dataset.json           {"labels": [["00000/img00000000.png", 3], …]}, or null

PNGs are stored, not compressed a second time. Source of the layout: NVlabs/stylegan3,
dataset_tool.py.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.pictures import png_bytes
from facegan.data.spec import class_groups
from facegan.errors import DataError
from facegan.files import new_file

_BATCH = 64
# A time for every member, so that equal datasets give equal archives.
_WHEN = (1980, 1, 1, 0, 0, 0)
_NUMBERED = re.compile(r"class_(\d+)")


def export_zip(
    dataset: Dataset,
    path: Path | str,
    *,
    split: str = "all",
    labels: bool = True,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the pictures of a dataset, and their labels, as one zip.

    Labels that are the classes of one column are written as class numbers, in the order of the
    dataset's labels; others as vectors.

    Args:
        dataset: the dataset.
        path: the zip to make; it stands there once it is whole.
        split: which pictures: "train", "holdout" or "all".
        labels: whether labels are written, if there are any.
        overwrite: replace a file that is there.
        progress: called with (pictures written, pictures in all).

    Raises:
        DataError: something stands at `path`, the split is empty, or a picture lacks a label.
        StorageError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    rows = dataset.indices(split)
    if len(rows) == 0:
        raise DataError(f"{dataset.path} has no pictures in {split}.", "Choose another split.")
    if path.suffix.lower() != ".zip":
        raise DataError(f"The archive cannot be {path}.", "Give a name ending in .zip.")
    if path.exists() and not (overwrite and path.is_file()):
        raise DataError(f"{path} is there already.", "Choose another name, or have it replaced.")
    values = _labels(dataset, rows) if labels and dataset.labels is not None else None
    names = [f"{number // 1000:05}/img{number:08}.png" for number in range(len(rows))]
    about = {
        key: dataset.card[key]
        for key in ("name", "source", "licence", "fingerprint", "label_names")
        if key in dataset.card
    }
    described = {
        "labels": values and [list(pair) for pair in zip(names, values, strict=True)],
        "facegan": about,
    }
    with new_file(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for begin in range(0, len(rows), _BATCH):
            images = dataset.copied(rows[begin : begin + _BATCH])
            for name, image in zip(names[begin : begin + _BATCH], images, strict=True):
                archive.writestr(zipfile.ZipInfo(name, _WHEN), png_bytes(image, level=1))
            if progress is not None:
                progress(min(begin + _BATCH, len(rows)), len(rows))
        text = json.dumps(described, ensure_ascii=False)
        archive.writestr(zipfile.ZipInfo("dataset.json", _WHEN), text.encode())
    return path


def _labels(dataset: Dataset, rows: npt.NDArray[np.int64]) -> Sequence[Any]:
    """A class number or a vector for each picture."""
    assert dataset.labels is not None
    values = np.asarray(dataset.labels[rows])
    known = ~np.isnan(values)
    if not known.all():
        raise DataError(
            f"{dataset.path}: {int((~known.all(1)).sum()):,} pictures lack labels, and the archive "
            "has no place for missing ones.",
            "Export without labels, or import with columns that every picture has.",
        )
    one = set(np.unique(values)) <= {0.0, 1.0} and bool((values.sum(1) == 1).all())
    if one and _one_column(dataset.label_names):
        return [int(number) for number in values.argmax(1)]
    return [[float(value) for value in row] for row in values]


def _one_column(names: Sequence[str]) -> bool:
    """Whether the labels are the classes of one column."""
    groups = class_groups(names)
    if len(groups) == 1 and len(next(iter(groups.values()))) == len(names):
        return True
    numbers = [match[1] for name in names if (match := _NUMBERED.fullmatch(name))]
    return numbers == [str(number) for number in range(len(names))]
