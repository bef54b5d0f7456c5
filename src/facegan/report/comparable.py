"""Which runs may stand side by side: those that were measured under equal conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facegan.evaluation.wording import Formatted
from facegan.report.measures import Kind, Measure, Point, Track, Wanted, of_kind, tracks
from facegan.runs.reading import Reading

_WORDS = {
    "reference": "reference from",
    "n_real": "real pictures",
    "n_fake": "generated pictures",
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
class Cell:
    """A value in a table of a group.

    Attributes:
        generated: the value.
        ratio: to its floor.
        leads: whether its interval reaches that of the best in its column.
    """

    generated: Formatted
    ratio: str
    leads: bool


@dataclass(frozen=True)
class Row:
    """A row of a group's table: a run, or the floor of the runs below it.

    Attributes:
        entry: the run; None for a floor.
        cells: one for each column; None where the run has no such value.
    """

    entry: Entry | None
    cells: list[Cell | None]


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
    def floor(self) -> str:
        """What the values are to be compared with."""
        copying = self.track.instrument.kind == "copying"
        return "expected without copying" if copying else "real pictures (floor)"

    @property
    def columns(self) -> list[tuple[str, Wanted]]:
        """Titles of the measures, and what is wanted of each."""
        points = (entry.track.last for entry in self.entries)
        return list({m.title: m.wanted for point in points for m in point.measures}.items())

    @property
    def rows(self) -> list[Row]:
        """The runs, each below the floor that it was measured with; most often there is one."""
        titles = [title for title, _ in self.columns]
        ends = {title: self._lead(title) for title in titles}
        rows: list[Row] = []
        for entries in self._by_floor():
            found = _by_title(entries[0].track.last)
            floor = [Cell(found[t].real, "", False) if t in found else None for t in titles]
            rows.append(Row(None, floor))
            for entry in entries:
                found = _by_title(entry.track.last)
                rows.append(Row(entry, [_cell(found.get(t), ends[t]) for t in titles]))
        return rows

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

    def _lead(self, title: str) -> tuple[float, float] | None:
        """The interval of the best value in a column, where there is more than one run."""
        found = [
            (measure.wanted, measure.estimates[0])
            for entry in self.entries
            if (measure := _by_title(entry.track.last).get(title)) and measure.estimates
        ]
        if len(found) < 2:
            return None
        estimates = sorted((estimate for _, estimate in found), key=lambda e: e.value)
        lead = estimates[0 if found[0][0] == "less" else -1]
        return lead.low, lead.high


def _by_title(point: Point) -> dict[str, Measure]:
    return {measure.title: measure for measure in point.measures}


def _same_floor(one: Point, other: Point) -> bool:
    found = _by_title(other)
    for measure in one.measures:
        if measure.title not in found:
            continue
        beside = found[measure.title]
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
    return Cell(measure.generated, measure.ratio, leads)


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


def apart(found: Sequence[Group], labels: Sequence[str]) -> list[tuple[str, str]]:
    """Which runs could not be compared, and why.

    Args:
        found: the groups of scores.
        labels: of all runs.

    Returns:
        (run, reason).
    """
    said = []
    measured = {label for group in found for label in group.labels}
    for label in labels:
        if label not in measured:
            said.append((label, "was not measured."))
    for group in found:
        if len(group.entries) == 1:
            alone = group.entries[0]
            said.append((alone.label, _reason(alone, [g for g in found if g is not group])))
    return said


def _reason(alone: Entry, others: Sequence[Group]) -> str:
    """Why nothing stands beside this run's scores."""
    name = alone.track.instrument.name
    beside = [
        entry
        for group in others
        for entry in group.entries
        if entry.label != alone.label and entry.track.instrument.name == name
    ]
    if not beside:
        return f"is the only one measured in the space of {name}."
    # The nearest: most often the other was measured alone as well.
    other = min(beside, key=lambda entry: len(list(_differences(alone.track, entry.track))))
    differences = "; ".join(_differences(alone.track, other.track))
    return f"in {name}, beside {other.label}: {differences}."


def _differences(mine: Track, other: Track) -> Iterator[str]:
    if mine.instrument.fingerprint != other.instrument.fingerprint:
        yield "another version of the extractor"
    here, theirs = mine.last.evaluation, other.last.evaluation.conditions()
    for name, value in here.conditions().items():
        if value == theirs[name]:
            continue
        if name == "dataset":
            yield f"another dataset ({here.dataset}, {here.dataset_fingerprint[:12]}…)"
        else:
            said, instead = (f"{v:,}" if isinstance(v, int) else v for v in (value, theirs[name]))
            yield f"{_WORDS[name]} {said} and not {instead}"


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
