"""Near duplicates must not be on both sides of the split: what is learned there is only recalled.

A split by identity does not prevent that, where a photograph has two names. LFW has several.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from facegan.data.dataset import CARD, Dataset
from facegan.data.duplicates import CORRELATION, MOST_BITS, Duplicates, near_duplicates
from facegan.data.rewrite import rewrite
from facegan.errors import DataError
from facegan.files import write_json

Treatment = Literal["group", "thin", "keep"]
TREATMENTS = ("group", "thin", "keep")
# Groups that the card names.
_NAMED = 100


def check_treatment(treatment: str) -> None:
    """Raise DataError for what is no way to treat duplicates."""
    if treatment not in TREATMENTS:
        raise DataError(f"duplicates is {treatment!r}.", f"Allowed: {', '.join(TREATMENTS)}.")


def treat_duplicates(dataset: Dataset, other: Path, treatment: Treatment) -> Path:
    """Find the near duplicates of a dataset that nobody uses yet, and treat them.

    Args:
        dataset: as it was imported.
        other: the folder to make where its pictures or their splits change.
        treatment: "group": all that is connected by duplicates and by identities has one split,
            training if any of it is in training; "thin": of each group, the first picture is kept;
            "keep": the card tells of them, nothing else changes.

    Returns:
        The folder of the dataset as it is now. Its card has the table `near_duplicates`.
    """
    check_treatment(treatment)
    found = near_duplicates(dataset)
    rows, splits = None, None
    if treatment == "thin" and found.groups:
        rest = {row for group in found.groups for row in group[1:]}
        rows = np.array([row for row in range(len(dataset)) if row not in rest], np.int64)
    elif treatment == "group" and found.groups:
        splits = one_split_each(dataset, found)
    card = {"near_duplicates": _about(dataset, found, treatment, splits)}
    if rows is not None or (splits is not None and splits != dataset.splits):
        rewrite(dataset, other, rows=rows, splits=splits, card=card)
        return other
    write_json(dataset.path / CARD, {**dataset.card, **card})
    return dataset.path


def one_split_each(dataset: Dataset, found: Duplicates) -> list[str]:
    """The split of every picture, when all that duplicates connect has one.

    Connected are the pictures of a group, those of a person, and the faces of a photograph. If
    any is in training, all are: what training pictures show cannot be held out.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(dataset)
    if not found.groups:
        return dataset.splits
    edges = [np.array([(group[0], row) for group in found.groups for row in group[1:]], np.int64)]
    # Equal texts have equal hashes; the texts of a million pictures take a tenth of a gigabyte.
    people, photographs = np.empty(count, np.int64), np.empty(count, np.int64)
    for row, (_, identity, _, source) in enumerate(dataset.items()):
        people[row], photographs[row] = hash(identity), hash(source)
    for column in (people, *((photographs,) if "alignment" in dataset.card else ())):
        _, first, which = np.unique(column, return_index=True, return_inverse=True)
        edges.append(np.stack([first[which], np.arange(count)], 1))
    a, b = np.concatenate([each.reshape(-1, 2) for each in edges]).T
    graph = coo_array((np.ones(len(a), np.bool_), (a, b)), (count, count))
    parts, part = connected_components(graph, directed=False)
    held = np.array(dataset.splits) == "holdout"
    all_held = np.bincount(part, ~held, parts) == 0
    touched = np.zeros(parts, np.bool_)
    touched[part[[row for group in found.groups for row in group]]] = True
    now = np.where(touched[part], all_held[part], held)
    return ["holdout" if each else "train" for each in now]


def _about(
    dataset: Dataset, found: Duplicates, treatment: Treatment, splits: list[str] | None
) -> dict[str, Any]:
    """The table `near_duplicates` of the card."""
    before = dataset.splits
    across = sum(len({before[row] for row in group}) > 1 for group in found.groups)
    several = found.several_names(dataset)
    shown = {row for group in several[:_NAMED] for row in group}
    items = enumerate(dataset.items() if shown else ())
    names = {row: item[0] for row, item in items if row in shown}
    about: dict[str, Any] = {
        "treatment": treatment,
        "criterion": f"hashes of 64 bits differ in at most {MOST_BITS}, correlation at 24×24 "
        f"pixels from {CORRELATION:g}",
        "groups": len(found.groups),
        "pictures": found.pictures,
        "groups_across_splits": across,
        "groups_of_several_identities": len(several),
        "several_identities": [[names[row] for row in group] for group in several[:_NAMED]],
    }
    if treatment == "group":
        moved = sum(old != new for old, new in zip(before, splits or before, strict=True))
        about["pictures_moved"] = moved
    return about
