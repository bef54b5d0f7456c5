"""Features are computed once, and what a crash or a damaged file leaves is never believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plain_extractor import PlainExtractor

from facegan.data.dataset import Dataset
from facegan.evaluation.cache import FeatureCache, extract


@pytest.fixture
def dataset(dataset_path: Path) -> Dataset:
    return Dataset.open(dataset_path)


def test_every_picture_once_in_the_order_asked_for(dataset: Dataset, tmp_path: Path) -> None:
    plain, cache = PlainExtractor(), FeatureCache(tmp_path)
    whole = extract(PlainExtractor(), dataset.images)
    some = np.array([7, 3, 11])
    np.testing.assert_array_equal(cache.features(plain, dataset, some), whole[some])
    assert plain.seen == 3
    more = np.array([11, 0, 7, 40, 3, 3])
    np.testing.assert_array_equal(cache.features(plain, dataset, more), whole[more])
    assert plain.seen == 5
    again = FeatureCache(tmp_path).features(plain, dataset, np.arange(len(dataset)))
    np.testing.assert_array_equal(again, whole)
    assert plain.seen == len(dataset)


def test_packs_extractors_and_mirrors_have_their_own(
    dataset: Dataset, other_dataset_path: Path, tmp_path: Path
) -> None:
    cache, indices = FeatureCache(tmp_path), np.arange(10)
    first, second = PlainExtractor(), PlainExtractor(seed=1)
    found = [
        cache.features(first, dataset, indices),
        cache.features(second, dataset, indices),
        cache.features(first, Dataset.open(other_dataset_path), indices),
        cache.features(first, dataset, indices, mirrored=True),
    ]
    for i, a in enumerate(found):
        for b in found[:i]:
            assert not np.array_equal(a, b)
    mirrored = np.ascontiguousarray(dataset.images[:10, :, ::-1])
    np.testing.assert_array_equal(found[3], PlainExtractor().features(mirrored))


def test_progress_counts_only_what_is_missing(dataset: Dataset, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    cache = FeatureCache(tmp_path)
    cache.features(PlainExtractor(), dataset, np.arange(10))
    cache.features(
        PlainExtractor(),
        dataset,
        np.arange(30),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(20, 20)]


@pytest.mark.parametrize("damage", ["features.f32", "sums.u64"])
def test_a_file_cut_short_is_made_again(dataset: Dataset, tmp_path: Path, damage: str) -> None:
    cache, indices = FeatureCache(tmp_path), np.arange(10)
    before = cache.features(PlainExtractor(), dataset, indices)
    (path,) = tmp_path.rglob(damage)
    path.write_bytes(path.read_bytes()[:-1])
    plain = PlainExtractor()
    np.testing.assert_array_equal(cache.features(plain, dataset, indices), before)
    assert plain.seen == 10


@pytest.mark.parametrize("what", ["torn", "zeroed", "swapped", "no sum", "another sum"])
def test_rows_that_are_not_as_they_were_written_are_computed_again(
    dataset: Dataset, tmp_path: Path, what: str
) -> None:
    """As after a crash or a power cut, or on a disk that forgets."""
    cache, indices = FeatureCache(tmp_path), np.arange(4)
    before = cache.features(PlainExtractor(), dataset, indices)
    (rows,), (sums,) = tmp_path.rglob("features.f32"), tmp_path.rglob("sums.u64")
    values = np.fromfile(rows, np.float32).reshape(len(dataset), -1)
    marks = np.fromfile(sums, np.uint64)
    if what == "torn":
        values[2, -1] = np.nan
    elif what == "zeroed":
        values[2] = 0
    elif what == "swapped":
        values[[1, 2]] = values[[2, 1]]
    else:
        marks[2] = 0 if what == "no sum" else marks[2] ^ np.uint64(2)
    values.tofile(rows)
    marks.tofile(sums)
    plain = PlainExtractor()
    np.testing.assert_array_equal(cache.features(plain, dataset, indices), before)
    assert plain.seen == (2 if what == "swapped" else 1)


def test_without_a_writable_folder_it_computes_and_says_so(
    dataset: Dataset, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.warns(UserWarning, match="features"):
        found = FeatureCache(blocked).features(PlainExtractor(), dataset, np.arange(5))
    np.testing.assert_array_equal(found, PlainExtractor().features(dataset.images[:5]))
