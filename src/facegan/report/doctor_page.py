"""The page of `facegan data doctor`: what in a dataset would hurt training, worst first."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from facegan.data.dataset import Dataset
from facegan.data.doctor import STRANGER, Examination, Finding
from facegan.documents import render
from facegan.report.filmstrip import data_uri, webp
from facegan.runs.commands import Command

# Groups of near duplicates on a page, and pictures of one.
_GROUPS, _OF_GROUP = 24, 6
_NAMED = 12
_WIDEST = 192
_QUALITY = 90
_BINS = 48
# Drawn beyond these shares of a measure's values, a distribution would be all tail.
_TAIL = 0.002

_LIMITS = (
    (
        "costs",
        "The effect of each problem is general knowledge about GANs. It was not measured "
        "on this dataset; if it matters, train with and without such images.",
    ),
    (
        "occlusion",
        "Occlusion is estimated from the uncertainty of the landmark network. It misses "
        "about half of all microphones and masks and most dark glasses. It also reports "
        "other unusual faces: open mouths, large moustaches, hard light.",
    ),
    (
        "pose",
        "Poses are estimated from one image. Beyond 40° to the side, the estimates are too small.",
    ),
    (
        "blocks",
        "Compression blocks are detected only in images that have not been resized since.",
    ),
    (
        "identities",
        "If the extra faces is installed, a network (dlib's) judges whether names fit "
        "faces. It is made for whole faces that look ahead, and makes more errors for "
        "some groups of people than for others.",
    ),
)


@dataclass(frozen=True)
class _Picture:
    """One picture on the page."""

    uri: str
    said: str
    name: str
    beyond: bool = False


@dataclass(frozen=True)
class _Shown:
    """A finding on the page."""

    finding: Finding
    said: str
    median: str
    pictures: list[_Picture]
    chart: Markup
    command: str


@dataclass(frozen=True)
class _Group:
    """A group of near duplicates on the page."""

    pictures: list[_Picture]
    more: int
    across: bool
    several: bool


def doctor_page(dataset: Dataset, found: Examination) -> str:
    """The page as HTML, the same for the same dataset; it holds all that it shows.

    Args:
        dataset: that was examined.
        found: in it.
    """
    shown = [_shown(dataset, found, each) for each in found.findings]
    counts = dataset.card["counts"]
    flagged = {row for each in found.findings for row in each.rows}
    copies = found.duplicates.pictures
    facts = [
        ("Pictures", f"{len(dataset):,}", f"{dataset.spec.resolution} pixels"),
        ("To train on", f"{counts['train']:,}", f"{counts['holdout']:,} held out"),
        ("Identities", f"{counts['identities']:,}", ""),
        ("With a finding", f"{len(flagged):,}", f"{len(flagged) / len(dataset):.1%}"),
        ("Near duplicates", f"{copies:,}", "beyond one of each"),
        ("On both sides", f"{len(found.across):,}", "groups of near duplicates"),
    ]
    return render(
        "facegan.report",
        "doctor.html",
        name=dataset.path.resolve().name,
        about=_about(dataset),
        facts=facts,
        findings=[each for each in shown if each.finding.rows],
        fine=[each for each in shown if not each.finding.rows],
        side=_side(dataset),
        groups=_groups(dataset, found),
        found=found,
        several=[sorted({dataset.identities[row] for row in g}) for g in found.several[:_NAMED]],
        alike=_alike(dataset, found),
        both_sides=list(found.both_sides[:_NAMED]),
        frequent=[(name, f"{n:,}", f"{n / len(dataset):.1%}") for name, n in found.frequent],
        labels=list(found.labels),
        has_labels=dataset.labels is not None,
        duplicates=_duplicate_commands(dataset, found),
        commands=_commands(dataset, found),
        fingerprint=dataset.fingerprint,
        limits=list(_LIMITS),
    )


def filter_command(dataset: Dataset, *options: str) -> str:
    """The line that filters a dataset into another one beside it."""
    path = str(dataset.path)
    words = ["facegan", "data", "filter", path, f"{path.rstrip('/')}-clean", *options]
    return " ".join(shlex.quote(word) for word in words)


def drop_options(findings: Sequence[Finding]) -> list[str]:
    """What drops the pictures of findings."""
    return [word for each in findings for condition in each.drop for word in ("--drop", condition)]


def _about(dataset: Dataset) -> str:
    name = dataset.card.get("name")
    licence = dataset.card.get("licence")
    stated = isinstance(licence, str) and licence not in ("", "not stated")
    return f"{name}, {licence if stated else 'licence not stated'}" if name else ""


def _side(dataset: Dataset) -> int:
    return min(max(dataset.spec.resolution, 96), _WIDEST)


def _shown(dataset: Dataset, found: Examination, finding: Finding) -> _Shown:
    values = found.columns[finding.measure]
    count = len(finding.rows)
    said = "none" if not count else f"{count:,} of {finding.total:,}, {finding.share:.1%}"
    bad = set(finding.rows)
    named = finding.measure == STRANGER
    pictures = [
        _picture(
            dataset,
            row,
            f"{values[row]:.3g}{f' {dataset.identities[row]}' if named else ''}",
            row in bad,
        )
        for row in finding.worst
    ]
    return _Shown(
        finding,
        said,
        f"{float(np.nanmedian(values)):.3g}",
        pictures,
        _distribution(values, finding.limits),
        filter_command(dataset, *drop_options([finding])),
    )


def _picture(dataset: Dataset, row: int, said: str, beyond: bool = False) -> _Picture:
    from PIL import Image

    pixels = dataset.copied(np.array([row]))[0]
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    if image.width > _WIDEST:
        image.thumbnail((_WIDEST, _WIDEST))
    return _Picture(data_uri(webp(image, quality=_QUALITY)), said, dataset.names[row], beyond)


def _groups(dataset: Dataset, found: Examination) -> list[_Group]:
    """Groups of near duplicates, those that do most harm first."""
    across, several = set(found.across), set(found.several)
    order = sorted(
        found.duplicates.groups, key=lambda g: (g not in across, g not in several, -len(g), g)
    )
    return [
        _Group(
            [
                _picture(
                    dataset,
                    row,
                    "held out" if dataset.splits[row] == "holdout" else "training",
                    dataset.splits[row] == "holdout",
                )
                for row in group[:_OF_GROUP]
            ],
            len(group) - min(len(group), _OF_GROUP),
            group in across,
            group in several,
        )
        for group in order[:_GROUPS]
    ]


def _alike(dataset: Dataset, found: Examination) -> list[_Group]:
    """Pairs under two names that may show one person."""
    return [
        _Group(
            [_picture(dataset, row, dataset.identities[row]) for row in (each.first, each.second)],
            0,
            dataset.splits[each.first] != dataset.splits[each.second],
            True,
        )
        for each in found.alike[:_NAMED]
    ]


def _duplicate_commands(dataset: Dataset, found: Examination) -> list[Command]:
    if not found.duplicates.groups:
        return []
    moved = f"{found.moved:,} image{'' if found.moved == 1 else 's'}"
    count = found.duplicates.pictures
    return [
        Command(
            f"Put each group, and the people it shows, on one side: moves {moved}",
            filter_command(dataset, "--duplicates", "group"),
        ),
        Command(
            f"Keep one of each group: drops {count:,} image{'' if count == 1 else 's'}",
            filter_command(dataset, "--duplicates", "thin"),
        ),
    ]


def _commands(dataset: Dataset, found: Examination) -> list[Command]:
    some = [each for each in found.findings if each.rows]
    lines = []
    if some:
        lines.append(
            Command(
                "Drop all that is listed above, and thin duplicates",
                filter_command(dataset, *drop_options(some), "--duplicates", "thin"),
            )
        )
    lines.append(
        Command(
            "Drop nothing, but write all measures as columns of items.csv",
            filter_command(dataset),
        )
    )
    return lines


def _distribution(values: npt.NDArray[np.float64], limits: Sequence[float]) -> Markup:
    """How the values are spread, with the limits: an inline drawing."""
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
    low, high = min(low, *limits), max(high, *limits)
    room = 0.04 * (high - low) or 1.0
    low, high = low - room, high + room
    counts, _ = np.histogram(known.clip(low, high), _BINS, (low, high))
    # Square roots: the few that matter would not be seen beside the many.
    heights = np.sqrt(counts / max(counts.max(), 1)) * 36
    bars = "".join(
        f'<rect x="{5 * i}" y="{40 - height:.1f}" width="4" height="{height:.1f}"/>'
        for i, height in enumerate(heights.tolist())
        if height
    )
    lines = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="40"/>'
        for x in ((limit - low) / (high - low) * 5 * _BINS for limit in limits)
    )
    return Markup(
        f'<svg class="spread" viewBox="0 0 {5 * _BINS} 40" preserveAspectRatio="none" '
        f'aria-hidden="true">{bars}{lines}</svg>'
    )


def write_doctor_page(dataset: Dataset, found: Examination, out: Path) -> Path:
    """Write the page.

    Raises:
        StorageError: if it cannot be written.
    """
    from facegan.files import write_text

    write_text(out, doctor_page(dataset, found))
    return out
