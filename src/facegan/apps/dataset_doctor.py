"""`facegan data doctor` and `facegan data filter`: what would hurt training, and leaving it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegan.cache import cache_folder
from facegan.data.dataset import Dataset
from facegan.data.doctor import STRANGER, Examination, examine, filtered
from facegan.data.filtering import Condition
from facegan.data.grouping import check_treatment
from facegan.data.verification import verified
from facegan.errors import DataError
from facegan.evaluation.cache import FeatureCache
from facegan.evaluation.dlib_models import installed
from facegan.evaluation.extractors import open_extractor
from facegan.progress import progress_bar


def examine_dataset(
    dataset: Path | str, *, show: int = 12, names: bool | None = None
) -> tuple[Dataset, Examination]:
    """Look at every picture of a dataset, showing progress; nothing is changed.

    Args:
        dataset: its folder.
        show: pictures to name for each finding.
        names: whether names are compared with faces, through the extra `faces`; by default where
            that is installed and somebody has several pictures.
    """
    if show < 1:
        raise DataError(f"show is {show}.", "Allowed: 1 picture or more of each finding.")
    opened = verified(Dataset.open(dataset))
    if names is None:
        names = installed() and len(set(opened.identities)) < len(opened)
    who = _who(opened) if names else None
    with progress_bar("examining", rate=True) as progress:
        return opened, examine(opened, show, progress, who)


def _who(dataset: Dataset) -> npt.NDArray[np.float32]:
    """The vectors of dlib's face identity of all pictures, from the cache where they are there."""
    extractor = open_extractor("faces")
    with progress_bar("names and faces", rate=True) as progress:
        return FeatureCache(cache_folder()).features(
            extractor, dataset, np.arange(len(dataset)), progress=progress
        )


def filter_dataset(
    dataset: Path | str,
    out: Path | str,
    *,
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    duplicates: str = "keep",
    as_labels: Sequence[str] = (),
    overwrite: bool = False,
) -> Dataset:
    """Write a dataset of those pictures that conditions leave; see `facegan.data.doctor.filtered`.

    Args:
        dataset: its folder.
        out: the folder to make.
        drop: conditions such as "sharpness<200": a picture goes where any holds.
        keep: conditions: a picture stays where all hold.
        duplicates: "group", "thin" or "keep".
        as_labels: measures that become labels too, such as "yaw".
        overwrite: replace a dataset at `out`, once the new one is complete.
    """
    check_treatment(duplicates)
    opened = verified(Dataset.open(dataset))
    conditions = [Condition.parse(text) for text in (*drop, *keep)]
    asked = STRANGER in (*as_labels, *(each.column for each in conditions))
    who = _who(opened) if asked and STRANGER not in opened.measures else None
    with progress_bar("examining", rate=True) as progress:
        return filtered(
            opened,
            out,
            drop=drop,
            keep=keep,
            duplicates=duplicates,
            as_labels=as_labels,
            who=who,
            overwrite=overwrite,
            progress=progress,
        )
