"""Tables as people have them, and what their columns are taken for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from imagefiles import fill_folder, fill_zip, png

from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.data.labels import LabelTable, Reading
from facegan.data.tables import read_table
from facegan.errors import DataError


def table(tmp_path: Path, text: str | bytes, name: str = "labels.csv", **options) -> LabelTable:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return LabelTable.of(read_table(path), Reading(**options))


ROWS = [("image", "smile", "age"), ("a.png", "1", "20.5"), ("b/c.png", "0", "31")]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("between", [",", ";", "\t", "|", " , ", "  "])
def test_any_separator_and_line_ending(tmp_path: Path, between: str, ending: str, bom: bytes):
    text = ending.join(between.join(row) for row in ROWS)
    read = table(tmp_path, bom + text.encode())
    assert read.names == ("smile", "age")
    assert list(read.rows) == ["a.png", "b/c.png"]
    assert read.values.tolist() == [[1, 20.5], [0, 31]]


def test_what_excel_calls_unicode_text(tmp_path: Path):
    text = "\r\n".join("\t".join(row) for row in ROWS)
    assert table(tmp_path, text.encode("utf-16")).values.tolist() == [[1, 20.5], [0, 31]]


def test_a_comma_in_numbers_where_it_separates_nothing(tmp_path: Path):
    read = table(tmp_path, "file;age\na.png;20,5\nb.png;1\n")
    assert read.values.tolist() == [[20.5], [1]]
    with pytest.raises(DataError, match="'20,5', not a finite number"):
        table(tmp_path, 'file,age\na.png,"20,5"\nb.png,1\n')


def test_json_lines(tmp_path: Path):
    text = '{"file": "a.png", "kind": "X", "n": 2}\n\n{"file": "b.png", "smile": true, "kind": "y"}'
    read = table(
        tmp_path, text + '\n{"file": "c.png", "kind": "x", "smile": false, "n": null}', "l.jsonl"
    )
    assert read.names == ("kind=x", "kind=y", "n", "smile")
    wanted = [[1, 0, 2, np.nan], [0, 1, np.nan, 1], [1, 0, np.nan, 0]]
    assert np.array_equal(read.values, wanted, equal_nan=True)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("id,name,filepath,smile", "7,Ann Lee,im/a.png,1"),
        ("name,age,img", "Ann Lee,30,a.png"),
        ("smile,Image Name", "1,a.png"),
        ("user,face_file,smile", "3,a.JPG,1"),
    ],
)
def test_the_column_of_pictures_is_found_by_what_it_holds(tmp_path: Path, header: str, row: str):
    read = read_table_of(tmp_path, f"{header}\n{row}\n")
    assert read.files.values[0].lower().endswith(("a.png", "a.jpg"))


def read_table_of(tmp_path: Path, text: str):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return read_table(path)


def test_the_index_that_pandas_writes_is_passed_over(tmp_path: Path):
    read = table(tmp_path, ",image,smile\n0,a.png,1\n1,b.png,0\n")
    assert read.names == ("smile",)
    assert any("counts the rows" in note for note in read.notes)


def test_a_table_without_a_header_keeps_its_first_row(tmp_path: Path):
    read = table(tmp_path, "a.png,0\nb.png,1\n")
    assert read.names == ("label",)
    assert list(read.rows) == ["a.png", "b.png"]
    assert any("no header" in note for note in read.notes)
    assert table(tmp_path, "5,a.png,0\n6,b.png,1\n").names == ("label_1", "label_2")


SPELLINGS = ["Happy", "happy", " HAPPY ", "very  Sad", "Very sad", "anger", "Anger"]


def test_words_become_classes_case_and_spaces_folded(tmp_path: Path):
    rows = "".join(f"{n}.png,{word}\n" for n, word in enumerate(SPELLINGS))
    read = table(tmp_path, f"file,emotion\n{rows}9.png,\n")
    assert read.names == ("emotion=anger", "emotion=happy", "emotion=very sad")
    wanted = [1, 1, 1, 2, 2, 0, 0]
    for row, place in enumerate(wanted):
        assert read.values[row].tolist() == np.eye(3)[place].tolist()
    assert np.isnan(read.values[7]).all()
    assert "3 classes (anger, happy, very sad)" in read.about[0]
    assert "7 spellings" in read.about[0]


@pytest.mark.parametrize(
    ("yes", "no"), [("yes", "no"), ("Yes", "NO"), ("True", "False"), ("y", "n"), ("t", "f")]
)
def test_yes_and_no_are_one_and_zero(tmp_path: Path, yes: str, no: str):
    read = table(tmp_path, f"file,smile\na.png,{yes}\nb.png,{no}\nc.png,?\nd.png,\n")
    assert read.names == ("smile",)
    assert np.array_equal(read.values[:, 0], [1, 0, np.nan, np.nan], equal_nan=True)


def test_minus_one_is_no_in_every_column_of_its_table(tmp_path: Path):
    read = table(tmp_path, "image_id,Smiling,Bald\na.jpg,1,-1\nb.jpg,-1,-1\nc.jpg,1,\n")
    assert np.array_equal(read.values, [[1, 0], [0, 0], [1, np.nan]], equal_nan=True)
    assert "now 1 and 0" in read.about[0]
    # Other quantities are left alone.
    assert table(tmp_path, "file,x\na.png,-1\nb.png,0\nc.png,1\n").values.ravel().tolist() == [
        -1,
        0,
        1,
    ]


def test_numbers_of_classes_where_asked_for(tmp_path: Path):
    text = "file,emotion,age\na.png,10,20\nb.png,2,30\nc.png,2.0,40\n"
    plain = table(tmp_path, text)
    assert plain.names == ("emotion", "age")
    assert "2 whole numbers; ask for classes" in plain.about[0]
    read = table(tmp_path, text, classes=("emotion",))
    assert read.names == ("emotion=2", "emotion=10", "age")
    assert read.values[:, :2].tolist() == [[0, 1], [1, 0], [1, 0]]


def test_ranges_of_age_are_words(tmp_path: Path):
    text = "file,age,gender\n" + "".join(
        f"{n}.jpg,{('3-9', '20-29', 'more than 70')[n % 3]},{('Male', 'Female')[n % 2]}\n"
        for n in range(6)
    )
    read = table(tmp_path, text)
    assert read.names == (
        "age=20-29",
        "age=3-9",
        "age=more than 70",
        "gender=female",
        "gender=male",
    )


def test_text_that_says_each_picture_something_else_is_not_used_and_named(tmp_path: Path):
    rows = "".join(f"{n}.png,person {n},{n % 2},same\n" for n in range(8))
    read = table(tmp_path, f"file,who,smile,kind\n{rows}")
    assert read.names == ("smile",)
    assert read.unused == {
        "who": "text with 8 different values",
        "kind": "it says 'same' of every picture",
    }


def test_columns_can_be_chosen(tmp_path: Path):
    text = "file,user.id,smile,age\na.png,3,1,2\nb.png,jane,0,4\n"
    with pytest.raises(DataError, match=r"line 3: user\.id is 'jane'") as caught:
        table(tmp_path, text)
    assert "Choose the columns" in caught.value.hint
    read = table(tmp_path, text, columns=("smile",))
    assert read.names == ("smile",)
    assert read.unused == {"user.id": "not asked for", "age": "not asked for"}


def test_several_rows_for_a_picture(tmp_path: Path):
    same = table(tmp_path, "file,a\nx.png,1\nx.png,1\ny.png,0\n")
    assert same.values.ravel().tolist() == [1, 0]
    assert "they say the same" in same.notes[0]
    text = "file,age,mood\nx.png,20,sad\nx.png,30,glad\nx.png,,glad\ny.png,5,sad\n"
    with pytest.raises(
        DataError, match=r"line 3: 'x\.png' was already on line 2, with other"
    ) as it:
        table(tmp_path, text)
    assert "averaged" in it.value.hint
    read = table(tmp_path, text, repeats="average")
    assert read.names == ("age", "mood=glad", "mood=sad")
    np.testing.assert_allclose(read.values, [[25, 2 / 3, 1 / 3], [5, 0, 1]], rtol=1e-6)


PATHS = ["in/a.png", "in/b.png", "in/c.png", "d.png"]


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("b.jpg", 1),
        ("in/b.jpeg", 1),
        ("/somewhere/else/in/b.png", 1),
        ("C:\\Users\\me\\in\\b.png", 1),
        ("/elsewhere/b.png", 1),
        ("faces/d.jpg", 3),
    ],
)
def test_another_ending_or_a_path_from_elsewhere(tmp_path: Path, key: str, place: int):
    joined = table(tmp_path, f"file,x\n{key},7\n").join(PATHS)
    assert joined.rows.tolist() == [0 if n == place else -1 for n in range(4)]
    assert joined.loosely == 1


def test_what_could_mean_several_is_left_alone(tmp_path: Path):
    # Two rows for one picture, and one row that could mean two.
    read = table(tmp_path, "file,x\na.png,1\n/one/b.jpg,2\n/two/b.jpg,3\nval/0.png,4\n")
    joined = read.join(["in/a.png", "in/b.png", "train/0.png"])
    assert joined.rows.tolist() == [0, -1, -1]
    exact = table(tmp_path, "file,x\na.jpg,1\n").join(["a.jpg", "a.png"])
    assert exact.rows.tolist() == [0, -1]


def test_the_card_says_what_the_labels_became(tmp_path: Path):
    source = fill_folder(tmp_path / "in", {f"{n}.png": png(n) for n in range(10)})
    rows = "".join(f"{n}.jpg,{'Sad' if n % 3 else 'glad'},text {n}\n" for n in range(8))
    (tmp_path / "l.csv").write_text(f"file,mood,what\n{rows}nobody.png,sad,text\n")
    dataset = import_images(
        source, tmp_path / "out", labels=tmp_path / "l.csv", holdout=0, resolution=16
    )
    labels = dataset.card["labels"]
    assert labels["matched"] == 8
    assert labels["unused_rows"] == 1
    assert labels["matched_by_another_ending_or_place"] == 8
    assert labels["classes"] == {"mood": {"glad": 3, "sad": 5, "(missing)": 2}}
    assert labels["columns_not_used"] == {"what": "text with 9 different values"}


CASES = Path(__file__).parents[3] / "shared" / "cases"


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this checkout")
class TestCases:
    def load(self, tmp_path: Path, table: str, **options) -> Dataset:
        folder = CASES / "labels"
        return import_images(
            folder / "faces.zip",
            tmp_path / "out",
            labels=folder / table,
            resolution=16,
            holdout=0,
            **options,
        )

    @pytest.mark.parametrize(
        ("table", "loosely"),
        [
            ("absolute-paths.csv", 16),
            ("class-numbers.csv", 0),
            ("minus-one.csv", 0),
            ("mostly-unmatched.csv", 13),  # they name JPEGs
            ("no-header.csv", 0),
            ("other-ending.csv", 16),
            ("pandas-index.csv", 0),
            ("semicolon-bom-crlf.csv", 0),
            ("true-false.csv", 0),
            ("words.csv", 0),
        ],
    )
    def test_every_row_finds_its_picture(self, tmp_path: Path, table: str, loosely: int):
        dataset = self.load(tmp_path, table)
        assert dataset.labels is not None
        assert not np.isnan(dataset.labels).all(1).any()
        about = dataset.card["labels"]
        assert (about["matched"], about["unused_rows"]) == (16, 0)
        assert about.get("matched_by_another_ending_or_place", 0) == loosely
        for column in about["columns"]:
            if "=" in column["name"] or table in ("minus-one.csv", "true-false.csv"):
                assert {column["lowest"], column["highest"]} <= {0, 1}

    def test_several_rows(self, tmp_path: Path):
        dataset = self.load(tmp_path, "several-rows-an-image.csv", repeats="average")
        assert dataset.card["labels"]["matched"] == len(dataset)


def test_classes_of_a_zip_arrive_in_the_dataset(tmp_path: Path):
    source = fill_zip(tmp_path / "faces.zip", {f"{n}.png": png(n) for n in range(4)})
    (tmp_path / "l.tsv").write_text("file\tmood\n0.png\tglad\n1.png\tsad\n2.png\tGlad\n")
    dataset = import_images(source, tmp_path / "out", labels=tmp_path / "l.tsv", holdout=0)
    assert dataset.labels is not None
    assert dataset.labels[:3].tolist() == [[1, 0], [0, 1], [1, 0]]
    assert np.isnan(dataset.labels[3]).all()
