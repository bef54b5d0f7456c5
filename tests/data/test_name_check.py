"""Names that do not fit faces, by vectors of known distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.data.doctor import STRANGER, examine, filtered
from facegan.data.name_check import Alike, alike, strangers
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError


def test_distances_in_closed_form() -> None:
    vectors = np.array([[0, 0], [3, 4], [0, 1], [9, 9], [6, 8], [0, 0]], np.float32)
    names = ["a", "a", "a", "b", "a", "b"]
    found = strangers(vectors, names)
    # Of the first: 5, 1 and 10 to the others.
    assert found[0] == pytest.approx(5)
    assert found[4] == pytest.approx(np.median([10, 5, np.hypot(6, 7)]))
    assert np.isnan(found[[3, 5]]).all()
    assert alike(vectors, names, most=1) == (Alike(0, 5, 0.0),)
    assert alike(vectors, names, most=0.5) == (Alike(0, 5, 0.0),)
    assert alike(vectors[:5], names[:5], most=2) == ()


def test_blocks_change_nothing() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(0, 1, (2500, 3)).astype(np.float32)
    names = [f"p{i}" for i in random.integers(0, 4, 2500)]
    found = strangers(vectors, names)
    for row in (0, 1100, 2499):
        mine = [i for i in range(2500) if names[i] == names[row] and i != row]
        apart = np.linalg.norm(vectors[mine] - vectors[row], axis=1)
        assert found[row] == pytest.approx(np.median(apart), rel=1e-5)
    pairs = alike(vectors, names, most=0.05)
    assert len(pairs) == 6  # of each two names the nearest
    for each in pairs:
        apart = np.linalg.norm(vectors[each.first] - vectors[each.second])
        assert each.distance == pytest.approx(apart, abs=1e-5)
        assert names[each.first] != names[each.second]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    drawn = portraits.draw(portraits.sample(9, seed=2), 32)
    names = [str(i) for i in range(9)]
    people = ["a"] * 4 + ["b"] * 4 + ["c"]
    with DatasetWriter(tmp_path / "faces", 32, 3) as writer:
        writer.add(drawn, names, people, ["train"] * 9, names)
        writer.finish({})
    return Dataset.open(tmp_path / "faces")


def test_the_doctor_names_the_odd_one_and_the_double(dataset: Dataset, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    centres = {"a": [0, 0], "b": [2, 0], "c": [4, 0]}
    who = np.array([centres[name] for name in dataset.identities], np.float32)
    who += random.normal(0, 0.02, who.shape).astype(np.float32)
    who[1] = [0, 1]  # not a
    who[8] = who[5] + 0.01  # c is b
    found = examine(dataset, who=who)
    (odd,) = [each for each in found.findings if each.code == "stranger"]
    assert odd.rows == (1,)
    assert [(each.first, each.second) for each in found.alike] == [(5, 8)]
    made = filtered(dataset, tmp_path / "clean", drop=odd.drop, who=who)
    assert made.names == [name for name in dataset.names if name != "1"]
    assert made.measures[STRANGER][0] == pytest.approx(found.columns[STRANGER][0], rel=1e-4)
    with pytest.raises(DataError, match="stranger"):
        filtered(dataset, tmp_path / "other", drop=odd.drop)
    assert "stranger" not in {each.code for each in examine(dataset).findings}
