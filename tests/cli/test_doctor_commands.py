"""`facegan data doctor` and `facegan data filter` as a person types them."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.data.writer import DatasetWriter


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Portraits, of which one is dark and two are twins."""
    drawn = portraits.draw(portraits.sample(24, seed=2), 64)
    images = np.concatenate([drawn, drawn[5:6] // 6, (drawn[2:3] * 0.9).astype(np.uint8)])
    names = [*(f"{i:02}.png" for i in range(24)), "dark.png", "twin.png"]
    path = tmp_path_factory.mktemp("doctor") / "my faces"
    with DatasetWriter(path, 64, 3) as writer:
        writer.add(images, names, names, ["train"] * 25 + ["holdout"], names)
        writer.finish({"name": "<b>drawn</b>", "licence": "CC0-1.0"})
    return Dataset.open(path)


def test_the_command_prints_a_summary_and_writes_the_page(
    call: Any, faces: Dataset, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    ended = call("data", "doctor", str(faces.path), "--out", str(page), "--show", "3")
    assert ended.status == 0, ended.err
    assert "brightness<0.2" in ended.out
    assert "--duplicates thin" in ended.out
    assert str(page) in ended.out
    HTMLParser().feed(page.read_text("utf-8"))
    assert {entry.name for entry in faces.path.iterdir()} == {
        "images.npy",
        "items.csv",
        "dataset.json",
    }


def test_the_command_that_the_page_names_can_be_typed(
    call: Any, faces: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "clean"
    words = ("data", "filter", str(faces.path), str(out), "--drop", "brightness<0.2")
    ended = call(*words, "--duplicates", "thin")
    assert ended.status == 0, ended.err
    made = Dataset.open(out, verify=True)
    assert "dark.png" not in made.names
    assert "twin.png" not in made.names
    assert f" {len(made):,} " in ended.out
    again = call(*words)
    assert again.status == 2
    assert "already holds a dataset" in again.err


@pytest.mark.parametrize(
    ("treatment", "said"),
    [("group", "kept on one side"), ("thin", "thinned to one"), ("keep", "kept as they are")],
)
def test_an_import_says_what_became_of_duplicates(
    call: Any, tmp_path: Path, treatment: str, said: str
) -> None:
    drawn = portraits.draw(portraits.sample(6, seed=2), 48)
    for number, picture in enumerate([*drawn, (drawn[2] * 0.9).astype(np.uint8)]):
        (tmp_path / "in" / str(number)).mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / "in" / str(number) / "a.png")
    out = str(tmp_path / "out")
    ended = call("data", "import", str(tmp_path / "in"), out, "--duplicates", treatment)
    assert ended.status == 0, ended.err
    assert f"Near duplicates: 1 in 1 groups, {said}" in ended.out
    assert "several names" not in ended.out  # nobody knows who is shown
    assert len(Dataset.open(out)) == (6 if treatment == "thin" else 7)


def test_wrong_input_is_said(call: Any, faces: Dataset, tmp_path: Path) -> None:
    where = str(faces.path)
    for words, said in (
        (("doctor", str(tmp_path / "absent")), "There is no dataset"),
        (("doctor", where, "--show", "0"), "1 picture or more"),
        (("filter", where, str(tmp_path / "o"), "--drop", "brightnes<1"), "'brightness'"),
        (("filter", where, str(tmp_path / "o"), "--keep", "face"), "a comparison"),
        (("filter", where, where), "is the dataset to filter"),
        (("filter", where, str(tmp_path / "o"), "--keep", "face>2"), "Weaken them"),
    ):
        ended = call("data", *words)
        assert ended.status == 2
        assert said in ended.err
        assert "Traceback" not in ended.err
    assert not list(tmp_path.iterdir())
