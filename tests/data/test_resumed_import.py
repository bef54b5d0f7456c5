"""An import that was killed goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagefiles import fill_folder, fill_tar, fill_zip, png

from facegan.data import importer, writer
from facegan.data.importer import import_images
from facegan.data.writer import DatasetWriter

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")

# Imports with a note after every batch of four, and waits to be killed after some files.
KILLED = """
import sys, time
from facegan.data import importer, writer
importer._BATCH = 4
writer._NOTE_EVERY = 1
def wait(done, total):
    if done >= int(sys.argv[3]):
        print("working", flush=True)
        time.sleep(600)
options = dict(resolution=16, holdout=0.3, workers=1, min_size=20, duplicates="keep")
if len(sys.argv) > 4:
    options["labels"] = sys.argv[4]
importer.import_images(sys.argv[1], sys.argv[2], progress=wait, **options)
"""
OPTIONS = {
    **{"resolution": 16, "holdout": 0.3, "workers": 1, "min_size": 20, "duplicates": "keep"},
}


def files() -> dict[str, bytes]:
    found = {f"{n:03}.png": png(n // 2) for n in range(40)}  # each twice: duplicates are counted
    return found | {"007.png": b"broken", "021.png": png(1, side=10), "033.png": b""}


def killed(source: Path, target: Path, after: int, *labels: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(source), str(target), str(after)]
    with subprocess.Popen([*command, *map(str, labels)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"working\n"
        process.kill()
    assert not target.exists()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is decoded in this process."""
    found: list[bytes] = []
    decode = importer.decode

    def counted(data: bytes, shape: Any) -> Any:
        found.append(data)
        return decode(data, shape)

    monkeypatch.setattr(importer, "decode", counted)
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize("labelled", [False, True])
def test_it_ends_as_one_that_was_not_killed(
    tmp_path: Path, decoded: list[bytes], kind: str, labelled: bool
) -> None:
    fill: Callable[..., Path] = {"folder": fill_folder, "zip": fill_zip, "tar": fill_tar}[kind]
    source = fill(tmp_path / "in", files())
    labels = tmp_path / "l.csv"
    labels.write_text("file,x\n" + "".join(f"{n:03}.png,{n}\n" for n in range(30)))
    options = {**OPTIONS, **({"labels": labels} if labelled else {})}
    whole = import_images(source, tmp_path / "whole", **options).path
    killed(source, tmp_path / "out", 20, *([labels] if labelled else []))
    del decoded[:]
    made = import_images(source, tmp_path / "out", **options).path
    assert content(made) == content(whole)
    assert 0 < len(decoded) <= 20
    assert not list(tmp_path.glob(".out*"))


def test_killed_twice(tmp_path: Path, decoded: list[bytes]) -> None:
    source = fill_folder(tmp_path / "in", files())
    whole = import_images(source, tmp_path / "whole", **OPTIONS).path
    killed(source, tmp_path / "out", 12)
    killed(source, tmp_path / "out", 28)
    del decoded[:]
    assert content(import_images(source, tmp_path / "out", **OPTIONS).path) == content(whole)
    assert len(decoded) <= 12


@pytest.mark.parametrize("change", ["options", "a file", "labels"])
def test_it_begins_anew_where_anything_changed(
    tmp_path: Path, decoded: list[bytes], change: str
) -> None:
    source = fill_folder(tmp_path / "in", files())
    killed(source, tmp_path / "out", 20)
    options: dict[str, Any] = dict(OPTIONS)
    if change == "options":
        options["holdout"] = 0.2
    elif change == "labels":
        options["labels"] = tmp_path / "l.csv"
        options["labels"].write_text("file,x\n000.png,1\n")
    else:
        (source / "000.png").write_bytes(png(99))
    del decoded[:]
    made = import_images(source, tmp_path / "out", **options)
    assert len(decoded) == 39  # all but the empty one
    assert made.indices("all").size == 37
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("part", ["images.npy", "items.csv", "notes.jsonl"])
@pytest.mark.parametrize("damage", ["cut", "gone", "longer"])
def test_what_was_being_written_is_cut_off_and_what_is_broken_begun_anew(
    tmp_path: Path, part: str, damage: str
) -> None:
    source = fill_folder(tmp_path / "in", files())
    whole = import_images(source, tmp_path / "whole", **OPTIONS).path
    killed(source, tmp_path / "out", 20)
    (partial,) = tmp_path.glob(".out.partial-*")
    data = (partial / part).read_bytes()
    if damage == "gone":
        (partial / part).unlink()
    else:
        (partial / part).write_bytes(data[: len(data) // 2] if damage == "cut" else data + b"x9")
    assert content(import_images(source, tmp_path / "out", **OPTIONS).path) == content(whole)
    assert not list(tmp_path.glob(".out*"))


def test_an_error_leaves_nothing_to_take_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_NOTE_EVERY", 1)
    images = np.zeros((2, 4, 4, 3), np.uint8)

    def interrupted() -> None:
        with DatasetWriter(tmp_path / "out", 4, 3, resume="a") as making:
            making.add(images, "ab", "ab", ["train"] * 2, "ab")
            assert making.due
            making.note({"x": 1})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_in_the_way_costs_nothing_that_was_done(tmp_path: Path) -> None:
    source = fill_folder(tmp_path / "in", files())
    killed(source, tmp_path / "out", 20)
    left = list(tmp_path.glob(".out.partial-*"))
    shutil.copytree(import_images(source, tmp_path / "x", **OPTIONS).path, tmp_path / "out")
    with pytest.raises(Exception, match="already holds a dataset"):
        import_images(source, tmp_path / "out", **OPTIONS)
    assert list(tmp_path.glob(".out.partial-*")) == left
