"""Whether a generator shows the labels that it was asked for, ready for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facegan.evaluation.results import Agreement
from facegan.evaluation.wording import Formatted, formatted, kimg

if TYPE_CHECKING:
    from facegan.runs.reading import Measured


@dataclass(frozen=True)
class AgreementRow:
    """One label.

    Attributes:
        name: of the label.
        measure: `AUC` or `correlation`.
        generated: of the generated pictures.
        real: of real ones; None where they lack the label.
        error: of a quantity, how far off on average, generated and real; empty for yes or no.
    """

    name: str
    measure: str
    generated: Formatted
    real: Formatted | None
    error: str


@dataclass(frozen=True)
class AgreementTable:
    """What the attribute reader saw in the newest evaluation that asked it.

    Attributes:
        said: what was compared, and when.
        rows: the labels, in the reader's order.
        left_out: said of the labels that could not be judged; may be empty.
    """

    said: str
    rows: list[AgreementRow]
    left_out: str


def agreement_table(evaluations: Sequence[Measured]) -> AgreementTable | None:
    """The newest agreement of generated pictures with their labels; None if there is none."""
    for measured in reversed(evaluations):
        found = measured.evaluation.agreement
        if found is not None:
            break
    else:
        return None
    rows = [
        AgreementRow(
            label.name,
            label.measure,
            formatted(label.generated),
            None if label.real is None else formatted(label.real),
            _error(label.error, label.error_real),
        )
        for label in found.labels
    ]
    return AgreementTable(
        said=compared(found, f" at {kimg(measured.images_seen)} kimg"),
        rows=rows,
        left_out=(
            f"Not judged, as hardly asked for or hardly left out: {', '.join(found.left_out)}."
            if found.left_out
            else ""
        ),
    )


def compared(found: Agreement, when: str = "") -> str:
    """What stands beside what, in words; `when` follows the number of pictures."""
    return (
        f"Labels that {found.n:,} pictures{when} were asked for, against those that an attribute "
        f"reader sees in them; beside it the same of {found.n_real:,} real pictures and their "
        "labels. Chance is 0.5 for an AUC and 0 for a correlation."
    )


def _error(generated: float | None, real: float | None) -> str:
    if generated is None:
        return ""
    beside = "" if real is None else f"; real pictures by {real:.1f}"
    return f"off by {generated:.1f} on average{beside}"
