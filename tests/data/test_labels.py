"""Label tables: read strictly, joined by name, errors that name the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegan.data.labels import LabelTable
from facegan.data.tables import read_table
from facegan.errors import DataError

PATHS = ["top/Ann/Ann_0001.jpg", "top/Bob/Bob_0001.jpg", "top/Bob/Bob_0002.jpg"]


def table(tmp_path: Path, text: str | bytes) -> LabelTable:
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return LabelTable.of(read_table(path))


@pytest.mark.parametrize(
    "rows",
    [
        "Ann_0001.jpg,1\nBob_0002.jpg,3",
        "Ann_0001,1\nBob_0002,3",
        "Ann/Ann_0001.jpg,1\nBob/Bob_0002,3",
        "top/Ann/Ann_0001.jpg,1\n./top/Bob/Bob_0002.jpg,3",
        "top\\Ann\\Ann_0001.jpg,1\n\nBob_0002.jpg,3\n",
        '"Ann_0001.jpg"," 1"\r\nBob_0002.jpg,3.0\r\nNobody.jpg,9',
    ],
)
def test_rows_find_their_files(tmp_path: Path, rows: str):
    joined = table(tmp_path, f"file,smile\n{rows}").join(PATHS)
    assert np.array_equal(joined.values(range(3))[:, 0], [1, np.nan, 3], equal_nan=True)
    assert joined.matched.tolist() == [True, False, True]
    assert joined.unused_rows == rows.count("Nobody")


def test_the_column_of_names_may_stand_anywhere(tmp_path: Path):
    read = table(tmp_path, "smile,Image,age\n1,Ann_0001.jpg,30\n")
    assert read.names == ("smile", "age")
    assert read.values.tolist() == [[1, 30]]


def test_missing_cells_are_nan(tmp_path: Path):
    read = table(tmp_path, "\ufefffile,a,b,c,d\nAnn_0001,,nan, NA ,-1e3\nBob_0001,1,2,3,4\n")
    assert np.isnan(read.values[0, :3]).all()
    assert read.values[0, 3] == -1000
    assert read.values[1].tolist() == [1, 2, 3, 4]


def test_a_column_without_a_value_is_not_used_and_named(tmp_path: Path):
    read = table(tmp_path, "file,a,b\nAnn_0001,,1\n")
    assert read.names == ("b",)
    assert read.unused == {"a": "every value is missing"}


def test_a_composed_name_matches_its_decomposed_twin(tmp_path: Path):
    joined = table(tmp_path, "file,a\nZoe\u0308.jpg,1\n").join(["x/Zo\u00eb.jpg"])
    assert joined.values([0]).tolist() == [[1]]


def test_the_longest_match_wins(tmp_path: Path):
    read = table(tmp_path, "file,a\n1.jpg,1\nb/1.jpg,2\n")
    assert read.join(["a/1.jpg", "b/1.jpg"]).values([0, 1])[:, 0].tolist() == [1, 2]


def test_a_row_that_fits_two_files_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"fits both a/1\.jpg and b/1\.jpg") as caught:
        table(tmp_path, "file,a\n1.jpg,1\n").join(["a/1.jpg", "b/1.jpg"])
    assert "relative" in caught.value.hint


def test_no_overlap_is_refused_with_examples(tmp_path: Path):
    with pytest.raises(DataError, match=r"none of its 1 rows.*'999\.png'.*Ann_0001"):
        table(tmp_path, "file,a\n999.png,1\n").join(PATHS)


WRONG = {
    "empty": ("", "is empty"),
    "blank": ("\n\n", "is empty"),
    "header alone": ("file,a\n", "no rows"),
    "one column": ("file\nx.jpg\n", "line 1: there is only one column"),
    "text value": ("file,a\nx.jpg,1\ny.jpg,often\n", "line 3: a is 'often'"),
    "yes among numbers": ("file,a\nx.jpg,2\ny.jpg,yes\n", "line 3: a is 'yes'"),
    "infinite value": ("file,a\nx.jpg,inf\n", "line 2: a is 'inf'"),
    "value beyond float32": ("file,a\nx.jpg,1e39\n", "line 2"),
    "row too short": ("file,a,b\nx.jpg,1\n", "line 2: 2 values, but the header has 3"),
    "row too long": ("file,a\n\nx.jpg,1,2\n", "line 3"),
    "same row twice": ("file,a\nx.jpg,1\n./x.jpg,2\n", "line 3: 'x.jpg' was already on line 2"),
    "same column twice": ("file,a,a\nx.jpg,1,2\n", "'a' names two columns"),
    "nameless column": ("file,a,\nx.jpg,1,2\n", "column 3 has no name"),
    "not text": (b"file,a\n\xff\xfe.jpg,1\n", "not UTF-8"),
    "endless cell": ("file,a\n" + "x" * 200_000 + ",1\n", "line 2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_refused_with_the_line(tmp_path: Path, case: str):
    content, message = WRONG[case]
    with pytest.raises(DataError) as caught:
        table(tmp_path, content)
    assert message in caught.value.message
    assert caught.value.hint


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path):
    with pytest.raises(DataError, match="no labels file"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path)


@pytest.mark.parametrize("cell", ["1_0", "１", "٣", "0x10", "1e", "infinity", "--1", "1 2"])
def test_numbers_have_the_digits_that_everybody_writes(tmp_path: Path, cell: str) -> None:
    with pytest.raises(DataError, match="not a finite number"):
        table(tmp_path, f"file,a\nx.png,{cell}\n")


@pytest.mark.parametrize("cell", ["1", "-1", "+1.5", ".5", "5.", "1e-3", " 2 ", "1E+2"])
def test_numbers_as_others_write_them(tmp_path: Path, cell: str) -> None:
    assert table(tmp_path, f"file,a\nx.png,{cell}\n").values.item() == np.float32(float(cell))


def test_names_that_a_terminal_would_obey_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be printed"):
        table(tmp_path, "file,a\x1b[2J\nx.png,1\n")
