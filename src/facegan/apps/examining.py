"""`facegan data doctor` and `facegan data filter`: what would hurt training, and leaving it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facegan.data.dataset import Dataset
from facegan.data.doctor import Examination, examine, filtered
from facegan.data.grouping import check_treatment
from facegan.data.identity import verified
from facegan.errors import DataError
from facegan.progress import progress_bar


def doctor(dataset: Path | str, *, show: int = 12) -> tuple[Dataset, Examination]:
    """Look at every picture of a dataset, showing progress; nothing is changed.

    Args:
        dataset: its folder.
        show: pictures to name for each finding.
    """
    if show < 1:
        raise DataError(f"show is {show}.", "Allowed: 1 picture or more of each finding.")
    opened = verified(Dataset.open(dataset))
    with progress_bar("examining", rate=True) as progress:
        return opened, examine(opened, show, progress)


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
    with progress_bar("examining", rate=True) as progress:
        return filtered(
            opened,
            out,
            drop=drop,
            keep=keep,
            duplicates=duplicates,
            as_labels=as_labels,
            overwrite=overwrite,
            progress=progress,
        )
