"""Looks up pictures among real ones, wherever in them and however moved a copy may lie.

In two steps, part by part (`copy_views`): candidates by coarse features, then each candidate
closely, in many views. What counts is how unusual the best match is, in standard deviations of
the picture's products with all training pictures, so that smooth pictures, which resemble
everything, gain nothing by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facegan.evaluation.cache import Progress, silent
from facegan.evaluation.copy_views import PARTS, Part, View, Whitening, moved, reduced

Images = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# Changes whenever the same pictures would match otherwise.
VERSION = 1
# Candidates that are looked at closely, in each part.
_CANDIDATES = 16
# Pictures that are looked up at a time, and real ones beside them.
_ROWS, _COLUMNS = 128, 4096


class Matches(NamedTuple):
    """The most unusual match of each of N pictures in each part.

    Attributes:
        score: float32 [N, parts], in standard deviations.
        row: int64 [N, parts], which of the real pictures.
        view: int64 [N, parts], which of the part's close views.
        distance: float32 [N, parts], between the two unit vectors: 0 where they are equal.
    """

    score: Floats
    row: Numbers
    view: Numbers
    distance: Floats


@dataclass(frozen=True)
class _Space:
    """A part with the features of the real pictures, for the list and for looking closely."""

    part: Part
    coarse: Whitening
    close: Whitening
    coarse_real: Tensor
    close_real: Tensor


class CopySearch:
    """Real pictures, prepared to be searched.

    Args:
        images: uint8 [M, H, W, C], in memory or memory-mapped.
        rows: int64 [R], those that are searched.
        fitted: bool [R], which of these decide what is usual: the training pictures.
    """

    parts = PARTS

    def __init__(self, images: Images, rows: Numbers, fitted: npt.NDArray[np.bool_]) -> None:
        real = _read(images, rows)
        train = real[torch.from_numpy(fitted)]
        self._spaces = []
        for part in self.parts:
            coarse, close = (Whitening(part.name, train, count) for count in part.directions)
            self._spaces.append(_Space(part, coarse, close, coarse(real), close(real)))

    def look_up(
        self,
        images: Images,
        rows: Numbers | None = None,
        people: tuple[Numbers, Numbers] | None = None,
        progress: Progress = silent,
    ) -> Matches:
        """The best match of each picture.

        Args:
            images: uint8 [N, H, W, C].
            rows: which of them; all by default.
            people: int64 [N] and [R]: pictures and real ones with the same number do not match
                each other.
            progress: called with (pictures done, pictures in all).
        """
        chosen = np.arange(len(images)) if rows is None else rows
        shape = (len(chosen), len(self.parts))
        found = Matches(
            *(np.empty(shape, kind) for kind in (np.float32, np.int64, np.int64, np.float32))
        )
        with torch.inference_mode():
            for begin in range(0, len(chosen), _ROWS):
                here = slice(begin, begin + _ROWS)
                pictures = _Moved(_read(images, chosen[here]))
                barred = None
                if people is not None:
                    barred = torch.from_numpy(people[0][here, None] == people[1][None])
                for number, space in enumerate(self._spaces):
                    looked = _look(space, pictures, barred)
                    for part in range(len(found)):
                        found[part][here, number] = looked[part].numpy()
                progress(min(begin + _ROWS, len(chosen)), len(chosen))
        return found


class _Moved:
    """Pictures in any view, each made once."""

    def __init__(self, pictures: Tensor) -> None:
        self._pictures = pictures
        self._views: dict[View, Tensor] = {}

    def __len__(self) -> int:
        return len(self._pictures)

    def seen(self, view: View) -> Tensor:
        if view not in self._views:
            self._views[view] = moved(self._pictures, view)
        return self._views[view]


def _look(
    space: _Space, pictures: _Moved, barred: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(score, row, view, distance) of the best match in one part."""
    among = _candidates(space, pictures, barred)
    real = space.close_real[among].transpose(1, 2)
    best = torch.full(among.shape, -torch.inf)
    which = torch.zeros(among.shape, dtype=torch.int64)
    product = torch.zeros(among.shape)
    for number, view in enumerate(space.part.close):
        units = space.close(pictures.seen(view))
        likeness = (units[:, None] @ real)[:, 0]
        found = space.close.standard(likeness, units)
        better = found > best
        best = torch.where(better, found, best)
        product = torch.where(better, likeness, product)
        which.masked_fill_(better, number)
    if barred is not None:
        best.masked_fill_(barred.gather(1, among), -torch.inf)
    score, place = best.max(1)
    row, view_, likeness = (
        values.gather(1, place[:, None])[:, 0] for values in (among, which, product)
    )
    return score, row, view_, (2 - 2 * likeness).clamp(min=0).sqrt()


def _candidates(space: _Space, pictures: _Moved, barred: Tensor | None) -> Tensor:
    """The most similar real pictures in any coarse view: int64 [N, candidates]."""
    units = [space.coarse(pictures.seen(view)) for view in space.part.coarse]
    real = space.coarse_real
    best = torch.empty((len(pictures), len(real)))
    for begin in range(0, len(real), _COLUMNS):
        some = real[begin : begin + _COLUMNS].T
        whole = units[0] @ some
        for other in units[1:]:
            torch.maximum(whole, other @ some, out=whole)
        best[:, begin : begin + _COLUMNS] = whole
    if barred is not None:
        best.masked_fill_(barred, -torch.inf)
    return best.topk(min(_CANDIDATES, len(real)), 1).indices


def _read(images: Images, rows: Numbers) -> Tensor:
    parts = [reduced(np.asarray(images[rows[i : i + 256]])) for i in range(0, len(rows), 256)]
    return torch.cat(parts)
