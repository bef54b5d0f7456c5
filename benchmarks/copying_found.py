"""Which copies of training pictures the search for copies finds, by what was done to them.

    python benchmarks/copying_found.py DATASET [--model lfw-64] [--n 5000] [--copies 100]

Training pictures are changed in known ways and hidden among n pictures of a generator. Prints a
Markdown table: the share of the copies that is found one by one (with the right source), and how
often the whole set is called copied when 1 % and 5 % of it are such copies (of 200 draws; in
brackets: called unclear).
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from facegan.cache import cache_folder
from facegan.data.dataset import Dataset
from facegan.data.pictures import open_picture
from facegan.evaluation.cache import FeatureCache
from facegan.evaluation.copy_search import CopySearch, Matches
from facegan.evaluation.copy_verdict import Yardstick, search_result
from facegan.evaluation.copying import RealFaces, yardstick_of
from facegan.generation.generator import open_generator
from facegan.models.store import find_source
from facegan.progress import progress_bar
from facegan.seeding import REAL_CHOICE, random
from facegan.startup import tune_process

Images = npt.NDArray[np.uint8]
Random = np.random.Generator
# (copied pictures, others of the training set, randomness) → what is hidden
Change = Callable[[Images, Images, Random], Images]
_DRAWS = 200


def main() -> None:
    """Change, hide, search, print."""
    tune_process()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model", default="lfw-64")
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--copies", type=int, default=100)
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    real = RealFaces.of(dataset)
    rows = np.sort(np.concatenate((real.train, real.holdout)))
    held_out = np.isin(rows, real.holdout)
    search = CopySearch(dataset.images, rows, ~held_out)
    with progress_bar("real pictures") as progress:
        cache = FeatureCache(cache_folder())
        yardstick = yardstick_of(search, dataset, real, rows, cache, progress=progress)
    generator = open_generator(find_source(options.model, print), False, "cpu")
    clean = np.concatenate(list(generator.pictures(range(options.n))))
    with progress_bar("generated pictures") as progress:
        usual = search.look_up(clean, progress=progress)
    draw = random(0, REAL_CHOICE, 20)
    both = draw.permutation(real.train)[: 2 * options.copies]
    source, other = np.split(both, 2)
    one, two = (np.stack([dataset.images[i] for i in some]) for some in (source, other))
    before = search_result(yardstick, usual, search.parts, held_out)
    print(f"{dataset.card['name']}, {dataset.spec.resolution} px, {len(rows):,} pictures searched.")
    print(f"{options.n:,} of {options.model}: {before.to_train} match training pictures, ", end="")
    print(f"{before.to_holdout} held-out ones, {before.expected:.1f} by chance.\n")
    print("| copies | found | 1 % of the set | 5 % of the set |")
    print("|---|---:|---:|---:|")
    for name, change in KINDS.items():
        made = change(one, two, random(0, REAL_CHOICE, 21))
        found = search.look_up(np.ascontiguousarray(made))
        best = yardstick.best(found)
        matched = rows[found.row[np.arange(len(made)), best.part]]
        right = (matched == source) | (matched == other)
        share = float(((best.score >= yardstick.level) & right).mean())
        cells = [_called(yardstick, usual, found, search, held_out, part) for part in (0.01, 0.05)]
        print(f"| {name} | {100 * share:.0f} % | {cells[0]} | {cells[1]} |", flush=True)


def _called(
    yardstick: Yardstick,
    usual: Matches,
    copies: Matches,
    search: CopySearch,
    held_out: npt.NDArray[np.bool_],
    part: float,
) -> str:
    """How often sets of which this part are copies are called so."""
    n = len(usual.score)
    count, draw = round(part * n), random(0, REAL_CHOICE, 22)
    said = []
    for _ in range(_DRAWS):
        some = draw.integers(len(copies.score), size=count)
        rest = draw.permutation(n)[: n - count]
        mixed = Matches(
            np.concatenate((usual.score[rest], copies.score[some])),
            np.concatenate((usual.row[rest], copies.row[some])),
            np.concatenate((usual.view[rest], copies.view[some])),
            np.concatenate((usual.distance[rest], copies.distance[some])),
        )
        said.append(search_result(yardstick, mixed, search.parts, held_out).verdict)
    copied, unclear = (round(100 * said.count(word) / _DRAWS) for word in ("copied", "unclear"))
    return f"{copied} %" + (f" ({unclear} %)" if unclear else "")


def _each(change: Callable[[Image.Image], Image.Image]) -> Change:
    return lambda one, two, draw: np.stack([np.asarray(change(Image.fromarray(x))) for x in one])


def _jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return open_picture(file, ("JPEG",)).convert("RGB")

    return change


def _shifted(share: float) -> Change:
    """By this share of the side, in a direction by chance; edges are repeated."""

    def change(one: Images, two: Images, draw: Random) -> Images:
        side = one.shape[1]
        by = round(share * side)
        wide = np.pad(one, ((0, 0), (by, by), (by, by), (0, 0)), "edge")
        places = by + draw.choice([-by, by], (len(one), 2))
        return np.stack(
            [x[i : i + side, j : j + side] for x, (i, j) in zip(wide, places, strict=True)]
        )

    return change


def _turned(degrees: float) -> Change:
    def change(one: Images, two: Images, draw: Random) -> Images:
        room = one.shape[1] // 4
        inner = slice(room, -room)
        turned = []
        for x in one:
            wide = Image.fromarray(np.pad(x, ((room, room), (room, room), (0, 0)), "edge"))
            angle = float(draw.choice([-degrees, degrees]))
            turned.append(np.asarray(wide.rotate(angle, Image.Resampling.BICUBIC))[inner, inner])
        return np.stack(turned)

    return change


def _enlarged(share: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        cut = round(share * image.width / 2)
        inner = (cut, cut, image.width - cut, image.height - cut)
        return image.crop(inner).resize(image.size, Image.Resampling.BICUBIC)

    return _each(change)


def _blend(weight: float) -> Change:
    return lambda one, two, draw: np.rint(weight * one.astype(float) + (1 - weight) * two).astype(
        np.uint8
    )


def _pasted(one: Images, two: Images, draw: Random) -> Images:
    """The face of one on the background of another."""
    side = one.shape[1]
    down, across = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    inside = (across / 0.27) ** 2 + (down / 0.35) ** 2 < 1
    return np.where(inside[None, :, :, None], one, two)


def _halves(one: Images, two: Images, draw: Random) -> Images:
    side = one.shape[1] // 2
    return np.concatenate((one[:, :, :side], two[:, :, side:]), 2)


def _hole(one: Images, two: Images, draw: Random) -> Images:
    made, side = one.copy(), one.shape[1]
    hole = round(0.31 * side)
    for x in made:
        i, j = draw.integers(0, side - hole, 2)
        x[i : i + hole, j : j + hole] = 128
    return made


def _noise(sigma: float) -> Change:
    return lambda one, two, draw: np.clip(one + draw.normal(0, sigma, one.shape), 0, 255).astype(
        np.uint8
    )


def _tinted(one: Images, two: Images, draw: Random) -> Images:
    return np.clip((one - 128.0) * 0.7 + 100 + np.array([20, 0, -20]), 0, 255).astype(np.uint8)


def _mirrored(one: Images, two: Images, draw: Random) -> Images:
    return one[:, :, ::-1]


def _chain(one: Images, two: Images, draw: Random) -> Images:
    shifted = _shifted(1 / 32)(_mirrored(one, two, draw), two, draw)
    return _each(_jpeg(50))(shifted, two, draw)


KINDS: dict[str, Change] = {
    "exact": lambda one, two, draw: one,
    "mirrored": _mirrored,
    "brightness, contrast and colour": _tinted,
    "JPEG 20": _each(_jpeg(20)),
    "noise σ 25": _noise(25),
    "blur σ 1": _each(lambda image: image.filter(ImageFilter.GaussianBlur(1))),
    "blur σ 2": _each(lambda image: image.filter(ImageFilter.GaussianBlur(2))),
    "shifted 1 px of 64": _shifted(1 / 64),
    "shifted 2 px of 64": _shifted(2 / 64),
    "shifted 4 px of 64": _shifted(4 / 64),
    "shifted 6 px of 64": _shifted(6 / 64),
    "turned 4°": _turned(4),
    "turned 8°": _turned(8),
    "turned 15°": _turned(15),
    "enlarged 7 %": _enlarged(0.0625),
    "enlarged 14 %": _enlarged(0.125),
    "hole of a tenth": _hole,
    "mixed 75/25 with another": _blend(0.75),
    "mixed 50/50 of two": _blend(0.5),
    "face of one, background of another": _pasted,
    "half of one, half of another": _halves,
    "mirrored, shifted 2 px, JPEG 50": _chain,
}


if __name__ == "__main__":
    main()
