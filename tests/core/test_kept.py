"""The cache: a damaged entry is made again, and one that cannot be written costs time alone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from facegan.cache import keep_array, keep_entry, read_array, read_entry


def test_what_is_kept_is_read(tmp_path: Path) -> None:
    assert read_entry(tmp_path / "a") is None
    keep_entry(tmp_path / "a", b"some", "a word")
    assert read_entry(tmp_path / "a") == b"some"
    values = np.arange(6.0).reshape(2, 3)
    keep_array(tmp_path / "new" / "b.npy", values, "numbers")
    found = read_array(tmp_path / "new" / "b.npy")
    assert found is not None
    assert found.dtype == np.float64
    assert np.array_equal(found, values)


def test_no_damaged_entry_is_believed(tmp_path: Path) -> None:
    place = tmp_path / "a"
    keep_array(place, np.arange(3, dtype=np.uint8), "numbers")
    whole = place.read_bytes()
    for at in range(len(whole)):
        place.write_bytes(whole[:at])
        assert read_array(place) is None
        place.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read_array(place) is None


def test_no_pickle_is_ever_loaded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    keep_entry(tmp_path / "pickled", buffer.getvalue(), "an object")
    assert read_array(tmp_path / "pickled") is None


def test_what_cannot_be_written_is_said_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="numbers"):
        keep_array(tmp_path / "file" / "a.npy", np.zeros(1), "numbers")
