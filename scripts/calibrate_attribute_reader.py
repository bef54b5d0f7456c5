"""Calibrate the attribute reader that facegan ships, on the people that it did not learn from.

    python scripts/calibrate_attribute_reader.py lfw32 lfw64 lfw125 [--file FILE]

The packs are those of `scripts/train_attribute_reader.py`. Slopes, offsets and the map of ages go
into the file's card, beside figures that are measured in five folds of people: each is read with
what was fitted on the others. The weights stay as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save

from facegan.data.dataset import Dataset
from facegan.errors import DataError
from facegan.evaluation import attributes as reading
from facegan.evaluation.agreement import auc_estimate
from facegan.evaluation.attribute_calibration import (
    Calibrated,
    Calibration,
    Group,
    calibration_error,
    fit_ages,
    fit_logit,
)
from facegan.evaluation.attributes import AGE, KEY, WEIGHTS, AttributeReader
from facegan.evaluation.kinds import AGES
from facegan.seeding import READER, random

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
_FOLDS, _FOLD = 5, 2**45
_YES, _FEWEST = 0.5, 10


def main() -> None:
    """Read, fit, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packs", type=Path, nargs="+")
    parser.add_argument("--file", type=Path, default=Path(reading.__file__).parent / WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    reader = AttributeReader.open(path=options.file, calibrated=False)
    packs = [Dataset.open(path) for path in options.packs]
    rows, labels = labelled(packs, reader.names)
    people = np.unique(np.array(packs[0].identities)[rows], return_inverse=True)[1]
    read = np.stack([reader.read(np.asarray(pack.images[rows])) for pack in packs])
    command = f"python scripts/{Path(__file__).name} {' '.join(p.name for p in options.packs)}"
    fold = random(0, READER, _FOLD).integers(0, _FOLDS, people.max() + 1)[people]
    # Of the second dataset (64 px), or the only one: the others are for fitting alone.
    raw = read[min(1, len(read) - 1)]
    mapped = np.empty_like(raw)
    for number in range(_FOLDS):
        fitted = fit(reader.names, read[:, fold != number], labels[fold != number])
        mapped[fold == number] = apply(
            Calibration(**fitted, **NOWHERE), reader.names, raw[fold == number]
        )
    whole = Calibration(
        **fit(reader.names, read, labels),
        pictures=len(rows),
        people=int(people.max()) + 1,
        command=command,
        attributes=tuple(counted(reader.names, raw, mapped, labels)),
        groups=tuple(by_group(reader, raw, mapped, labels)),
    )
    with safe_open(options.file, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    about = reader.about.model_copy(update={"calibration": whole})
    options.file.write_bytes(save(tensors, metadata={KEY: about.model_dump_json()}))
    print(AttributeReader.open(path=options.file).card())


# Of what is fitted on some folds, and thrown away.
NOWHERE = {"pictures": 0, "people": 0, "command": ""}


def labelled(
    packs: Sequence[Dataset], names: Sequence[str]
) -> tuple[npt.NDArray[np.int64], Floats]:
    """The held-out pictures whose labels are all known, the same in every dataset, and those."""
    first = packs[0]
    if first.labels is None or set(names) - set(first.label_names):
        raise DataError(f"{first.path} lacks labels of the reader.", "Import it with --labels.")
    if any(pack.names != first.names for pack in packs):
        raise DataError("The datasets do not hold the same pictures.")
    columns = [first.label_names.index(name) for name in names]
    rows = first.indices("holdout")
    labels = np.asarray(first.labels[rows])[:, columns]
    known = np.isfinite(labels).all(1)
    return rows[known], labels[known]


def logit(p: Floats) -> Floats:
    """log(p / (1 − p)), of probabilities that may have been rounded to 0 or 1."""
    p = np.clip(p.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(p / (1 - p))


def fit(names: Sequence[str], read: Floats, labels: Floats) -> dict[str, object]:
    """Slopes, offsets and the map of ages, from readings [packs, N, L] and labels [N, L]."""
    every = read.reshape(-1, read.shape[2])
    wanted = np.tile(labels, (len(read), 1))
    slopes, offsets = {}, {}
    for column, name in enumerate(names):
        if name != AGE:
            slope, offset = fit_logit(logit(every[:, column]), wanted[:, column] > _YES)
            slopes[name], offsets[name] = round(slope, 4), round(offset, 4)
    age = list(names).index(AGE)
    knots, values = fit_ages(every[:, age], wanted[:, age])
    return {"slopes": slopes, "offsets": offsets, "ages_read": knots, "ages": values}


def apply(calibration: Calibration, names: Sequence[str], read: Floats) -> Floats:
    """Readings [N, L], calibrated."""
    found = read.copy()
    for column, name in enumerate(names):
        if name == AGE:
            found[:, column] = calibration.age(read[:, column])
        else:
            z = calibration.slopes[name] * logit(read[:, column]) + calibration.offsets[name]
            found[:, column] = 1 / (1 + np.exp(-z))
    return found


def counted(
    names: Sequence[str], raw: Floats, mapped: Floats, labels: Floats
) -> Iterator[Calibrated]:
    """Shares and calibration errors of each attribute."""
    for column, name in enumerate(names):
        if name == AGE:
            continue
        yes = labels[:, column] > _YES
        yield Calibrated(
            name=name,
            yes=round(float(yes.mean()), 4),
            counted=round(float((raw[:, column] > _YES).mean()), 4),
            mean=round(float(mapped[:, column].mean()), 4),
            error=round(calibration_error(raw[:, column], yes), 4),
            error_calibrated=round(calibration_error(mapped[:, column], yes), 4),
        )


def by_group(
    reader: AttributeReader, raw: Floats, mapped: Floats, labels: Floats
) -> Iterator[Group]:
    """Women and men, and four ages, as the labels have them."""
    names = reader.names
    male, young, age = (names.index(name) for name in ("Male", "Young", AGE))
    years = labels[:, age]
    groups: list[tuple[str, Flags]] = [
        ("Male", labels[:, male] > _YES),
        ("not Male", labels[:, male] <= _YES),
        *((name, (years > low) & (years <= high)) for name, low, high in AGES),
    ]
    for name, here in groups:
        if not here.any():
            continue
        areas = []
        for other in reader.about.prevalent:
            column = names.index(other)
            yes = labels[here, column] > _YES
            if min(yes.sum(), (~yes).sum()) >= _FEWEST:
                areas.append(auc_estimate(raw[here, column], yes).value)
        yield Group(
            name=name,
            pictures=int(here.sum()),
            auc=round(float(np.mean(areas)), 4) if areas else None,
            young=round(float(mapped[here, young].mean()), 4),
            young_label=round(float((labels[here, young] > _YES).mean()), 4),
            age_error=round(float((raw[here, age] - years[here]).mean()), 2),
            age_error_calibrated=round(float((mapped[here, age] - years[here]).mean()), 2),
        )


if __name__ == "__main__":
    main()
