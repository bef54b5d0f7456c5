"""What in a dataset would hurt training: findings, each with its pictures, its cost and a remedy.

Nothing is changed. A finding whose remedy is to leave pictures out says so as a condition, which
`filtered` takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.duplicates import Duplicates, near_duplicates
from facegan.data.filtering import Condition, chosen
from facegan.data.grouping import one_split_each
from facegan.data.measures import MEASURES, measured
from facegan.data.name_check import STRANGE, Alike, alike, strangers
from facegan.data.rewrite import rewrite
from facegan.errors import DataError, nearest

Columns = dict[str, npt.NDArray[np.float64]]
Progress = Callable[[int, int], None]
# Of each picture, how far it is from the others of its person, where that was measured.
STRANGER = "stranger"
# 0 for a picture that has no near duplicate before it in the dataset, 1 for one that has.
COPY = "copy"
# Shares of a label's yes (or of its no) below which a network hardly sees it.
_RARE = 0.02
_MISSING = 0.2
# Of the pictures: so many of one person are worth a word.
_MANY, _AT_LEAST = 0.02, 20


@dataclass(frozen=True)
class Finding:
    """Something that would hurt training.

    Attributes:
        code: in one word.
        title: what it is.
        cost: what it costs training.
        measure: the column by which pictures are ordered, or "".
        drop: conditions that leave the pictures out.
        limits: the numbers in them.
        rows: the pictures that it is about, the worst first.
        worst: the pictures nearest to it, the worst first, those of `rows` among them.
        total: how many pictures were looked at.
    """

    code: str
    title: str
    cost: str
    measure: str = ""
    drop: tuple[str, ...] = ()
    limits: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()
    worst: tuple[int, ...] = ()
    total: int = 0

    @property
    def share(self) -> float:
        """Of all pictures, in [0,1]."""
        return len(self.rows) / self.total if self.total else 0.0


@dataclass(frozen=True)
class Imbalance:
    """A label of which a network sees little.

    Attributes:
        name: of the label.
        said: what is wrong with it.
    """

    name: str
    said: str


@dataclass(frozen=True)
class Examination:
    """What was found in a dataset.

    Attributes:
        columns: all that is known of each picture, by name: float64 [N].
        findings: of single pictures, in the order in which to read them.
        duplicates: the near duplicates.
        across: the groups of near duplicates that are on both sides of the split.
        moved: how many pictures `group` would move to the other side.
        several: the groups of near duplicates that show several identities.
        alike: pictures under two names that may show one person, near duplicates left out.
        both_sides: identities that are on both sides of the split.
        frequent: (identity, pictures) of people with a large share of all pictures.
        labels: labels that are rare, constant or missing.
    """

    columns: Columns
    findings: tuple[Finding, ...]
    duplicates: Duplicates
    across: tuple[tuple[int, ...], ...]
    moved: int
    several: tuple[tuple[int, ...], ...]
    alike: tuple[Alike, ...]
    both_sides: tuple[str, ...]
    frequent: tuple[tuple[str, int], ...]
    labels: tuple[Imbalance, ...]


@dataclass(frozen=True)
class _Rule:
    """How one finding is made: pictures whose measure lies beyond a limit.

    Attributes:
        code: of the finding.
        title: of it.
        cost: of it.
        column: the measure.
        below: the lowest that is fine, or None.
        above: the highest that is fine, or None.
        relative: whether limits are shares of the dataset's own median.
    """

    code: str
    title: str
    cost: str
    column: str
    below: float | None = None
    above: float | None = None
    relative: bool = False


_RULES = (
    _Rule(
        "no-face",
        "No face is found",
        "Capacity goes into what is not a face, and half-faces are drawn between the two.",
        "face",
        below=0.6,
    ),
    _Rule(
        "cut-off",
        "The face is cut off",
        "The generator learns that faces may end at the edge, and draws such faces everywhere.",
        "cut",
        above=0.05,
    ),
    _Rule(
        "hidden",
        "Something is before the face",
        "Hands, microphones and other heads are rare, each in another place: the generator learns "
        "them as smears across faces.",
        "whole",
        below=0.6,
        relative=True,
    ),
    _Rule(
        "blur",
        "Blurred",
        "The generator learns that blur is one way to look real, and uses it where it is unsure.",
        "sharpness",
        below=0.25,
        relative=True,
    ),
    _Rule(
        "profile",
        "Turned to the side",
        "Poses that are rare are learned badly: such faces come out smeared.",
        "yaw",
        below=-30,
        above=30,
    ),
    _Rule(
        "nod",
        "Looks up or down",
        "As poses to the side: what is rare is learned badly.",
        "pitch",
        below=-25,
        above=35,
    ),
    _Rule(
        "tilt",
        "Tilted",
        "Capacity goes into turning faces. Alignment at import removes it at no cost.",
        "roll",
        below=-15,
        above=15,
    ),
    _Rule(
        "size",
        "The face is much smaller or larger than the others",
        "Capacity goes into sizes. Alignment at import removes it at no cost.",
        "eyes",
        below=0.7,
        above=1.4,
        relative=True,
    ),
    _Rule(
        "dark",
        "Dark",
        "What is in the dark has no gradient worth learning; noise in it is learned instead.",
        "brightness",
        below=0.2,
    ),
    _Rule(
        "bright",
        "Bright",
        "Skin without shape is learned as a way to look real.",
        "brightness",
        above=0.75,
    ),
    _Rule(
        "contrast",
        "Low contrast",
        "Such pictures draw the generator towards the mean picture.",
        "contrast",
        below=0.1,
    ),
    _Rule(
        "clipped",
        "Large parts black or white",
        "The generator learns to burn out light and shadow.",
        "clipped",
        above=0.25,
    ),
    _Rule(
        "grey",
        "Grey among colours",
        "A few grey pictures are enough for a generator to draw some faces without colour.",
        "colour",
        below=0.02,
    ),
    _Rule(
        "blocks",
        "Blocks of compression",
        "The discriminator sees the grid at once, so the generator has to draw it.",
        "blocks",
        above=1.5,
    ),
    _Rule(
        "photo-blocks",
        "Blocks of compression in the photograph",
        "They are smoothed away where faces were made smaller; what they destroyed stays lost.",
        "photo_blocks",
        above=1.5,
    ),
    _Rule(
        "enlarged",
        "Enlarged more than twice at import",
        "Enlarged faces are soft, and softness is learned as with blur.",
        "eye_distance",
        below=0.125,
    ),
    _Rule(
        "stranger",
        "Unlike the other pictures of the same name",
        "Labels, and a split by identity, are wrong where names are. Many are only unusual: older, "
        "turned away, made up.",
        STRANGER,
        above=STRANGE,
    ),
)


def examine(
    dataset: Dataset,
    show: int = 12,
    progress: Progress | None = None,
    who: npt.NDArray[np.float32] | None = None,
) -> Examination:
    """Look at every picture of a dataset.

    Args:
        dataset: it stays as it is.
        show: pictures to name for each finding that can be ordered.
        progress: called with (pictures done, pictures in all).
        who: float32 [N,D], vectors of dlib's face identity, if names are to be compared with
            faces.
    """
    duplicates = near_duplicates(dataset)
    columns = all_columns(dataset, duplicates, progress)
    pairs: tuple[Alike, ...] = ()
    if who is not None:
        columns[STRANGER] = strangers(who, dataset.identities)
        together = {(a, b) for group in duplicates.groups for a in group for b in group}
        pairs = tuple(
            each
            for each in alike(who, dataset.identities)
            if (each.first, each.second) not in together
        )
    findings = [
        found
        for rule in _RULES
        if (found := _finding(rule, columns, dataset.spec.resolution, show)) is not None
    ]
    splits, names = dataset.splits, dataset.identities
    regrouped = one_split_each(dataset, duplicates)
    sides: dict[str, set[str]] = {}
    for name, split in zip(names, splits, strict=True):
        sides.setdefault(name, set()).add(split)
    often = Counter(names)
    many = max(_AT_LEAST, _MANY * len(dataset))
    return Examination(
        columns=columns,
        findings=tuple(findings),
        duplicates=duplicates,
        across=tuple(g for g in duplicates.groups if len({splits[row] for row in g}) > 1),
        moved=sum(old != new for old, new in zip(splits, regrouped, strict=True)),
        several=tuple(duplicates.several_names(dataset)),
        alike=pairs,
        both_sides=tuple(name for name, where in sides.items() if len(where) > 1),
        frequent=tuple((name, n) for name, n in often.most_common(20) if n >= many),
        labels=tuple(_labels(dataset)),
    )


def all_columns(
    dataset: Dataset, duplicates: Duplicates, progress: Progress | None = None
) -> Columns:
    """All that is known of each picture: what it was imported with, what is measured, copies."""
    copies = np.zeros(len(dataset))
    copies[[row for group in duplicates.groups for row in group[1:]]] = 1
    return {**dataset.measures, **measured(dataset, progress=progress), COPY: copies}


def filtered(
    dataset: Dataset,
    path: Path | str,
    *,
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    duplicates: str = "keep",
    as_labels: Sequence[str] = (),
    who: npt.NDArray[np.float32] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Write a dataset of those pictures that conditions leave, with all measures as columns.

    Args:
        dataset: it stays as it is.
        path: the folder to make.
        drop: conditions; a picture goes where any holds.
        keep: conditions; a picture stays where all hold.
        duplicates: "group" to put near duplicates, and the people they show, on one side of the
            split; "thin" to keep the first of each group; "keep" to leave them.
        as_labels: measures that become labels too, so that networks can be conditioned on them.
        who: vectors of who is shown, as for `examine`; with them there is the column `stranger`.
        overwrite: replace a dataset that exists, once the new one is complete.
        progress: called with (pictures done, pictures in all).

    Raises:
        DataError: a condition cannot be read, or no picture is left to train on.
    """
    if Path(path).resolve() == dataset.path.resolve():
        raise DataError(
            f"{path} is the dataset to filter.", "Give another name: nothing is lost that way."
        )
    # Before anything is measured, which takes minutes.
    names = (*dataset.measures, *MEASURES, COPY, *((STRANGER,) if who is not None else ()))
    for text in (*drop, *keep):
        Condition.parse(text).check((*dataset.label_names, *names))
    _check_labels(dataset, names, as_labels)
    found = near_duplicates(dataset)
    columns = all_columns(dataset, found, progress)
    if who is not None:
        columns[STRANGER] = strangers(who, dataset.identities)
    if duplicates == "thin":
        drop = (*drop, f"{COPY}>0")
    conditions = {**_label_columns(dataset), **columns}
    stays = chosen(conditions, len(dataset), drop, keep)
    if not stays.any():
        raise DataError(
            f"None of {len(dataset):,} pictures fulfils the conditions.", "Weaken them."
        )
    before = dataset.card.get("filtered")
    about = {
        "drop": list(drop),
        "keep": list(keep),
        "duplicates": duplicates,
        "from": dataset.fingerprint,
        "left_out": int((~stays).sum()),
        **({"before": before} if before is not None else {}),
    }
    return rewrite(
        dataset,
        path,
        rows=np.flatnonzero(stays),
        splits=one_split_each(dataset, found) if duplicates == "group" else None,
        measures=columns,
        labels={name: columns[name] for name in as_labels},
        card={"filtered": about, **_said_of_labels(dataset, as_labels)},
        overwrite=overwrite,
    )


def _finding(rule: _Rule, columns: Columns, resolution: int, show: int) -> Finding | None:
    """What a rule finds; None where its measure is missing altogether."""
    values = columns.get(rule.column)
    if values is None or not np.isfinite(values).any():
        return None
    values = np.where(np.isfinite(values), values, np.nan)
    scale = float(np.nanmedian(values)) if rule.relative else 1.0
    if rule.code == "enlarged":
        scale = float(resolution)
    low = None if rule.below is None else float(f"{rule.below * scale:.3g}")
    high = None if rule.above is None else float(f"{rule.above * scale:.3g}")
    # How far beyond either limit, in spreads of the measure, so that both ends can be compared.
    excess = np.full(len(values), -np.inf)
    spread = float(np.nanstd(values)) or 1.0
    for limit, sign in ((low, -1.0), (high, 1.0)):
        if limit is not None:
            beyond = np.where(np.isnan(values), -np.inf, sign * (values - limit) / spread)
            excess = np.maximum(excess, beyond)
    order = np.argsort(-excess, kind="stable")
    drop = tuple(
        f"{rule.column}{sign}{limit:g}"
        for sign, limit in (("<", low), (">", high))
        if limit is not None
    )
    if rule.code == "grey" and (excess > 0).mean() > 0.5:
        return None  # then colour is the exception
    return Finding(
        rule.code,
        rule.title,
        rule.cost,
        rule.column,
        drop,
        tuple(limit for limit in (low, high) if limit is not None),
        tuple(order[: int((excess > 0).sum())].tolist()),
        tuple(row for row in order[:show].tolist() if np.isfinite(excess[row])),
        len(values),
    )


def _labels(dataset: Dataset) -> list[Imbalance]:
    """What is wrong with the labels, of the pictures to train on."""
    if dataset.labels is None:
        return []
    found = []
    table = np.asarray(dataset.labels)[dataset.indices("train")]
    for name, values in zip(dataset.label_names, table.T, strict=True):
        known = values[~np.isnan(values)]
        missing = 1 - len(known) / max(len(values), 1)
        if not len(known):
            found.append(Imbalance(name, "missing for every picture"))
            continue
        if missing > _MISSING:
            found.append(Imbalance(name, f"missing for {missing:.0%} of the pictures"))
        if known.min() == known.max():
            found.append(Imbalance(name, f"always {known[0]:g}: nothing can be learned of it"))
        elif set(np.unique(known).tolist()) <= {0.0, 1.0}:
            yes = float(known.mean())
            if min(yes, 1 - yes) < _RARE:
                rare, share = ("yes", yes) if yes < 0.5 else ("no", 1 - yes)
                count = round(share * len(known))
                found.append(Imbalance(name, f"{rare} for {count:,} pictures, {share:.1%}"))
    return found


def _check_labels(dataset: Dataset, measures: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise DataError for measures that cannot become labels."""
    for name in wanted:
        if name not in measures:
            raise DataError(f"There is no measure {name!r}.", nearest(name, measures))
        if name in dataset.label_names or wanted.count(name) > 1:
            raise DataError(f"The label {name!r} is there already.", "Name each measure once.")


def _said_of_labels(dataset: Dataset, names: Sequence[str]) -> dict[str, Any]:
    """What the card says of labels that were measured."""
    if not names:
        return {}
    said = dataset.card.get("labels")
    about = {key: each for key, each in (said or {}).items() if key != "columns"}
    return {"labels": {**about, "measured": list(names)}}


def _label_columns(dataset: Dataset) -> Columns:
    if dataset.labels is None:
        return {}
    table = np.asarray(dataset.labels, np.float64)
    return dict(zip(dataset.label_names, table.T, strict=True))
