"""Reading ahead changes when rows are read, and nothing of what is read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan import memory
from facegan.data import rows
from facegan.data.ahead import ReadAhead
from facegan.data.dataset import Dataset
from facegan.device import Execution
from facegan.errors import DataError
from facegan.training import batch_source
from facegan.training.batch_source import BatchSource

A, B, C = np.array([1, 2]), np.array([5, 3]), np.array([7, 7])


def test_the_next_rows_are_read_meanwhile_in_another_thread() -> None:
    read: list[tuple[list[int], bool]] = []
    begun = threading.Event()

    def reading(rows: np.ndarray) -> np.ndarray:
        here = threading.current_thread() is threading.main_thread()
        read.append((rows.tolist(), here))
        if not here:
            begun.set()
        return rows * 10

    ahead = ReadAhead(reading)
    assert ahead(A, B).tolist() == [10, 20]
    assert begun.wait(60)
    assert ahead(B, C).tolist() == [50, 30]
    assert ahead(C).tolist() == [70, 70]
    assert read == [([1, 2], True), ([5, 3], False), ([7, 7], False)]


def test_a_wrong_guess_changes_nothing() -> None:
    ahead = ReadAhead(lambda rows: rows * 10)
    ahead(A, B)
    assert ahead(C, A).tolist() == [70, 70]
    assert ahead(A).tolist() == [10, 20]


def test_an_error_is_raised_where_its_rows_are_asked_for() -> None:
    def reading(rows: np.ndarray) -> np.ndarray:
        if rows[0] == 5:
            raise DataError("cut short")
        return rows

    ahead = ReadAhead(reading)
    ahead(A, B)
    with pytest.raises(DataError, match="cut short"):
        ahead(B)
    assert ahead(A).tolist() == [1, 2]


@pytest.mark.parametrize("size", [4, 7, 50])
def test_batches_are_the_same_with_and_without(
    dataset_path: Path, tiny: Callable, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    recipe, execution = tiny("dcgan", "data.mirror=true"), Execution(torch.device("cpu"))
    dataset = Dataset.open(dataset_path)
    plain = BatchSource.of(recipe, dataset, execution)
    monkeypatch.setattr(batch_source, "memory_limit", lambda: 1)
    ahead = BatchSource.of(recipe, dataset, execution)
    assert not plain._main.reads_ahead
    assert ahead._main.reads_ahead
    # In order, twice at one place, and back to an earlier one, as a run that goes on does.
    for position in [*range(0, 8 * size, size), 3 * size, 3 * size, 0]:
        assert torch.equal(plain.batch(position, size)[0], ahead.batch(position, size)[0])


def test_what_does_not_fit_is_not_asked_for_as_a_whole(
    dataset_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        rows.os, "posix_fadvise", lambda *arguments: asked.append(arguments[2]), raising=False
    )
    images = Dataset.open(dataset_path).images
    monkeypatch.setattr(rows, "memory_limit", lambda: images.nbytes)
    rows.RowReader(images)
    assert asked == []
    monkeypatch.setattr(rows, "memory_limit", lambda: 2 * images.nbytes)
    rows.RowReader(images)
    assert asked == [images.nbytes]


def in_group(folder: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is in the control group of that line of /proc, and groups are in `folder`."""
    said, real = folder / "said", memory.Path
    said.write_text(f"{line}\n")
    monkeypatch.setattr(memory, "_GROUPS", folder)
    monkeypatch.setattr(
        memory, "Path", lambda path: said if path == "/proc/self/cgroup" else real(path)
    )


def test_the_limit_of_a_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "memory.max").write_text("1000\n")
    (tmp_path / "said").write_text("0::/mine/inner\n")
    (tmp_path / "mine" / "inner").mkdir()
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    real = memory.Path
    monkeypatch.setattr(
        memory,
        "Path",
        lambda path: tmp_path / "said" if path == "/proc/self/cgroup" else real(path),
    )
    memory.memory_limit.cache_clear()
    try:
        assert memory.memory_limit() == 1000
    finally:
        memory.memory_limit.cache_clear()


@pytest.mark.parametrize("version", [1, 2])
def test_files_that_a_group_keeps_in_memory_are_no_use_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    group = tmp_path / ("memory" if version == 1 else "") / "mine"
    group.mkdir(parents=True)
    names = ("limit_in_bytes", "usage_in_bytes") if version == 1 else ("max", "current")
    for name, value in zip(names, (1000, 990), strict=True):
        (group / f"memory.{name}").write_text(f"{value}\n")
    total = "total_" if version == 1 else ""
    lines = f"inactive_file 7\nactive_file 7\n{total}inactive_file 600\n{total}active_file 200\n"
    (group / "memory.stat").write_text(f"anon 90\n{lines}{total}shmem 50\n")
    in_group(tmp_path, "5:memory:/mine" if version == 1 else "0::/mine", monkeypatch)
    assert memory.available(torch.device("cpu")) == 1000 - (990 - 800)
