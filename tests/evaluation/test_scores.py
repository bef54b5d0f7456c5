"""All scores at once, beside their floors."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from facegan.errors import FaceganError
from facegan.evaluation import scores as module
from facegan.evaluation.frechet import FrechetReference
from facegan.evaluation.kernel import kid
from facegan.evaluation.manifold import ManifoldReference
from facegan.evaluation.moments import Moments
from facegan.evaluation.results import ScoreName
from facegan.evaluation.scores import OtherPeople, Scorer

ALL: tuple[ScoreName, ...] = get_args(ScoreName)


def draw(n: int, seed: int, shift: float = 0.0, dimension: int = 6) -> np.ndarray:
    raw = np.random.default_rng(seed).standard_normal((n, dimension)) + shift
    return raw.astype(np.float32)


REFERENCE, REAL, GENERATED = draw(200, 1), draw(60, 2), draw(60, 3, shift=0.5)


def test_every_score_is_its_own_beside_its_floor() -> None:
    found = Scorer(REFERENCE, REAL, ALL, seed=0).scores(GENERATED)
    assert tuple(found) == ALL
    for name, score in found.items():
        for estimate in (score.generated, score.real):
            assert estimate.low <= estimate.value <= estimate.high, name
    real = Moments.of(REFERENCE)
    assert found["fd"].generated.value == pytest.approx(
        FrechetReference(real).distance(Moments.of(GENERATED))
    )
    floor = FrechetReference(real).distance(Moments.of(REAL))
    assert found["fd"].real.value == pytest.approx(floor)
    assert found["kid"].generated.value == kid(REFERENCE, GENERATED)
    assert found["kid"].real.value == kid(REFERENCE, REAL)
    placed = ManifoldReference(REFERENCE).measure(GENERATED, np.random.default_rng(0))
    assert placed.recall is not None
    assert found["precision"].generated.value == placed.precision.mean()
    assert found["recall"].generated.value == placed.recall.value
    assert found["density"].generated.value == placed.density.mean()
    assert found["coverage"].generated.value == placed.coverage.value
    assert found["fd_infinity"].generated.value < found["fd"].generated.value


def test_ratios_stand_only_on_a_floor_above_zero() -> None:
    found = Scorer(REFERENCE, REAL, ALL, seed=0).scores(GENERATED)
    fd = found["fd"]
    assert fd.ratio == fd.generated.value / fd.real.value > 2
    assert found["coverage"].ratio is not None
    assert found["coverage"].ratio < 1
    # Of real pictures KID is zero but for chance.
    assert found["kid"].real.low < 0
    assert found["kid"].ratio is None


def test_real_pictures_score_as_the_floor() -> None:
    for name, score in Scorer(REFERENCE, REAL, ALL, seed=0).scores(REAL).items():
        assert score.generated == score.real, name
        assert score.ratio in (1, None), name


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_wanted() -> None:
    whole = Scorer(REFERENCE, REAL, ALL, seed=5).scores(GENERATED)
    scorer = Scorer(REFERENCE, REAL, ("kid", "coverage", "fd"), seed=5)
    assert tuple(scorer.scores(GENERATED)) == ("fd", "kid", "coverage")
    assert scorer.scores(GENERATED) == {name: whole[name] for name in ("fd", "kid", "coverage")}
    other = Scorer(REFERENCE, REAL, ("fd",), seed=6).scores(GENERATED)
    assert other["fd"].generated.low != whole["fd"].generated.low


def test_nothing_is_spent_on_what_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("not wanted")

    costly = {"FrechetReference", "KernelReference", "ManifoldReference", "fd_infinity"}
    needs: dict[ScoreName, set[str]] = {
        "fd": {"FrechetReference"},
        "kid": {"KernelReference"},
        "recall": {"ManifoldReference"},
    }
    for name, used in needs.items():
        with monkeypatch.context() as patch:
            for other in costly - used:
                patch.setattr(module, other, never)
            assert set(Scorer(REFERENCE, REAL, {name}, seed=0).scores(GENERATED)) == {name}


def test_what_depends_on_real_pictures_alone_is_computed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scorer = Scorer(REFERENCE, REAL, ALL, seed=0)
    first = scorer.scores(GENERATED)
    for name in ("FrechetReference", "KernelReference", "ManifoldReference"):
        monkeypatch.setattr(module, name, None)
    assert scorer.scores(GENERATED) == first


@pytest.mark.parametrize(
    ("generated", "said"),
    [
        (draw(59, 3), "59 generated pictures and 60 real"),
        (draw(60, 3, dimension=5), "5 and 6"),
        (draw(60, 3)[:, 0], "float32 [60]"),
        (draw(11, 3), "11 generated"),
        (np.full((60, 6), np.nan, np.float32), "not finite"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(generated: np.ndarray, said: str) -> None:
    scorer = Scorer(REFERENCE, REAL, ("fd",), seed=0)
    with pytest.raises(FaceganError) as caught:
        scorer.scores(generated)
    assert said in str(caught.value)
    assert caught.value.hint


def test_so_are_those_of_real_pictures_and_unknown_scores() -> None:
    with pytest.raises(FaceganError, match="11 reference"):
        Scorer(draw(11, 1), REAL, ("fd",), seed=0)
    with pytest.raises(FaceganError, match="11 real"):
        Scorer(REFERENCE, draw(11, 1), ("fd",), seed=0)
    with pytest.raises(FaceganError, match="6 and 5"):
        Scorer(draw(60, 1, dimension=5), REAL, ("fd",), seed=0)
    with pytest.raises(FaceganError, match="Did you mean 'kid'"):
        Scorer(REFERENCE, REAL, ("kit",), seed=0)  # type: ignore[arg-type]


def test_the_floor_of_other_people_has_its_own_reference_and_ratio() -> None:
    apart, real = draw(200, 4, shift=0.3), draw(60, 5)
    people = np.arange(60) // 2
    scorer = Scorer(REFERENCE, REAL, ALL, 0, OtherPeople(apart, real, people))
    found = scorer.scores(GENERATED)
    plain = Scorer(REFERENCE, REAL, ALL, seed=0).scores(GENERATED)
    other = Scorer(apart, real, ALL, seed=0).scores(GENERATED)
    for name, score in found.items():
        assert (score.generated, score.real) == (plain[name].generated, plain[name].real)
        assert score.others is not None
        assert score.others.value == other[name].real.value
    assert found["fd"].others is not None
    assert found["fd"].ratio_others == found["fd"].generated.value / found["fd"].others.value
    assert plain["fd"].others is plain["fd"].ratio_others is None


def test_intervals_over_people_are_wider_where_their_pictures_are_alike() -> None:
    twice = np.repeat(draw(30, 6), 2, axis=0)
    alone = Scorer(REFERENCE, REAL, ("kid",), 0, OtherPeople(REFERENCE, twice, np.arange(60)))
    pairs = Scorer(REFERENCE, REAL, ("kid",), 0, OtherPeople(REFERENCE, twice, np.arange(60) // 2))
    one, two = (each.scores(GENERATED)["kid"].others for each in (alone, pairs))
    assert one is not None
    assert two is not None
    assert one.value == two.value
    assert two.high - two.low > 1.2 * (one.high - one.low)
