"""Rows read from a file past its memory map."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from facegan.data.rows import RowReader
from facegan.errors import DataError

needs_preadv = pytest.mark.skipif(not hasattr(os, "preadv"), reason="os.preadv is missing here")
ROWS = np.array([6, 0, 3, 3, 5])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "array.npy"
    np.save(path, np.arange(7 * 6, dtype=np.uint8).reshape(7, 2, 3))
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_they_are_the_arrays(tmp_path: Path, dtype: type) -> None:
    array = np.random.default_rng(0).normal(100, 20, (9, 4, 5)).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    read = RowReader(np.load(tmp_path / "a.npy", mmap_mode="r"))
    found = read(ROWS)
    assert found.dtype == dtype
    assert np.array_equal(found, array[ROWS])


def test_an_array_in_memory_and_a_system_without_such_reading(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = np.load(file)[ROWS]
    assert np.array_equal(RowReader(np.load(file))(ROWS), expected)
    monkeypatch.delattr(os, "preadv", raising=False)
    found = RowReader(np.load(file, mmap_mode="r"))(ROWS)
    assert np.array_equal(found, expected)
    found[0] = 1  # a copy, which may be written to


@needs_preadv
def test_a_file_may_be_replaced_while_it_is_in_use(file: Path) -> None:
    read = RowReader(np.load(file, mmap_mode="r"))
    expected = read(ROWS)
    np.save(file.with_name("new.npy"), np.zeros((7, 2, 3), np.uint8))
    file.with_name("new.npy").replace(file)
    assert np.array_equal(read(ROWS), expected)
    assert expected.any()


@needs_preadv
def test_a_file_cut_short_is_an_error_that_names_it(file: Path) -> None:
    read = RowReader(np.load(file, mmap_mode="r"))
    os.truncate(file, file.stat().st_size - 1)
    assert np.array_equal(read(np.array([0])), np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    with pytest.raises(DataError, match=r"array\.npy was cut short .* row 6 is missing"):
        read(ROWS)


@needs_preadv
def test_a_file_that_is_gone_is_an_error_that_names_it(file: Path) -> None:
    array = np.load(file, mmap_mode="r")
    file.unlink()
    with pytest.raises(DataError, match=r"array\.npy cannot be read \(No such file"):
        RowReader(array)


@needs_preadv
def test_a_disk_that_fails_is_an_error_that_names_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    read = RowReader(np.load(file, mmap_mode="r"))
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(DataError, match=r"array\.npy cannot be read \(Input/output error\)"):
        read(ROWS)
