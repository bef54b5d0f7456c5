"""Writing a dataset: complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from facegan.data import append
from facegan.data.dataset import Dataset
from facegan.data.writer import DatasetWriter, escaped
from facegan.errors import DataError, StorageError


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def add(writer: DatasetWriter, value: int = 0, split: str = "train", n: int = 2) -> None:
    images = np.full((n, 4, 4, 3), value, np.uint8)
    writer.add(images, ["a"] * n, ["a"] * n, [split] * n, ["a"] * n)


def write(path: Path, value: int = 0, **options) -> Path:
    with DatasetWriter(path, 4, 3, **options) as writer:
        add(writer, value)
        writer.finish({})
    return path


def fail_while_writing(path: Path, **options) -> None:
    with contextlib.suppress(RuntimeError), DatasetWriter(path, 4, 3, **options) as writer:
        add(writer)
        raise RuntimeError


def test_nothing_but_the_pack_is_left(tmp_path: Path):
    write(tmp_path / "deep" / "dataset")
    assert listing(tmp_path / "deep") == ["dataset"]


def test_nothing_is_there_before_finish(tmp_path: Path):
    with DatasetWriter(tmp_path / "dataset", 4, 3) as writer:
        add(writer)
        assert not (tmp_path / "dataset").exists()
    assert listing(tmp_path) == []


def test_an_error_leaves_nothing(tmp_path: Path):
    fail_while_writing(tmp_path / "dataset")
    assert listing(tmp_path) == []


def test_an_error_leaves_the_old_pack(tmp_path: Path):
    dataset = write(tmp_path / "dataset", 1)
    fail_while_writing(dataset, overwrite=True)
    assert listing(tmp_path) == ["dataset"]
    assert Dataset.open(dataset, verify=True).images[0, 0, 0, 0] == 1


def test_overwrite_replaces(tmp_path: Path):
    dataset = write(tmp_path / "dataset", 1)
    write(dataset, 2, overwrite=True)
    assert listing(tmp_path) == ["dataset"]
    assert Dataset.open(dataset, verify=True).images[0, 0, 0, 0] == 2


def test_a_pack_is_not_replaced_unasked(tmp_path: Path):
    dataset = write(tmp_path / "dataset", 1)
    with pytest.raises(DataError, match="already holds a dataset") as caught:
        write(dataset, 2)
    assert "`overwrite`" in caught.value.hint
    assert Dataset.open(dataset, verify=True).images[0, 0, 0, 0] == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_folders_and_files_are_never_replaced(tmp_path: Path, overwrite: bool):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("folder", "file"):
        with pytest.raises(DataError):
            write(tmp_path / name, overwrite=overwrite)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "mine"


def test_an_empty_folder_may_be_filled(tmp_path: Path):
    (tmp_path / "dataset").mkdir()
    Dataset.open(write(tmp_path / "dataset"))


def test_two_writers_of_one_pack_exclude_each_other(tmp_path: Path):
    with (
        DatasetWriter(tmp_path / "dataset", 4, 3),
        pytest.raises(DataError, match="Another process"),
        DatasetWriter(tmp_path / "dataset", 4, 3),
    ):
        pass


def test_a_pack_without_training_pictures_is_refused(tmp_path: Path):
    with DatasetWriter(tmp_path / "dataset", 4, 3) as writer:
        add(writer, split="holdout")
        with pytest.raises(DataError, match="train split"):
            writer.finish({})
    assert listing(tmp_path) == []


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(self: append.HashedFile, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with DatasetWriter(tmp_path / "dataset", 4, 3) as writer:
        monkeypatch.setattr(append.HashedFile, "write", full)
        with pytest.raises(StorageError, match="No room left"):
            add(writer)
    assert listing(tmp_path) == []


def test_a_file_in_the_way_of_a_parent_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "file" / "dataset")


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from facegan.data import writer as module
    from facegan.data.writer import DatasetWriter

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    with DatasetWriter(sys.argv[1], 4, 3, overwrite=True) as writer:
        writer.add(np.zeros((2, 4, 4, 3), np.uint8), *([[w] * 2 for w in ("a", "a", "train", "a")]))
        {moment}
        writer.finish({{}})
"""
MOMENTS = {
    "exchanged": "swap = module.exchange; module.exchange = lambda *at: swap(*at) and die()",
    "adding": "die()",
    "finishing": "module.write_synced = die",
    "renaming": "writer._move_into_place = die",
    # Where the system cannot exchange two folders in one step.
    "swapping": (
        "module.exchange = lambda *_: False; rename = Path.rename; Path.rename = lambda at, to: "
        "die() if '.partial-' in at.name else rename(at, to)"
    ),
}


def killed(path: Path, moment: str) -> None:
    code = textwrap.dedent(KILLED.format(moment=MOMENTS[moment]))
    run = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert run.returncode == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("moment", ["adding", "finishing", "renaming"])
def test_a_killed_writer_leaves_no_pack_and_the_next_one_tidies_up(tmp_path: Path, moment: str):
    killed(tmp_path / "dataset", moment)
    assert not (tmp_path / "dataset").exists()
    assert [name for name in listing(tmp_path) if ".partial-" in name]
    Dataset.open(write(tmp_path / "dataset"), verify=True)
    assert listing(tmp_path) == ["dataset"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("moment", ["adding", "finishing", "renaming", "exchanged"])
def test_a_killed_writer_leaves_a_pack(tmp_path: Path, moment: str):
    dataset = write(tmp_path / "dataset", 7)
    killed(dataset, moment)
    assert Dataset.open(dataset, verify=True).images[0, 0, 0, 0] == (
        0 if moment == "exchanged" else 7
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_writer_killed_while_swapping_loses_no_pack(tmp_path: Path):
    dataset = write(tmp_path / "dataset", 7)
    killed(dataset, "swapping")
    assert not dataset.exists()
    with pytest.raises(DataError, match="already holds a dataset"):
        write(dataset, 8)
    assert Dataset.open(dataset, verify=True).images[0, 0, 0, 0] == 7
    assert listing(tmp_path) == ["dataset"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Zoë_東京.jpg", "Zoë_東京.jpg"),
        ("a b.jpg", "a b.jpg"),
        ("a\nb\x1b[31m.jpg", "a\\nb\\x1b[31m.jpg"),
        ("bad\udcff.jpg", "bad\\udcff.jpg"),
    ],
)
def test_names_are_kept_printable(name: str, shown: str):
    assert escaped(name) == shown
