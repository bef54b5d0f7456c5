"""The real LFW archive, where it is at hand: pictures of real people, so never in the project.

Looked for in the folder that FACEGAN_DATA names, or in ../shared/data beside the checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from facegan.data.dataset import Dataset
from facegan.data.importer import import_images

DATA = Path(os.environ.get("FACEGAN_DATA", Path(__file__).parents[3] / "shared" / "data"))
ARCHIVE, ATTRIBUTES = DATA / "lfw-deepfunneled.tgz", DATA / "lfw-attributes.csv"


@pytest.fixture(scope="module")
def lfw(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    if not ARCHIVE.exists():
        pytest.skip(f"the LFW archive is not at {ARCHIVE}; set FACEGAN_DATA to its folder")
    dataset = tmp_path_factory.mktemp("lfw") / "faces"
    note = "predictions of two networks, not human labels"
    return import_images(
        ARCHIVE, dataset, resolution=32, crop=152, labels=ATTRIBUTES, labels_note=note
    )


def test_every_picture_is_there(lfw: Dataset) -> None:
    """Huang et al. 2007: 13,233 pictures of 5,749 people, 1,680 of them with two or more."""
    assert len(lfw) == 13_233
    assert lfw.card["dropped"] == {}
    people, counts = np.unique(lfw.identities, return_counts=True)
    assert len(people) == 5_749
    assert (counts >= 2).sum() == 1_680
    assert lfw.images.shape == (13_233, 32, 32, 3)


def test_photographs_under_two_names_are_found_and_kept_on_one_side(lfw: Dataset) -> None:
    about = lfw.card["near_duplicates"]
    named = {tuple(name[:-9] for name in group) for group in about["several_identities"]}
    assert {
        ("Bart_Hendricks", "Ricky_Ray"),
        ("Emmy_Rossum", "Eva_Amurri"),
        ("Andrew_Caldecott", "Andrew_Gilligan"),
        ("Gabrielle_Rose", "Martha_Bowen"),
    } <= named
    assert 16 <= about["groups"] <= 30
    side = dict(zip(lfw.identities, lfw.splits, strict=True))
    assert all(side[a] == side[b] for a, b in named)


def test_nobody_is_on_both_sides(lfw: Dataset) -> None:
    people = np.array(lfw.identities)
    train, holdout = lfw.indices("train"), lfw.indices("holdout")
    assert len(train) + len(holdout) == len(lfw)
    assert 0.08 < len(holdout) / len(lfw) < 0.12
    assert not set(people[train]) & set(people[holdout])


def test_attributes_are_joined_by_file_name(lfw: Dataset) -> None:
    assert lfw.labels is not None
    assert lfw.card["labels"]["matched"] == 12_949
    assert np.isnan(lfw.labels).any(axis=1).sum() == 13_233 - 12_949
    row = lfw.names.index("AJ_Cook_0001.jpg")
    age = lfw.labels[row, lfw.label_names.index("Age")]
    assert age == 32
    assert lfw.card["labels"]["note"] == "predictions of two networks, not human labels"


def test_the_pictures_are_faces(lfw: Dataset) -> None:
    """Centred, upright and in colour: the mean picture is brighter in the middle, and skin."""
    mean = lfw.images[::10].mean(axis=0)
    middle, edge = mean[10:22, 10:22].mean(axis=(0, 1)), mean[:, :3].mean(axis=(0, 1))
    assert middle.mean() > edge.mean() + 20
    assert middle[0] > middle[1] > middle[2]
