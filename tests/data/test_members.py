"""The files of a source, packed: nothing is lost, and little memory is taken."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from imagefiles import fill_folder, png

from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.data.layouts.folders import named_folders, parts_of
from facegan.data.members import Member, Members, Paths, SkippedFile, last_of_each_name
from facegan.data.sources import FolderSource
from facegan.data.statistics import Statistics

FILES = [
    Member("a/1.png", 10),
    Member("Zoë/東.png", 1 << 40, SkippedFile("file too large")),
    Member(os.fsdecode(b"b/\xff.png"), 0, None, 7),
    Member("", 3),
    Member("a/1.png", 11),
]


def test_what_is_packed_comes_out_again() -> None:
    members = Members(FILES)
    assert list(members) == FILES
    assert [members[-1], *members[1:3]] == [FILES[-1], *FILES[1:3]]
    assert [members.path(number) for number in range(5)] == [each.path for each in FILES]
    assert members.usable().tolist() == [0, 2, 3, 4]
    paths = Paths(members, members.usable())
    assert list(paths) == [paths[i] for i in range(4)] == ["a/1.png", FILES[2].path, "", "a/1.png"]
    assert list(paths[1:3]) == [FILES[2].path, ""]
    assert list(paths.those(np.array([True, False, False, True]))) == ["a/1.png", "a/1.png"]
    with pytest.raises(IndexError):
        members[5]


def test_of_a_name_the_last_one_that_can_be_read_stays() -> None:
    again = [*FILES, Member("a/1.png", 0, SkippedFile("empty file")), Member("c", 1)]
    members = last_of_each_name(Members(again))
    reasons = [each.refused.reason if each.refused else "" for each in members]
    assert reasons == ["duplicate name", "file too large", "", "", "", "empty file", ""]
    assert members.usable().tolist() == [2, 3, 4, 6]


def test_a_million_files_take_some_tens_of_bytes_each() -> None:
    count = 20_000
    tracemalloc.start()
    try:
        members = Members(Member(f"{n // 1000:04}/{n:07}.jpg", 800) for n in range(count))
        paths = Paths(members, members.usable())
        assert parts_of(paths) == {}
        folders = named_folders(paths)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert folders.words == [f"{n:04}" for n in range(20)]
    assert folders["0007/0007000.jpg"] == "0007"
    assert held / count < 64


def test_a_tree_is_listed_in_the_order_of_its_paths(tmp_path: Path) -> None:
    names = ["a-c.png", "a.png", "a/b/c.png", "ab/d.png", "a b/e.png", "Z.png"]
    fill_folder(tmp_path / "in", dict.fromkeys(names, b"x"))
    found = [each.path for each in FolderSource(tmp_path / "in").members()]
    assert found == sorted(names)


def test_equal_pictures_are_counted_as_they_were() -> None:
    random = np.random.default_rng(3)
    images = random.integers(0, 3, (200, 2, 1, 1)).astype(np.uint8)  # nine different ones
    who = [f"p{n % 7}" for n in range(200)]
    splits = ["holdout" if value else "train" for value in random.random(200) < 0.02]
    statistics = Statistics(1)
    for begin in range(0, 200, 64):
        some = slice(begin, begin + 64)
        statistics.add(images[some], who[some], splits[some])
    sides: dict[bytes, set[str]] = {}
    for image, split in zip(images, splits, strict=True):
        sides.setdefault(image.tobytes(), set()).add(split)
    counts = statistics.counts
    assert counts["duplicates"] == 200 - len(sides)
    assert counts["duplicates_across_splits"] == sum(len(each) == 2 for each in sides.values())
    assert 0 < counts["duplicates_across_splits"] < len(sides)
    assert counts["identities"] == 7


def test_items_are_given_one_after_another(tmp_path: Path) -> None:
    fill_folder(tmp_path / "in", {f"{n}/{n}.png": png(seed=n) for n in range(8)})
    made = import_images(tmp_path / "in", tmp_path / "faces", resolution=8, min_size=1, holdout=0.4)
    again = Dataset.open(tmp_path / "faces")
    assert list(again.items()) == list(
        zip(made.names, made.identities, made.splits, made.sources, strict=True)
    )
    assert again.measure_names == ()
    assert again.measures == {}
