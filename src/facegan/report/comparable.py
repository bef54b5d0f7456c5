"""Which runs may stand side by side: those that were measured under equal conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facegan.evaluation.wording import kimg
from facegan.report.measures import Kind, Measure, Point, Track, of_kind, tracks
from facegan.report.plots import key
from facegan.report.table import Cell, Column, Row, Table, ratio_below
from facegan.runs.reading import Reading

_WORDS = {
    "reference": "reference from",
    "n_real": "real images",
    "n_fake": "generated images",
    "seed": "seed",
    "resolution": "pixels a side",
}


@dataclass(frozen=True)
class Entry:
    """A run in a group.

    Attributes:
        run: its number on the page, from 0.
        label: what the page calls it.
        track: what was measured.
    """

    run: int
    label: str
    track: Track


@dataclass(frozen=True)
class Group:
    """Runs that were measured through the same instrument under the same conditions."""

    entries: list[Entry]

    @property
    def track(self) -> Track:
        """Of the first run: it tells the instrument and the conditions of all."""
        return self.entries[0].track

    @property
    def labels(self) -> list[str]:
        """Of its runs."""
        return [entry.label for entry in self.entries]

    @property
    def name(self) -> str:
        """What it was measured with, in code."""
        return f"{self.track.instrument.kind} {self.track.instrument.name}"

    @property
    def columns(self) -> list[Column]:
        """The measures, and what is wanted of each."""
        found = {m.name: m for entry in self.entries for m in entry.track.last.measures}
        return [
            Column(m.name, m.title, "" if m.wanted == "the same" else m.wanted)
            for m in found.values()
        ]

    @property
    def table(self) -> Table:
        """The runs, each below the floor that it was measured with; most often there is one."""
        columns = self.columns
        leads = {column.name: self._lead(column.name) for column in columns}
        copying = self.track.instrument.kind == "copying"
        floor = "expected without copying" if copying else "real images (floor)"
        rows: list[Row] = []
        for entries in self._by_floor():
            found = _by_name(entries[0].track.last)
            cells = [Cell(found[c.name].real) if c.name in found else None for c in columns]
            rows.append(Row(floor, cells, floor=True, code="floor"))
            for entry in entries:
                found = _by_name(entry.track.last)
                cells = [_cell(found.get(c.name), leads[c.name]) for c in columns]
                seen = f"{kimg(entry.track.last.images_seen)} kimg"
                rows.append(Row(entry.label, cells, key(entry.run), seen))
        narrow = " narrow" if len(columns) <= 3 else ""
        return Table(self.name, "run", columns, rows, f"cards numbers{narrow}")

    def _by_floor(self) -> list[list[Entry]]:
        """The runs by their floors; those that differ by less than an interval are one."""
        blocks: list[list[Entry]] = []
        for entry in self.entries:
            for block in blocks:
                if _same_floor(block[0].track.last, entry.track.last):
                    block.append(entry)
                    break
            else:
                blocks.append([entry])
        return blocks

    def _lead(self, name: str) -> tuple[float, float] | None:
        """The interval of the best value in a column, where there is more than one run."""
        found = [
            (measure.wanted, measure.estimates[0])
            for entry in self.entries
            if (measure := _by_name(entry.track.last).get(name)) and measure.estimates
        ]
        if len(found) < 2:
            return None
        estimates = sorted((estimate for _, estimate in found), key=lambda e: e.value)
        lead = estimates[0 if found[0][0] == "less" else -1]
        return lead.low, lead.high


def _by_name(point: Point) -> dict[str, Measure]:
    return {measure.name: measure for measure in point.measures}


def _same_floor(one: Point, other: Point) -> bool:
    found = _by_name(other)
    for measure in one.measures:
        if measure.name not in found:
            continue
        beside = found[measure.name]
        if measure.estimates is None or beside.estimates is None:
            if measure.real.value != beside.real.value:
                return False
        elif not measure.estimates[1].low <= beside.estimates[1].value <= measure.estimates[1].high:
            return False
    return True


def _cell(measure: Measure | None, lead: tuple[float, float] | None) -> Cell | None:
    if measure is None:
        return None
    leads = False
    if lead is not None and measure.estimates is not None:
        low, high = lead
        leads = measure.estimates[0].low <= high and measure.estimates[0].high >= low
    below = ratio_below(measure.ratio)
    at = f" at {measure.at}" if below and measure.at else ""
    return Cell(measure.generated, f"{below}{at}", leads)


def groups(readings: Sequence[Reading], labels: Sequence[str], kind: Kind) -> list[Group]:
    """Runs with what one kind of instrument gave, sorted into those that may be compared.

    Returns:
        Groups of most runs first, then those that say most.
    """
    found: dict[tuple[object, ...], list[Entry]] = {}
    for number, (reading, label) in enumerate(zip(readings, labels, strict=True)):
        for track in of_kind(tracks(reading.evaluations), kind):
            found.setdefault(track.key, []).append(Entry(number, label, track))
    made = [Group(entries) for entries in found.values()]
    return sorted(made, key=lambda g: (-len(g.entries), g.track.rank))


@dataclass(frozen=True)
class Apart:
    """A run beside which nothing stands.

    Attributes:
        label: of the run.
        codes: why: `unmeasured`, `only` in its space, or the conditions that differ.
        said: the same in words.
    """

    label: str
    codes: tuple[str, ...]
    said: str


def apart(found: Sequence[Group], labels: Sequence[str]) -> list[Apart]:
    """Which runs could not be compared, and why.

    Args:
        found: the groups of scores.
        labels: of all runs.
    """
    measured = {label for group in found for label in group.labels}
    missing = [label for label in labels if label not in measured]
    return [
        *(Apart(label, ("unmeasured",), "was not measured.") for label in missing),
        *(_alone(group, found) for group in found if len(group.entries) == 1),
    ]


def _alone(group: Group, found: Sequence[Group]) -> Apart:
    """Why nothing stands beside this run's scores."""
    (alone,) = group.entries
    name = alone.track.instrument.name
    beside = [
        entry
        for one in found
        for entry in one.entries
        if entry.label != alone.label and entry.track.instrument.name == name
    ]
    if not beside:
        return Apart(alone.label, ("only",), f"is the only one measured in the space of {name}.")
    # The nearest: most often the other was measured alone as well.
    differences, other = min(
        ((_differences(alone.track, entry.track), entry) for entry in beside),
        key=lambda pair: len(pair[0]),
    )
    said = "; ".join(differences.values())
    return Apart(alone.label, tuple(differences), f"in {name}, beside {other.label}: {said}.")


def _differences(mine: Track, other: Track) -> dict[str, str]:
    """Each condition that differs, in words."""
    found = {}
    if mine.instrument.fingerprint != other.instrument.fingerprint:
        found["extractor"] = "another version of the extractor"
    here, theirs = mine.last.evaluation, other.last.evaluation.conditions()
    for name, value in here.conditions().items():
        if value == theirs[name]:
            continue
        if name == "dataset":
            found[name] = f"another dataset ({here.dataset}, {here.dataset_fingerprint[:12]}…)"
        else:
            said, instead = (f"{v:,}" if isinstance(v, int) else v for v in (value, theirs[name]))
            found[name] = f"{_WORDS[name]} {said} and not {instead}"
    return found


def labels_of(readings: Sequence[Reading]) -> list[str]:
    """The shortest endings of the runs' paths that tell them apart."""
    paths = [reading.run.path.resolve().parts for reading in readings]
    labels = []
    for parts in paths:
        length = 1
        while length < len(parts) and sum(p[-length:] == parts[-length:] for p in paths) > 1:
            length += 1
        labels.append("/".join(parts[-length:]))
    return labels
