"""Foreign files that were once imported wrongly or silently, each with the right value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.errors import DataError

CASES = Path(__file__).parents[3] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this checkout")


@pytest.fixture
def load(tmp_path: Path):
    def make(case: str, **options) -> Dataset:
        return import_images(CASES / case, tmp_path / "out", **{"resolution": 32, **options})

    return make


@pytest.mark.parametrize(
    "given", ["celeba-as-published", "celeba-as-published/Img/img_align_celeba.zip"]
)
def test_celeba_as_published(load, given: str):
    dataset = load(given)
    assert dataset.card["layout"] == "CelebA"
    assert dataset.card["split"] == "official"
    assert dataset.label_names == ("5_o_Clock_Shadow", "Male", "Smiling", "Young")
    assert len(set(dataset.identities)) < len(dataset)


def test_celeba_of_kaggle(load):
    dataset = load("celeba-kaggle")
    assert dataset.card["split"] == "official"
    assert dataset.labels is not None
    assert set(np.unique(dataset.labels)) == {0, 1}
    assert dataset.labels[dataset.names.index("000001.jpg")].tolist() == [1, 0, 0, 0]


def test_celeba_in_png(load):
    dataset = load("celeba-png/img_align_celeba_png.zip")
    assert dataset.card["labels"]["matched"] == len(dataset) == 20


def test_class_folders(load):
    plain = load("class-folders/faces.zip")
    assert plain.labels is None
    assert "3 folders (anger, happy, neutral)" in plain.card["notes"][0]
    labelled = load("class-folders/faces.zip", labels="folders", overwrite=True)
    assert labelled.label_names == ("class=anger", "class=happy", "class=neutral")


def test_person_folders(load):
    assert load("person-folders/faces.zip", identities="folders").card["counts"]["identities"] == 8


def test_flat_lfw(load):
    dataset = load("flat-lfw/faces.zip", holdout=0.3)
    assert dataset.card["layout"] == "LFW"
    assert dataset.card["counts"]["identities"] == 8
    assert len(set(zip(dataset.identities, dataset.splits, strict=True))) == 8


def test_colour_profiles(load):
    dataset = load("colour-profile", resolution=64, holdout=0)
    assert dataset.card["conversions"]["colour profile applied"] == 2


@pytest.mark.parametrize("archive", ["only.zip", "with-previews.zip"])
def test_an_archive_in_an_archive(load, archive: str):
    with pytest.raises(DataError, match="holds an archive, "):
        load(f"nested-zip/{archive}")


def test_other_formats_are_named(load):
    with pytest.raises(DataError) as caught:
        load("other-formats")
    assert "1 × .parquet, not used" in caught.value.message
    assert "not an image" not in caught.value.message


def test_webdataset(load):
    dataset = load("webdataset/000000.tar.gz")
    assert dataset.card["layout"] == "WebDataset"
    assert dataset.labels is not None
    assert not np.isnan(dataset.labels).any()
    assert dataset.card["dropped"] == {}
