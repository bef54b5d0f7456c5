"""The diagnosis: every symptom is shown every line, and each kind of trouble is said once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facegan.runs.diagnosis.evidence import Line, Past
from facegan.runs.diagnosis.history import Explosion, Plateau, Worsening
from facegan.runs.diagnosis.probes import (
    Artefacts,
    Faceless,
    Fall,
    Idle,
    Imbalance,
    NeverVaried,
    Overfitting,
    Saturation,
)
from facegan.runs.diagnosis.symptom import Kind, Symptom

if TYPE_CHECKING:
    from facegan.recipe import Recipe


@dataclass(frozen=True)
class Finding:
    """Something that a person should know about a run.

    Attributes:
        kind: `saturation`, `imbalance`, `overfitting`, `collapse`, `divergence`, `plateau`,
            `artefacts`, `no face`, `idle`.
        images_seen: when the evidence was enough.
        said: a sentence with the evidence.
        helps: what usually helps, with the recipe's settings by name.
    """

    kind: Kind
    images_seen: int
    said: str
    helps: str


def diagnose(
    lines: Iterable[Mapping[str, Any]], total: int, recipe: Recipe | None = None
) -> list[Finding]:
    """Every finding in the lines of a journal, in their order; each kind at most once.

    Args:
        lines: of metrics.jsonl. What is missing, or is not what it should be, is passed over.
        total: images in the whole run.
        recipe: of the run, so that no help is what it does already.
    """
    return Diagnosis(total, lines, recipe).findings


class Diagnosis:
    """Reads a journal line by line.

    Args:
        total: images in the whole run.
        lines: of the part of the run that is over.
        recipe: see `diagnose`.

    Attributes:
        findings: all so far.
    """

    def __init__(
        self,
        total: int,
        lines: Iterable[Mapping[str, Any]] = (),
        recipe: Recipe | None = None,
    ) -> None:
        self.findings: list[Finding] = []
        self._past = Past(max(total, 1), recipe)
        # Those that explain others come first.
        self._symptoms: tuple[Symptom, ...] = (
            Idle(),
            Explosion(),
            Saturation(),
            Imbalance(),
            Overfitting(),
            Fall(),
            NeverVaried(),
            Artefacts(),
            Worsening(),
            Faceless(),
            Plateau(),
        )
        for line in lines:
            self.add(line)

    def add(self, line: Mapping[str, Any]) -> list[Finding]:
        """Take in one line; returns what is new."""
        read = Line.read(line)
        if read is None:
            return []
        self._past.follow(read)
        new = []
        for symptom in self._symptoms:
            words = symptom.see(read, self._past)
            if words is not None and symptom.kind not in self._past.found:
                self._past.found.add(symptom.kind)
                new.append(Finding(symptom.kind, int(read.at), words.said, words.helps))
        self.findings += new
        return new
