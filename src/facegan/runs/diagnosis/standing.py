"""What may be said of a run in which nothing was found: what was measured, and what is open.

That no symptom showed is no proof of health: a run whose pictures are all alike from the start
to the end, or whose FD rises, must not be told that it did not collapse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from facegan.runs.diagnosis.evidence import Distance, Line
from facegan.runs.diagnosis.symptom import kimg, percent

_VARIED, _ALIKE = 0.5, 0.9
_FACES = 0.5


@dataclass(frozen=True)
class Standing:
    """How a run stands at the end of its journal.

    Attributes:
        calm: what measurements rule out, in words.
        doubts: what they leave open, as sentences.
    """

    calm: tuple[str, ...]
    doubts: tuple[str, ...]


def standing(lines: Iterable[Mapping[str, Any]]) -> Standing:
    """Read the lines of metrics.jsonl. What is missing or strange in them says nothing."""
    probe: Line | None = None
    distances: dict[str, list[Distance]] = {}
    for line in lines:
        read = Line.read(line)
        if read is None:
            continue
        if read.probed:
            probe = read
        if read.distance is not None:
            distances.setdefault(read.distance.conditions, []).append(read.distance)
    calm: list[str] = []
    doubts: list[str] = []
    if probe is not None:
        _of_probe(probe, calm, doubts)
    series = max(distances.values(), key=len, default=[])
    if len(series) > 1:
        _of_distances(series, calm, doubts)
    return Standing(tuple(calm), tuple(doubts))


def _of_probe(probe: Line, calm: list[str], doubts: list[str]) -> None:
    variety = probe.probe("diversity")
    if variety >= _VARIED:
        calm.append(f"no collapse (variety {percent(variety)} of that of real images)")
    elif variety >= 0:
        doubts.append(
            f"The variety of the generated images is {percent(variety)} of that of real images, so "
            "collapse cannot be ruled out."
        )
    if 0.4 < probe.probe("told_apart") < 0.999:
        calm.append("the discriminator neither wins nor loses")
    if probe.probe("remembered") < 0.75:
        calm.append("it does not overfit")
    real, made = probe.probe("faces_real"), probe.probe("faces")
    if real >= _FACES and made < real / 2:
        doubts.append(
            f"The detector finds a face in {percent(made)} of the generated images and in "
            f"{percent(real)} of the real images."
        )


def _of_distances(series: list[Distance], calm: list[str], doubts: list[str]) -> None:
    now, best = series[-1], min(series, key=lambda distance: distance.value)
    if now.low > best.high:
        doubts.append(f"FD was {best} at {kimg(best.at)} and is {now} at {kimg(now.at)}.")
    else:
        calm.append("no divergence (FD is as low as ever)")
