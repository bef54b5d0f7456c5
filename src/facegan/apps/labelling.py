"""`facegan data label`: a dataset with what the attribute reader sees in its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console

from facegan.apps.datasets import open_dataset
from facegan.data.dataset import Dataset
from facegan.data.importer import DROPPED
from facegan.data.writer import DatasetWriter
from facegan.device import choose_device
from facegan.errors import DataError, printable, storage
from facegan.evaluation.attributes import FEWEST, AttributeReader
from facegan.progress import progress_bar

_BATCH = 64


class _Columns(NamedTuple):
    """The label columns of the new dataset.

    Attributes:
        names: of all of them: those that the dataset has, in their order, then those added.
        read: for each of them which column of the reader's it is filled from; None for those
            that stay as they are.
        kept: names that the reader knows too, and that stay as they are.
        replaced: names that the dataset has, and that are read anew.
    """

    names: tuple[str, ...]
    read: tuple[int | None, ...]
    kept: tuple[str, ...]
    replaced: tuple[str, ...]


def label(
    dataset: Path | str,
    out: Path | str | None = None,
    *,
    replace: bool = False,
    overwrite: bool = False,
    device: str = "auto",
) -> Dataset:
    """Write a dataset again, with 40 attributes and the age read from its pictures; print what was.

    The dataset itself stays as it is. A label that it has already, by the same name in any case,
    is kept, and not read.

    Args:
        dataset: its folder, or `portraits`.
        out: the folder to make; by default DATASET-labelled beside it.
        replace: read the labels that the dataset has, and the reader knows, anew.
        overwrite: replace another dataset that stands at `out`, once the new one is complete.
        device: where the reader runs: `auto`, `cpu`, `cuda`, `mps`.

    Raises:
        DataError: if this is no dataset, its pictures are too small, it has every label already,
            or `out` is taken.
        StorageError: the disk is full or the folder cannot be written.
    """
    opened = open_dataset(dataset)
    folder = opened.path.resolve()
    target = Path(out) if out is not None else folder.with_name(f"{folder.name}-labelled")
    if target.resolve() == folder:
        raise DataError(
            f"{target} is the dataset itself.", "Labels go into a new dataset: give another `out`."
        )
    if opened.spec.resolution < FEWEST:
        raise DataError(
            f"The pictures of {opened.path} have {opened.spec.resolution} pixels a side: too few "
            "to read attributes from.",
            f"The attribute reader needs {FEWEST} or more. Import the pictures larger.",
        )
    reader = AttributeReader.open(choose_device(device))
    columns = _columns(opened.label_names, reader.names, replace)
    if all(column is None for column in columns.read):
        raise DataError(
            f"{opened.path} has every label that the attribute reader knows.",
            "Read them anew with `replace`.",
        )
    _write(opened, target, reader, columns, overwrite)
    made = Dataset.open(target)
    _print_outcome(opened, made, columns)
    return made


def _columns(existing: Sequence[str], read: Sequence[str], replace: bool) -> _Columns:
    """Which labels stay, and which are read. Age and age are one label, as in recipes."""
    known = {name.lower(): column for column, name in enumerate(read)}
    there = {name.lower() for name in existing}
    added = [name for name in read if name.lower() not in there]
    both = tuple(name for name in existing if name.lower() in known)
    return _Columns(
        names=(*existing, *added),
        read=(
            *(known.get(name.lower()) if replace else None for name in existing),
            *(known[name.lower()] for name in added),
        ),
        kept=() if replace else both,
        replaced=both if replace else (),
    )


def _write(
    dataset: Dataset, target: Path, reader: AttributeReader, columns: _Columns, overwrite: bool
) -> None:
    spec = dataset.spec
    dropped = dataset.path / DROPPED
    measures = dataset.measures
    known = np.stack([*measures.values()], 1) if measures else np.empty((len(dataset), 0))
    with (
        DatasetWriter(
            target,
            spec.resolution,
            spec.channels,
            columns.names,
            overwrite,
            tuple(measures),
            encoded=dataset.encoded,
        ) as writer,
        progress_bar("reading attributes") as progress,
    ):
        for begin in range(0, len(dataset), _BATCH):
            end = min(begin + _BATCH, len(dataset))
            images = np.asarray(dataset.images[begin:end])
            writer.add(
                images=images,
                names=dataset.names[begin:end],
                identities=dataset.identities[begin:end],
                splits=dataset.splits[begin:end],
                sources=dataset.sources[begin:end],
                labels=_values(dataset, slice(begin, end), reader.read(images), columns),
                measures=known[begin:end],
            )
            progress(end, len(dataset))
        if dropped.is_file():
            with storage(dropped):
                writer.extra(DROPPED, dropped.read_text("utf-8"))
        writer.finish(_card(dataset, reader, columns))


def _values(
    dataset: Dataset, rows: slice, read: npt.NDArray[np.float32], columns: _Columns
) -> npt.NDArray[np.float32]:
    """The labels of some pictures, old and new: float32 [n, L]."""
    values = np.empty((len(read), len(columns.names)), np.float32)
    for place, column in enumerate(columns.read):
        if column is not None:
            values[:, place] = read[:, column]
        else:
            assert dataset.labels is not None
            values[:, place] = dataset.labels[rows, place]
    return values


def _card(dataset: Dataset, reader: AttributeReader, columns: _Columns) -> dict[str, Any]:
    """The dataset's card, and who made the new labels; what the writer knows, it says itself."""
    about = {
        key: value for key, value in dataset.card.get("labels", {}).items() if key != "columns"
    }
    machine = [
        name for name, column in zip(columns.names, columns.read, strict=True) if column is not None
    ]
    about["machine_read"] = machine
    about["machine_read_by"] = (
        f"the attribute reader of facegan (fingerprint {reader.fingerprint[:12]}), from the "
        "pictures: a network's readings, no human labels, and no facts about anybody"
    )
    about["machine_read_from"] = f"the dataset with the fingerprint {dataset.fingerprint}"
    return {key: value for key, value in dataset.card.items() if key != "created_with"} | {
        "labels": about
    }


def _print_outcome(dataset: Dataset, made: Dataset, columns: _Columns) -> None:
    def say(text: str) -> None:
        Console(highlight=False).print(printable(text), markup=False, soft_wrap=True)

    read = sum(column is not None for column in columns.read)
    say(f"{made.path}: {len(made):,} pictures, {read} labels read from each by a network.")
    if columns.kept:
        say(
            f"Kept as {dataset.path} has them, and not read: {', '.join(columns.kept)}. "
            "To read them anew: `replace`."
        )
    if columns.replaced:
        say(f"Read anew in the place of what {dataset.path} has: {', '.join(columns.replaced)}.")
    say("They say how a face looks to the reader, and no facts about anybody: docs/attributes.md.")
