"""The commands' functions: what they print and draw."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagefiles import encoded, fill_folder, lfw_files, png, scene
from PIL import Image

from facegan.apps.data import draw_portraits, import_dataset, show
from facegan.data.dataset import Dataset
from facegan.data.grid import contact_sheet
from facegan.data.importer import import_images
from facegan.errors import DataError


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    source = fill_folder(tmp_path / "in", lfw_files() | {"broken [red].jpg": b"x"})
    (tmp_path / "labels.csv").write_text("file,[smile]\nPerson_00_0001,0.25\n")
    # The pictures are much alike; kept apart, some are held out.
    return import_images(
        source,
        tmp_path / "dataset",
        resolution=16,
        holdout=0.3,
        labels=tmp_path / "labels.csv",
        duplicates="keep",
    )


def test_a_sheet_shows_pictures_of_the_split(dataset: Dataset):
    sheet = contact_sheet(dataset, rows=2, columns=3, split="train")
    assert sheet.shape == (2 * 18 + 2, 3 * 18 + 2, 3)
    assert (sheet[:2] == 255).all()
    train = dataset.images[dataset.indices("train")]
    for row in range(2):
        for column in range(3):
            cell = sheet[18 * row + 2 : 18 * row + 18, 18 * column + 2 : 18 * column + 18]
            assert (train == cell).all((1, 2, 3)).any()
    assert np.array_equal(sheet, contact_sheet(dataset, rows=2, columns=3, split="train"))
    assert not np.array_equal(sheet, contact_sheet(dataset, 2, 3, "train", seed=1))


def test_a_sheet_of_few_pictures_is_small(dataset: Dataset):
    count = len(dataset.indices("holdout"))
    assert contact_sheet(dataset, 8, 99, "holdout").shape == (20, count * 18 + 2, 3)
    assert contact_sheet(dataset, 99, 2, "holdout").shape == (-(-count // 2) * 18 + 2, 38, 3)


def test_impossible_sheets_are_refused(dataset: Dataset, tmp_path: Path):
    with pytest.raises(DataError, match="0 rows"):
        contact_sheet(dataset, rows=0)
    source = fill_folder(tmp_path / "one", {"a.png": png()})
    whole = import_images(source, tmp_path / "whole", holdout=0)
    with pytest.raises(DataError, match="no picture in 'holdout'"):
        contact_sheet(whole, split="holdout")


def test_show_prints_the_card_and_writes_the_sheet(dataset: Dataset, capsys: pytest.CaptureFixture):
    target = show(dataset.path, verify=True)
    assert target == dataset.path.with_name("dataset-sheet.png")
    assert np.array_equal(np.asarray(Image.open(target)), contact_sheet(dataset))
    printed = capsys.readouterr().out
    flat = printed.replace("\n", "")
    for text in (str(target), "not an image", "[smile]", "0.25", "Every byte", "not stated"):
        assert text in flat
    assert dataset.fingerprint in "".join(printed.split())


def test_show_writes_where_it_is_told(dataset: Dataset, tmp_path: Path):
    assert show(dataset.path, out=tmp_path / "deep" / "x.png").exists()
    with pytest.raises(DataError, match="cannot be written to"):
        show(dataset.path, out=tmp_path / "x.txt")


def test_import_says_what_became_of_the_files(tmp_path: Path, capsys: pytest.CaptureFixture):
    source = fill_folder(tmp_path / "in", {"a.png": png(), "b.txt": b"x", "c.bin.png": b"y"})
    made = import_dataset(source, tmp_path / "dataset", crop="32", channels=1, holdout=0)
    assert made.card["crop"] == 32
    printed = capsys.readouterr().out.replace("\n", "")
    assert "1 pictures of 64×64" in printed
    assert "not an image" in printed
    assert "b.txt: text" in printed
    assert "dropped.csv" in printed


def test_grey_pictures_are_named_as_such(tmp_path: Path, capsys: pytest.CaptureFixture):
    grey = {f"{n}.png": encoded(scene(seed=n)[:, :, 0]) for n in range(3)}
    source = fill_folder(tmp_path / "in", grey | {"c.png": png(7)})
    import_dataset(source, tmp_path / "a", holdout=0)
    assert "75% of the pictures are grey" in capsys.readouterr().out
    import_dataset(source, tmp_path / "b", holdout=0, channels=1)
    assert "are grey" not in capsys.readouterr().out


@pytest.mark.parametrize("crop", ["half", "-5", "", "1.5", "٣"])
def test_a_wrong_crop_is_named(tmp_path: Path, crop: str):
    with pytest.raises(DataError, match="crop is"):
        import_dataset(tmp_path, tmp_path / "dataset", crop=crop)


def test_portraits_are_drawn_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture):
    dataset = draw_portraits(tmp_path / "drawn", n=20, resolution=16, channels=1)
    assert len(dataset) == 20
    assert "20 pictures" in capsys.readouterr().out
    assert Image.open(show(dataset.path)).mode == "L"


def test_c_libraries_are_kept_from_printing(capfd: pytest.CaptureFixture[str]) -> None:
    from facegan.apps.data import quiet_libraries

    before = sys.stderr
    with quiet_libraries():
        os.write(2, b"libtiff: thousands of lines\n")
        print("what Python says", file=sys.stderr)
    assert sys.stderr is before
    os.write(2, b"afterwards\n")
    err = capfd.readouterr().err
    assert "libtiff" not in err
    assert "what Python says" in err
    assert "afterwards" in err


@pytest.mark.parametrize(
    "change",
    [
        {"dropped": ["a"]},
        {"dropped": {"a": "many"}},
        {"conversions": 5},
        {"labels": {}},
        {"labels": []},
        {"labels": {"columns": [5, {"name": 3, "mean": "x", "missing": None}]}},
        {"[/bold]": 1},
        {"licence": "[red]\x1b[2J\x1b]0;title\x07 \\"},
        {"counts": {"kept": 10**400}},
        {"generated": [[1], {"[/a]": "\x1b[1m"}]},
    ],
    ids=str,
)
def test_whatever_a_card_says_is_printed_as_text(
    dataset: Dataset, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    card = dataset.path / "dataset.json"
    card.write_text(json.dumps(json.loads(card.read_text("utf-8")) | change), "utf-8")
    show(dataset.path)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "Contact sheet" in said


@pytest.mark.parametrize(
    "header",
    [
        f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10**30}, 16, 16, 3), }}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 16, 16, 3), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': ('a',), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1, 16, 16, 3), }",
        "-" * 9000 + "1",
        "(" * 3000,
        "\0" * 100,
    ],
    ids=range(7),
)
def test_a_header_that_makes_no_sense_is_damage(dataset: Dataset, header: str) -> None:
    text = header.encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    length = len(text).to_bytes(2, "little")
    (dataset.path / "images.npy").write_bytes(b"\x93NUMPY\1\0" + length + text + bytes(999))
    with pytest.raises(DataError, match=r"images\.npy"):
        Dataset.open(dataset.path)
