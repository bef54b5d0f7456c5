"""The closest pairs of generated and real pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from facegan.data.pictures import read_png
from facegan.evaluation.gallery import COLUMNS, GAP
from facegan.evaluation.results import Neighbour, Pair
from facegan.evaluation.wording import fixed, listed
from facegan.report.filmstrip import data_uri, webp
from facegan.runs.checkpoint import folder_name
from facegan.runs.reading import Measured, Reading

if TYPE_CHECKING:
    from PIL.Image import Image

# Of one page; each picture is a few kilobytes.
_MOST = 24
_QUALITY = 90
_WIDEST = 192


@dataclass(frozen=True)
class Shown:
    """A generated picture and what it comes closest to.

    Attributes:
        title: which generated picture it is.
        said: how close it comes, and in which embedding.
        names: of the real pictures, where they may be named.
        pictures: (what, source of an `<img>`); empty where there are none.
        side: of each picture, in pixels.
    """

    title: str
    said: str
    names: tuple[str, ...]
    pictures: tuple[tuple[str, str], ...]
    side: int


def gallery(reading: Reading, real: bool = True, at_most: int = _MOST) -> list[Shown]:
    """The closest pairs of the newest evaluation that looked for copies.

    Args:
        reading: the run.
        real: whether real faces and their names may be shown; otherwise grey stands in for them.
        at_most: pairs to show.
    """
    measured = newest_copying(reading)
    if measured is None or measured.evaluation.copying is None:
        return []
    pairs = measured.evaluation.copying.pairs
    rows = _rows(reading, measured, len(pairs), real)
    return [_shown(pair, rows[i] if rows else [], real) for i, pair in enumerate(pairs[:at_most])]


def newest_copying(reading: Reading) -> Measured | None:
    """The latest evaluation in which copies were sought."""
    sought = [m for m in reading.evaluations if m.evaluation.copying is not None]
    return sought[-1] if sought else None


def _rows(reading: Reading, measured: Measured, count: int, real: bool) -> list[list[Image]]:
    """The pictures of each pair; empty where the file is not there or laid out otherwise."""
    name = "closest.png" if real else "closest-generated.png"
    path = reading.run.evaluations / folder_name(measured.images_seen) / name
    sheet = read_png(path)
    if sheet is None:
        return []
    side, rest = divmod(sheet.width + GAP, len(COLUMNS))
    if rest or not count or sheet.height + GAP != count * side:
        return []
    return [
        [_cell(sheet, x, y, side, measured.evaluation.resolution) for x in range(len(COLUMNS))]
        for y in range(count)
    ]


def _cell(sheet: Image, x: int, y: int, side: int, natural: int) -> Image:
    """One picture, in the size that it had before the sheet enlarged it."""
    from PIL import Image

    cell = sheet.crop((x * side, y * side, (x + 1) * side - GAP, (y + 1) * side - GAP))
    if natural > 0 and cell.width % natural == 0:
        cell = cell.resize((natural, natural), Image.Resampling.NEAREST)
    cell.thumbnail((_WIDEST, _WIDEST))
    return cell


def _shown(pair: Pair, pictures: list[Image], real: bool) -> Shown:
    return Shown(
        title=f"Seed {pair.seed}",
        said=_closeness(pair),
        names=(_named("Training", pair.train), _named("Held out", pair.holdout)) if real else (),
        pictures=tuple(
            (what, data_uri(webp(picture, quality=_QUALITY)))
            for what, picture in zip(COLUMNS, pictures, strict=bool(pictures))
        ),
        side=pictures[0].width if pictures else 0,
    )


def _closeness(pair: Pair) -> str:
    how = ["mirrored"] if pair.train.mirrored else []
    if pair.part is None:
        where = ", ".join([f"in {pair.embedding}", *how])
        many = "holdout images are as close to the training set"
        none = "no holdout image is as close to the training set"
    else:
        found = "as a whole" if pair.part == "whole" else f"by the {pair.part}"
        where = listed([f"found {found}", *how, *(["moved"] if pair.moved else [])])
        many = "real images match another person's as closely"
        none = "no real image matches another person's as closely"
    if pair.closeness <= 0:
        return f"{where}: {none}."
    return f"{where}: {fixed(100 * pair.closeness, 2 if pair.closeness < 0.01 else 1)} % of {many}."


def _named(split: str, neighbour: Neighbour) -> str:
    mirrored = ", mirrored" if neighbour.mirrored else ""
    return f"{split}: {neighbour.name}, at {neighbour.distance:.3g}{mirrored}"
