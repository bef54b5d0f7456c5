"""A whole evaluation: the floor is what real pictures get, and copies are seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_extractor import PlainExtractor

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.errors import DataError
from facegan.evaluation import scores
from facegan.evaluation.cache import FeatureCache
from facegan.evaluation.judge import ALL_SCORES, Judge
from facegan.evaluation.real import choose_real
from facegan.evaluation.results import Evaluation


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, make_dataset: Callable[..., Path]) -> Dataset:
    """480 pictures, 80 of them held out."""
    return Dataset.open(
        make_dataset(tmp_path_factory.mktemp("dataset") / "p", n=480, resolution=16)
    )


@pytest.fixture(scope="module")
def judge(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    choice = choose_real(dataset, 100)
    cache = FeatureCache(tmp_path_factory.mktemp("cache"))
    extractors = [PlainExtractor(), PlainExtractor(8, seed=1)]
    return Judge(dataset, choice, "train", 0, extractors, ALL_SCORES, cache)


def test_the_floor_in_the_place_of_generated_pictures_gets_the_floor(
    dataset: Dataset, judge: Judge
) -> None:
    images = np.asarray(dataset.images[choose_real(dataset, 100).floor])
    found = judge.judge(images, "the floor itself").evaluation
    assert (found.n_fake, found.n_real, found.resolution) == (100, 300, 16)
    assert [space.extractor for space in found.features] == ["plain0", "plain1"]
    for space in found.features:
        assert set(space.scores) == set(ALL_SCORES)
        for name, score in space.scores.items():
            assert score.generated.value == pytest.approx(score.real.value, rel=1e-9), name
            assert score.generated.low <= score.generated.value <= score.generated.high, name


def test_floors_are_computed_once_for_the_same_real_pictures(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(n: int) -> Evaluation:
        cache, choice = FeatureCache(tmp_path), choose_real(dataset, n)
        judge = Judge(dataset, choice, "train", 0, [PlainExtractor()], ["fd", "kid"], cache)
        return judge.judge(np.asarray(dataset.images[:n]), "some").evaluation

    first = judged(100)
    computed: list[int] = []
    real = scores._Reference.estimates

    def estimates(self: Any, features: np.ndarray, *rest: Any) -> Any:
        computed.append(len(features))
        return real(self, features, *rest)

    monkeypatch.setattr(scores._Reference, "estimates", estimates)
    assert judged(100) == first
    assert computed == [100]  # the generated ones alone
    other = judged(80)
    assert computed == [100, 80, 80]
    assert other.features[0].scores["fd"].real != first.features[0].scores["fd"].real


def test_noise_is_far_worse_than_the_floor(judge: Judge) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 16, 16, 3), np.uint8)
    scores = judge.judge(noise, "noise").evaluation.features[0].scores
    assert scores["fd"].ratio is not None
    assert scores["fd"].ratio > 3
    assert scores["kid"].generated.low > scores["kid"].real.high
    assert scores["coverage"].generated.high < scores["coverage"].real.low


def test_copies_are_seen_and_shown_and_held_out_pictures_are_not_accused(
    dataset: Dataset, judge: Judge
) -> None:
    train = dataset.indices("train")[:100]
    copied = np.asarray(dataset.images[train])[:, :, ::-1]
    found = judge.judge(np.ascontiguousarray(copied), "mirrored copies", copying=True)
    seen = found.evaluation.copying
    assert seen is not None
    assert [view.embedding for view in seen.embeddings] == ["pixels", "plain0", "plain1"]
    for view in seen.embeddings:
        assert view.near >= 95, view.embedding
        assert view.authentic.value < 0.05
    assert seen.searched is not None
    assert seen.searched.n == 100
    assert (seen.people, seen.searched.real) == (False, 480)
    first = seen.pairs[0]
    assert first.train.mirrored
    assert first.train.index == train[first.seed]
    assert first.holdout.index in dataset.indices("holdout")
    closeness = [pair.closeness for pair in seen.pairs]
    assert closeness == sorted(closeness)
    assert len({pair.train.index for pair in seen.pairs}) == len(seen.pairs) == 16
    assert found.closest is not None
    assert found.closest_generated is not None
    assert found.closest.shape == found.closest_generated.shape
    assert not np.array_equal(found.closest, found.closest_generated)
    random = np.random.default_rng(0)
    fresh = np.roll(np.asarray(dataset.images[dataset.indices("holdout")]), 5, axis=1)
    fresh = fresh[random.integers(0, len(fresh), 100)]
    other = judge.judge(np.ascontiguousarray(fresh), "others", copying=True).evaluation.copying
    assert other is not None
    assert other.embeddings[0].near < 20


def test_findings_survive_the_journal(judge: Judge, dataset: Dataset) -> None:
    images = np.asarray(dataset.images[:100])
    found = judge.judge(images, "copies", copying=True).evaluation
    line = json.dumps(found.model_dump(exclude_none=True))
    assert Evaluation.model_validate_json(line) == found
    assert Evaluation.model_validate(json.loads(line), strict=False) == found


@pytest.mark.parametrize("shape", [(99, 16, 16, 3), (100, 8, 8, 3), (100, 16, 16, 1)])
def test_other_numbers_or_shapes_are_refused(judge: Judge, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="The pictures to judge"):
        judge.judge(np.zeros(shape, np.uint8), "wrong")


def test_portraits_are_read(tmp_path: Path) -> None:
    portraits.write(tmp_path / "drawn", 240, resolution=64)
    dataset = Dataset.open(tmp_path / "drawn")
    cache = FeatureCache(tmp_path / "cache")
    judge = Judge(dataset, choose_real(dataset, 60), "train", 0, [PlainExtractor()], ["fd"], cache)
    one = np.repeat(np.asarray(dataset.images[:1]), 60, axis=0)
    modes = judge.judge(one, "one portrait").evaluation.modes
    assert modes is not None
    assert modes.covered <= 1 < modes.covered_real
    assert modes.total_variation.low > modes.total_variation_real.high
    watched: list[str] = []

    def watch(what: str) -> Any:
        from contextlib import nullcontext

        watched.append(what)
        return nullcontext(lambda done, total: None)

    assert judge.judge(one, "while training", training=True, watch=watch).evaluation.modes is None
    assert watched == ["generated pictures, plain0"]
