"""The search for copies finds what is moved, mirrored, mixed or partial, and no strangers."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from facegan.evaluation import copy_verdict
from facegan.evaluation.copy_search import CopySearch, Matches
from facegan.evaluation.copy_verdict import Yardstick, search_result
from facegan.evaluation.copy_views import PARTS, SIDE, View, moved, part_mask, reduced

Images = np.ndarray
REAL, HELD_OUT, COPIES, SIDE_PX = 500, 80, 24, 64


def draw(n: int, seed: int) -> Images:
    """Pictures with the spectrum of photographs: amplitudes fall as 1/f. uint8 [n, 64, 64, 3]."""
    random = np.random.default_rng(seed)
    waves = np.fft.fftfreq(SIDE_PX)
    frequency = np.hypot(waves[:, None], waves[None])
    frequency[0, 0] = np.inf
    noise = np.fft.fft2(random.standard_normal((n, 3, SIDE_PX, SIDE_PX)))
    planes = np.fft.ifft2(noise / frequency).real
    planes = planes.mean(1, keepdims=True) + 0.3 * planes
    planes *= 50 / planes.std((1, 2, 3), keepdims=True)
    return np.clip(128 + planes, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.fixture(scope="module")
def pictures() -> Images:
    return draw(REAL, 0)


@pytest.fixture(scope="module")
def held_out() -> np.ndarray:
    return np.arange(REAL) >= REAL - HELD_OUT


@pytest.fixture(scope="module")
def search(pictures: Images, held_out: np.ndarray) -> CopySearch:
    return CopySearch(pictures, np.arange(REAL), ~held_out)


@pytest.fixture(scope="module")
def yardstick(search: CopySearch, pictures: Images) -> Yardstick:
    who = np.arange(REAL)
    return Yardstick.of(search.look_up(pictures, None, (who, who)).score)


def _jpeg(picture: Images) -> Images:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file).convert("RGB"))


def _turned(picture: Images) -> Images:
    wide = Image.fromarray(np.pad(picture, ((16, 16), (16, 16), (0, 0)), "edge"))
    return np.asarray(wide.rotate(6, Image.Resampling.BICUBIC))[16:-16, 16:-16]


def _pasted(picture: Images, other: Images) -> Images:
    inside = part_mask("middle").numpy().repeat(2, 0).repeat(2, 1)[..., None]
    return np.where(inside, picture, other)


CHANGES: dict[str, Callable[[Images, Images], Images]] = {
    "as it is": lambda one, other: one,
    "mirrored": lambda one, other: one[:, ::-1],
    "shifted": lambda one, other: np.roll(one, (3, -4), (0, 1)),
    "turned": lambda one, other: _turned(one),
    "a JPEG": lambda one, other: _jpeg(one),
    "paler": lambda one, other: (0.6 * one + 70).astype(np.uint8),
    "mixed": lambda one, other: ((one.astype(np.uint16) + other) // 2).astype(np.uint8),
    "half of it": lambda one, other: np.concatenate((one[:, :32], other[:, 32:]), 1),
    "pasted": _pasted,
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found(
    change: str, search: CopySearch, yardstick: Yardstick, pictures: Images, held_out: np.ndarray
) -> None:
    new = draw(COPIES, 1)
    made = [CHANGES[change](one, other) for one, other in zip(pictures, new, strict=False)]
    matches = search.look_up(np.stack(made))
    best = yardstick.best(matches)
    rows = matches.row[np.arange(COPIES), best.part]
    right = (best.score >= yardstick.level) & (rows == np.arange(COPIES))
    assert right.mean() >= 0.9
    found = search_result(yardstick, matches, search.parts, held_out)
    assert found.verdict in ("copied", "unclear")
    assert found.chance < 1e-6
    assert (found.mirrored >= 20) == (change == "mirrored")
    assert (found.moved >= 20) == (change in ("shifted", "turned"))
    assert sum(found.parts.values()) == found.to_train


def test_new_pictures_are_left_to_chance(
    search: CopySearch, yardstick: Yardstick, held_out: np.ndarray
) -> None:
    new = draw(120, 2)
    # Blurred ones resemble everything more, and are no copies either.
    blurred = np.stack([np.asarray(Image.fromarray(one).reduce(4).resize((64, 64))) for one in new])
    for images in (new, blurred):
        found = search_result(yardstick, search.look_up(images), search.parts, held_out)
        assert found.verdict == "chance"
        assert found.to_train + found.to_holdout < 8


def test_copies_of_held_out_pictures_are_not_held_against_a_generator(
    search: CopySearch, yardstick: Yardstick, pictures: Images, held_out: np.ndarray
) -> None:
    both = np.concatenate((pictures[:20], pictures[held_out][:20]))
    found = search_result(yardstick, search.look_up(both), search.parts, held_out)
    assert (found.to_train, found.to_holdout, found.verdict) == (20, 20, "typical")


def test_pictures_of_one_person_are_kept_apart(search: CopySearch, pictures: Images) -> None:
    who = np.arange(REAL) // 2
    matches = search.look_up(pictures, np.arange(10), (who[:10], who))
    assert (who[matches.row] != who[:10, None]).all()


def test_a_view_undoes_what_was_done() -> None:
    picture = reduced(draw(1, 3))
    for there, back in pairwise((View(right=0.125), View(right=-0.125))):
        again = moved(moved(picture, there), back)
        inner = slice(5, SIDE - 5)
        assert np.allclose(again[..., inner], picture[..., inner], atol=1e-2)
    assert (moved(moved(picture, View(True)), View(True)) == picture).all()
    assert moved(picture, View(down=0.25))[0, 0, SIDE // 2, 3] == pytest.approx(
        float(picture[0, 0, SIDE // 4, 3]), abs=1e-2
    )


def test_parts_are_what_they_are_called() -> None:
    whole = part_mask("whole")
    assert not (part_mask("left half") & part_mask("right half")).any()
    assert ((part_mask("upper half") | part_mask("lower half")) == whole).all()
    assert not (part_mask("middle") & part_mask("rim")).any()
    assert {part.name for part in PARTS} >= {"whole", "middle", "rim"}


def test_grey_and_flat_pictures_are_looked_up(search: CopySearch) -> None:
    flat = np.full((2, 20, 30, 1), 7, np.uint8)
    assert np.isfinite(search.look_up(flat).score).all()


def test_chance_is_exact() -> None:
    # One real picture, one new one: either is the higher.
    assert copy_verdict.chance(1, 1, 1, 1) == pytest.approx(1 / 2)
    # Three new ones all above the highest of three real ones: 1 of 20 orders.
    assert copy_verdict.chance(3, 3, 1, 3) == pytest.approx(1 / 20)
    assert copy_verdict.chance(0, 3, 1, 3) == 1
    random = np.random.default_rng(0)
    n, real, reached = 30, 90, 3
    drawn = random.random((4000, n + real))
    level = np.sort(drawn[:, n:], 1)[:, -reached]
    exceed = (drawn[:, :n] > level[:, None]).sum(1)
    for found in (1, 2, 4):
        said = copy_verdict.chance(found, n, reached, real)
        assert said == pytest.approx(float((exceed >= found).mean()), abs=0.03)


def test_the_sides_are_binomial() -> None:
    assert copy_verdict.sides(0, 20, 0.1) == pytest.approx(0.9**20)
    assert copy_verdict.sides(0, 0, 0.1) == 1
    assert copy_verdict.sides(3, 9, 0.25) == pytest.approx(stats.binom.cdf(3, 9, 0.25))


@pytest.mark.parametrize(
    ("chance", "sides", "to_holdout", "said"),
    [
        (0.02, 0.001, 0, "chance"),
        (0.001, 0.001, 3, "copied"),
        (0.001, 0.5, 4, "typical"),
        (0.001, 0.5, 0, "unclear"),
    ],
)
def test_verdicts(chance: float, sides: float, to_holdout: int, said: str) -> None:
    assert copy_verdict.verdict(chance, sides, to_holdout) == said


def test_the_level_is_what_one_in_five_hundred_reaches() -> None:
    scores = np.random.default_rng(0).standard_normal((2000, 2))
    yardstick = Yardstick.of(scores)
    assert yardstick.reached == 4
    assert (yardstick.scores >= yardstick.level).sum() == 4
    assert yardstick.as_unusual(np.array([yardstick.level]))[0] == pytest.approx(4 / 2000)
    assert np.median(((scores - yardstick.middle) / yardstick.spread), 0) == pytest.approx(0)
    # A copy of the whole is said to be one, though a part of it matches better.
    zero = np.zeros((1, 2), np.int64)
    high = Matches(np.array([[8.0, 9.0]], np.float32), zero, zero, zero.astype(np.float32))
    assert yardstick.best(high).part[0] == 0
