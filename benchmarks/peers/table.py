"""From measurements to tables: medians, ratios of paired rounds, markdown. Pure functions."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peers.roster import REFERENCE, Peer, Task

# What `runner.measure` returns, and `round`.
Measurement = Mapping[str, Any]
_COLUMNS = (
    *("peer", "version", "{unit}", "min – max", f"{REFERENCE} is better", "min – max"),
    *("peak MiB", f"÷ {REFERENCE}"),
)


@dataclass(frozen=True)
class Spread:
    """A median and what it lies between."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None where there are no values."""
        values = list(values)
        return cls(statistics.median(values), min(values), max(values)) if values else None


@dataclass(frozen=True)
class Row:
    """What is known of one peer at one task.

    Attributes:
        peer: its name.
        figures: over its rounds, in the task's unit; None where it has none.
        ratios: how many times the reference is better, over the rounds that both finished.
        peak: median of its largest memory, MiB.
        memory: median of its largest memory over the reference's, of paired rounds.
        error: what it died of, if it ever did.
    """

    peer: str
    figures: Spread | None
    ratios: Spread | None
    peak: float | None
    memory: float | None
    error: str | None


def rows(measurements: Sequence[Measurement], task: str, more: bool) -> list[Row]:
    """One row for each peer that was asked: the reference, then the others as they came.

    Args:
        measurements: of any tasks and rounds.
        task: which one the rows are about.
        more: whether more is better: says which way round ratios are.
    """
    mine = [each for each in measurements if each["task"] == task]
    reference = _by_round(mine, REFERENCE)
    found = []
    names = dict.fromkeys(each["peer"] for each in mine)
    for peer in sorted(names, key=lambda name: name != REFERENCE):
        own = _by_round(mine, peer)
        pairs = [(reference[number], own[number]) for number in own if number in reference]
        ratios = [
            ours["figure"] / theirs["figure"] if more else theirs["figure"] / ours["figure"]
            for ours, theirs in pairs
        ]
        memory = Spread.of(theirs["peak_mib"] / ours["peak_mib"] for ours, theirs in pairs)
        peak = Spread.of(each["peak_mib"] for each in own.values())
        errors = [each["error"] for each in mine if each["peer"] == peer and "error" in each]
        found.append(
            Row(
                peer=peer,
                figures=Spread.of(each["figure"] for each in own.values()),
                ratios=None if peer == REFERENCE else Spread.of(ratios),
                peak=None if peak is None else peak.median,
                memory=None if peer == REFERENCE or memory is None else memory.median,
                error=errors[-1] if errors else None,
            )
        )
    return found


def _by_round(measurements: Iterable[Measurement], peer: str) -> dict[int, Measurement]:
    return {
        each["round"]: each for each in measurements if each["peer"] == peer and "figure" in each
    }


def markdown(
    measurements: Sequence[Measurement],
    tasks: Mapping[str, Task],
    peers: Mapping[str, Peer],
    header: Mapping[str, str],
) -> str:
    """The whole comparison.

    Args:
        measurements: all.
        tasks: in the order of the tables; those without measurements are left out.
        peers: for versions and notes.
        header: what the figures were taken on, name → value.
    """
    lines = [
        f"# {REFERENCE} compared with other programs",
        "",
        "Speed and memory of the same tasks, measured by one run of `benchmarks/compare.py`:",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in header.items()]
    lines += [
        "",
        "How to read the tables:",
        "",
        "- All programs are measured in turn, in several rounds. Figures are medians over rounds, "
        "with the lowest and the highest beside them.",
        f"- “{REFERENCE} is better” is the ratio of the two figures of one round. More than 1 "
        f"means that {REFERENCE} is better.",
        "- Peak memory is the largest resident set of the process.",
    ]
    for name, task in tasks.items():
        found = rows(measurements, name, task.more)
        if found:
            lines += ["", f"## {task.title}", "", task.about, ""]
            lines += _table(found, task, peers)
            lines += _remarks([each for each in measurements if each["task"] == name])
    noted = [peer for peer in peers.values() if peer.note]
    asked = {each["peer"] for each in measurements}
    lines += ["", "## The other programs", ""]
    lines += [f"- {peer.name}: {peer.note}" for peer in noted if peer.name in asked]
    return "\n".join(lines) + "\n"


def _table(found: Sequence[Row], task: Task, peers: Mapping[str, Peer]) -> list[str]:
    head = [column.format(unit=task.unit) for column in _COLUMNS]
    lines = [_line(head), _line(["---"] * 2 + ["---:"] * (len(head) - 2))]
    for row in found:
        version = peers[row.peer].version if row.peer in peers else ""
        if row.figures is None:
            what = f"does not run: {_escaped(row.error or 'no figure')}"
            lines.append(_line([row.peer, version, what, *[""] * (len(head) - 3)]))
            continue
        figures, ratios = row.figures, row.ratios
        lines.append(
            _line(
                [
                    row.peer,
                    version,
                    _number(figures.median),
                    f"{_number(figures.low)} – {_number(figures.high)}",
                    f"{ratios.median:.2f} ×" if ratios else "",
                    f"{ratios.low:.2f} – {ratios.high:.2f}" if ratios else "",
                    f"{row.peak:,.0f}" if row.peak is not None else "",
                    f"{row.memory:.2f} ×" if row.memory is not None else "",
                ]
            )
        )
    return lines


def _remarks(measurements: Sequence[Measurement]) -> list[str]:
    """Failures beside figures, numbers of parameters, and how each was done."""
    lines = []
    finished = {each["peer"]: each for each in measurements if "figure" in each}
    for each in measurements:
        if "error" in each and each["peer"] in finished:
            lines.append(f"{each['peer']} failed in round {each['round']}: {each['error']}")
    parameters = {
        peer: each["parameters"] for peer, each in finished.items() if each.get("parameters")
    }
    if parameters:
        counts = {peer: " + ".join(f"{n:,}" for n in each) for peer, each in parameters.items()}
        if len(counts) > 1 and len(set(counts.values())) == 1:
            text = f"the same everywhere, {next(iter(counts.values()))}"
        else:
            text = "; ".join(f"{peer} {count}" for peer, count in counts.items())
        lines.append(f"Parameters of generator and discriminator: {text}.")
    lines += [f"{peer}: {each['note']}." for peer, each in finished.items() if each.get("note")]
    return ["", *(f"- {line}" for line in lines)] if lines else []


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
