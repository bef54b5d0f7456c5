"""That a dataset's content is what its card says: its fingerprint is computed, never believed.

Features are cached under a dataset's fingerprint and runs go on by it, so a card that claims
another's, or a dataset that was edited in place, would falsify scores and runs without a word. The
content of a large one is read once; after that the sizes, places and times of its files tell
whether it is still the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from facegan.cache import cache_folder, keep_entry, read_entry
from facegan.data.dataset import IMAGES, ITEMS, LABELS, Dataset
from facegan.data.encoded import ENCODED, OFFSETS

# Bytes of pictures: less is read again in less than a second.
_WORTH_A_NOTE = 1 << 27


def verified(dataset: Dataset) -> Dataset:
    """The dataset, once its content has the fingerprint of its card.

    Raises:
        DataError: it has another.
    """
    _ = dataset.splits  # what is wrong with its lines is told by line
    if dataset.images.nbytes < _WORTH_A_NOTE:
        dataset.verify()
        return dataset
    note = _note(dataset.path)
    said = json.dumps([dataset.fingerprint, list(dataset.label_names), _files(dataset.path)])
    if read_entry(note) == said.encode():
        return dataset
    dataset.verify()
    keep_entry(note, said.encode(), "that the dataset was verified")
    return dataset


def _note(path: Path) -> Path:
    """Where it is kept which state of a dataset's files was read."""
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:24]
    return cache_folder() / "fingerprints" / f"{name}.json"


def _files(path: Path) -> list[list[int | str]]:
    """What changes of a dataset's files when their content does."""
    found: list[list[int | str]] = []
    for name in (IMAGES, ENCODED, OFFSETS, ITEMS, LABELS):
        with contextlib.suppress(FileNotFoundError):
            about = (path / name).stat()
            found.append(
                [
                    name,
                    about.st_dev,
                    about.st_ino,
                    about.st_size,
                    about.st_mtime_ns,
                    about.st_ctime_ns,
                ]
            )
    return found
