"""The copying report on clusters with planted copies: what it flags, and what it does not."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from facegan.errors import FaceganError
from facegan.evaluation.copying import RealFaces, Space, find_copies
from facegan.evaluation.copying_words import Evidence, in_words
from facegan.evaluation.results import Copying, EmbeddingCopying, Estimate

# Faces of this world: half of the numbers swap sign where a picture is mirrored.
D, T, H, N = 16, 600, 200, 250
TURN = np.where(np.arange(D) % 2, -1, 1).astype(np.float32)


def faces(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, D)).astype(np.float32)


TRAIN, HOLDOUT = faces(T, 0), faces(H, 1)
REAL = RealFaces(
    train=np.arange(T) * 2,
    holdout=np.arange(H) * 2 + 1,
    names=[f"{i}.png" for i in range(2 * T)],
    identities=[f"person {i}" for i in range(2 * T)],
)


def space(generated: np.ndarray, embedding: str = "plain", scale: float = 1.0) -> Space:
    return Space(
        embedding=embedding,
        train=TRAIN * np.float32(scale),
        holdout=HOLDOUT * np.float32(scale),
        holdout_mirrored=HOLDOUT * TURN * np.float32(scale),
        generated=generated * np.float32(scale),
        generated_mirrored=generated * TURN * np.float32(scale),
    )


def look(generated: np.ndarray, **options: int) -> tuple[Copying, EmbeddingCopying]:
    seeds = range(1000, 1000 + len(generated))
    copying = find_copies([space(generated)], REAL, seeds, **options)
    return copying, copying.embeddings[0]


def with_copies(count: int, noise: float = 0.0) -> np.ndarray:
    """New faces, the first `count` of which are copies of training pictures, more or less."""
    generated = faces(N, 2)
    generated[:count] = TRAIN[:count] + noise * faces(count, 3)
    return generated


def numbers(text: str) -> set[str]:
    return set(re.findall(r"[0-9]+(?:\.[0-9]+)?", text))


def without_numbers(text: str) -> str:
    return re.sub(r"[0-9]+(?:\.[0-9]+)?", "0", text)


def test_new_faces_look_like_chance() -> None:
    copying, seen = look(faces(N, 2))
    assert seen.closer_low < 0.5 < seen.closer_high
    assert abs(seen.z) < 3
    assert seen.near < 12
    assert seen.near_expected == pytest.approx(N * 3 / (H + 1))
    assert seen.authentic.value == pytest.approx(seen.authentic_real.value, abs=0.1)
    assert seen.authentic.low <= seen.authentic.value <= seen.authentic.high
    assert (copying.n, copying.n_train, copying.n_holdout) == (N, T, H)
    assert seen.verdict == "chance"
    assert copying.few is False
    assert numbers(copying.said) >= {str(seen.near), "250", "3.7"}


def test_copies_are_flagged() -> None:
    copying, seen = look(with_copies(N))
    assert seen.closer == 1.0
    assert seen.z > 10
    assert seen.near == N
    assert seen.near_mirrored == 0
    assert seen.near_holdout < 20
    assert seen.authentic.value == 0.0
    assert seen.verdict == "copied"
    assert "250 cannot be" in copying.said  # told from a training image


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_some_changed_copies_among_many_pictures_are_flagged(noise: float) -> None:
    copying, seen = look(with_copies(30, noise))
    assert seen.near >= 30
    assert abs(seen.closer - 0.5) < 0.15  # the rank-sum alone hardly sees them
    assert seen.verdict == "copied"
    assert {pair.seed for pair in copying.pairs} <= set(range(1000, 1030))


def test_a_single_exact_copy_is_found() -> None:
    copying, _ = look(with_copies(1))
    first = copying.pairs[0]
    assert (first.seed, first.train.index, first.train.name) == (1000, 0, "0.png")
    assert first.train.distance == 0
    assert first.closeness == 0
    assert first.holdout.distance > 1
    assert first.holdout.index in REAL.holdout
    assert copying.embeddings[0].verdict == "copied"


def test_mirrored_copies_are_flagged_as_such() -> None:
    generated = with_copies(60) * TURN
    copying, seen = look(generated)
    assert seen.near_mirrored >= 55
    assert all(pair.train.mirrored for pair in copying.pairs)
    assert copying.pairs[0].train.distance == 0
    assert f"{seen.near_mirrored} are so close only when mirrored" in copying.said


def test_typical_faces_are_not_flagged() -> None:
    # Drawn towards the mean, they are close to every real face, held out or not.
    _, seen = look(0.6 * faces(N, 2))
    assert seen.z > 10
    assert seen.closer > 0.8
    assert seen.closer_holdout > 0.8
    assert seen.verdict == "typical"


def test_faces_unlike_real_ones_say_little_about_copying() -> None:
    _, seen = look(2.5 * faces(N, 2))
    assert seen.z < -3
    assert seen.verdict == "unlike"


def test_a_pull_to_the_training_set_alone_is_said() -> None:
    # A fifth of the way to the nearest training picture: no copies, yet no chance either.
    new = faces(N, 2)
    nearest = TRAIN[((new[:, None] - TRAIN) ** 2).sum(axis=2).argmin(axis=1)]
    _, seen = look(new + 0.15 * (nearest - new))
    assert seen.z > 3
    assert seen.closer_holdout < seen.closer
    assert seen.verdict == "attracted"


def test_authentic_by_hand() -> None:
    generated = with_copies(20, 0.3)
    _, seen = look(generated)
    both = np.stack([generated, generated * TURN]).astype(np.float64)
    to_train = np.linalg.norm(both[:, :, None] - TRAIN, axis=3).min(axis=0)
    within = np.linalg.norm(TRAIN[:, None].astype(np.float64) - TRAIN, axis=2)
    np.fill_diagonal(within, np.inf)
    authentic = to_train.min(axis=1) > within.min(axis=1)[to_train.argmin(axis=1)]
    assert seen.authentic.value == authentic.mean()


def test_the_closest_pairs_over_two_embeddings() -> None:
    generated = with_copies(3, 0.1)
    generated[1] = generated[0]  # two of the same: one training picture, one pair
    blind = faces(N, 5)
    spaces = [space(blind, "blind"), space(generated, "sharp", scale=1000.0)]
    copying = find_copies(spaces, REAL, range(N), pairs=10)
    assert [view.embedding for view in copying.embeddings] == ["blind", "sharp"]
    assert len(copying.pairs) == 10
    assert {(pair.seed, pair.train.index) for pair in copying.pairs[:2]} == {(0, 0), (2, 4)}
    assert copying.pairs[0].embedding == "sharp"
    assert len({pair.seed for pair in copying.pairs}) == 10
    assert len({pair.train.index for pair in copying.pairs}) == 10
    closeness = [pair.closeness for pair in copying.pairs]
    assert closeness == sorted(closeness)
    assert copying.pairs == find_copies(spaces, REAL, range(N), pairs=10).pairs


def test_pairs_of_two_embeddings_are_ranked_by_closeness_then_by_relative_distance() -> None:
    # Copies in three embeddings. In the first, held-out pictures come as close; the numbers of
    # the last are a thousand times larger, its copies better.
    holdout = HOLDOUT.copy()
    holdout[:40] = TRAIN[100:140]
    crowded = replace(
        space(with_copies(1, 0.01), "crowded"), holdout=holdout, holdout_mirrored=holdout * TURN
    )
    better = with_copies(3, 0.1)
    better[:2] = faces(2, 7)
    spaces = [crowded, space(with_copies(2, 0.3)), space(better, "sharp", scale=1000.0)]
    found = find_copies(spaces, REAL, range(N), pairs=4).pairs
    assert (found[0].seed, found[0].embedding) == (2, "sharp")
    assert {(pair.seed, pair.embedding) for pair in found[1:3]} == {(0, "plain"), (1, "plain")}
    assert [pair.closeness for pair in found[:3]] == [0, 0, 0]


def test_ties_between_all_distances() -> None:
    train, one = np.zeros((10, D), np.float32), np.ones((20, D), np.float32)
    flat = Space("flat", train, one, one, one, one)
    real = replace(REAL, train=REAL.train[:10], holdout=REAL.holdout[:20])
    seen = find_copies([flat], real, range(20)).embeddings[0]
    assert (seen.closer, seen.closer_low, seen.closer_high, seen.z) == (0.5, 0.5, 0.5, 0.0)
    assert seen.near == 0
    assert seen.authentic.value == 1.0


@pytest.mark.parametrize(("held_out", "person"), [(2, "people"), (30, "people"), (30, "person")])
def test_a_tiny_holdout_is_weak(held_out: int, person: str) -> None:
    identities = ["the same"] * (2 * T) if person == "person" else REAL.identities
    real = replace(REAL, holdout=REAL.holdout[:held_out], identities=identities)
    everything = space(faces(5, 2))
    few = replace(
        everything,
        holdout=everything.holdout[:held_out],
        holdout_mirrored=everything.holdout_mirrored[:held_out],
    )
    found = find_copies([few], real, range(5))
    count = held_out if person == "people" else 1
    assert found.few is True
    assert f"{held_out} holdout images, of {count} {person}" in found.said


def test_copies_are_flagged_where_the_holdout_shows_one_person() -> None:
    real = replace(REAL, identities=["the same"] * (2 * T))
    copying = find_copies([space(with_copies(N, 0.1))], real, range(N))
    assert copying.embeddings[0].near_holdout < N / 2
    assert copying.embeddings[0].verdict == "copied"


def test_the_null_is_wider_where_people_differ() -> None:
    # The first half of the holdout is far from everything. If it shows one person, chance might
    # have left it out.
    far = HOLDOUT * np.where(np.arange(H) < H // 2, 3, 1).astype(np.float32)[:, None]
    everything = replace(space(faces(N, 2)), holdout=far, holdout_mirrored=far * TURN)
    places = set(REAL.holdout[: H // 2].tolist())
    one = ["the same" if i in places else name for i, name in enumerate(REAL.identities)]
    apart, together = (
        find_copies([everything], replace(REAL, identities=names), range(N)).embeddings[0]
        for names in (REAL.identities, one)
    )
    width = apart.closer_high - apart.closer_low
    assert together.closer_high - together.closer_low > 2 * width
    real = together.authentic_real
    assert real.high - real.low > apart.authentic_real.high - apart.authentic_real.low


# Numbers that chance gives, of 1,000 pictures beside 1,323 held-out ones.
USUAL = {"near": 11, "near_holdout": 11, "z": 0.3, "closer": 0.51, "closer_holdout": 0.5}


@pytest.mark.parametrize(
    ("numbers", "more", "verdict"),
    [
        ({}, {}, "chance"),
        ({"near": 100}, {}, "attracted"),  # may be likenesses of the people in training
        ({"near": 60}, {"near_highest": 60}, "attracted"),
        ({"near": 60, "near_holdout": 45}, {}, "typical"),
        ({"near": 60, "near_holdout": 20}, {"near_highest": 60}, "attracted"),
        ({"near": 23}, {}, "chance"),
        ({"near": 24}, {}, "attracted"),
        ({"z": 3.1, "closer": 0.56}, {}, "attracted"),
        ({"z": 3.1, "closer": 0.56, "closer_holdout": 0.54}, {}, "typical"),
        ({"z": 3.1, "closer": 0.56, "closer_holdout": 0.54, "near": 30}, {}, "attracted"),
        ({"z": 2.9, "closer": 0.56}, {}, "chance"),
        ({}, {"identical": 1}, "copied"),
        ({}, {"first": 10}, "copied"),
        ({}, {"first": 9}, "chance"),
        ({}, {"first": 10, "first_holdout": 5}, "chance"),
        ({"z": -3.1, "closer": 0.4}, {}, "unlike"),
    ],
)
def test_what_is_concluded(numbers: dict[str, float], more: dict[str, int], verdict: str) -> None:
    share = Estimate(value=0.8, low=0.78, high=0.82)
    common = {
        "embedding": "plain",
        "authentic": share,
        "authentic_real": share,
        "closer_low": 0.47,
        "closer_high": 0.53,
        "near_expected": 10.6,
        "near_mirrored": 0,
    }
    found = EmbeddingCopying(**common | USUAL | numbers)
    limits = {"near_limit": 23.0, "near_highest": 34, "first_highest": 9, "first_expected": 0.8}
    nothing = {"first": 0, "first_holdout": 0, "identical": 0}
    one = Evidence(found=found, **limits | nothing | more)
    assert one.verdict == verdict
    usual = Evidence(found=EmbeddingCopying(**common | USUAL), **limits | nothing)
    words = in_words([one], 1000, np.ones(1323, np.int64))
    # Each verdict has its own sentences, and more than the numbers differ.
    same = without_numbers(words) == without_numbers(in_words([usual], 1000, np.ones(1323, int)))
    assert same == (verdict == "chance")
    assert ("does not prove" in words) == (verdict != "copied")


def test_many_pictures_of_few_people_are_weak_as_well() -> None:
    identities = ["the same" if i < H else name for i, name in enumerate(REAL.identities)]
    found = find_copies([space(faces(5, 2))], replace(REAL, identities=identities), range(5))
    assert found.few is True


def test_without_a_holdout_there_is_no_yardstick() -> None:
    real = replace(REAL, holdout=REAL.holdout[:0])
    with pytest.raises(FaceganError, match="0 held-out pictures") as caught:
        find_copies([space(faces(5, 2))], real, range(5))
    assert "`holdout`" in caught.value.hint


def test_features_that_do_not_fit() -> None:
    with pytest.raises(FaceganError, match=r"plain: 5 features for 6 pictures \(generated\)"):
        find_copies([space(faces(5, 2))], REAL, range(6))
    with pytest.raises(FaceganError, match="0 generated"):
        find_copies([space(faces(5, 2))], REAL, [])
    with pytest.raises(FaceganError, match="0 embeddings"):
        find_copies([], REAL, range(6))


def test_progress_is_told() -> None:
    formatted: list[tuple[int, int]] = []
    both = [space(faces(5, 2)), space(faces(5, 2), "other")]
    find_copies(both, REAL, range(5), progress=lambda done, total: formatted.append((done, total)))
    assert formatted == [(1, 2), (2, 2)]
