"""Datasets in the layouts in which people have them: labels, split and persons arrive."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from imagefiles import fill_folder, fill_tar, fill_zip, jpeg, lfw_files, png
from layoutfiles import (
    ATTRIBUTES,
    attributes,
    celeba_csvs,
    celeba_pictures,
    celeba_texts,
    ffhq_json,
    ffhq_pictures,
    lmdb,
    parquet,
    part,
    person,
    shard,
)

from facegan.data import lmdb_file
from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.data.layouts.ffhq import entries
from facegan.data.people import people_known
from facegan.errors import DataError


def load(source: Path, tmp_path: Path, **options) -> Dataset:
    return import_images(source, tmp_path / "dataset", resolution=16, overwrite=True, **options)


def by_source(dataset: Dataset, column: str) -> np.ndarray:
    """A label's values, in the order of the pictures' sources."""
    assert dataset.labels is not None
    place = dataset.label_names.index(column)
    return dataset.labels[np.argsort(dataset.sources), place]


def number(dataset: Dataset, index: int) -> int:
    return int(dataset.names[index].rpartition(".")[0])


def require_celeba(dataset: Dataset, persons: bool = True, n: int = 10) -> None:
    assert dataset.card["layout"] == "CelebA"
    assert dataset.card["split"] == "official"
    assert dataset.label_names == ATTRIBUTES
    assert dataset.labels is not None
    assert len(dataset) == n
    for index in range(len(dataset)):
        i = number(dataset, index)
        assert dataset.labels[index].tolist() == [(v + 1) / 2 for v in attributes(i)]
        assert dataset.splits[index] == ("train" if part(i) == 0 else "holdout")
        if persons:
            assert dataset.identities[index] == str(person(i))


class TestCelebA:
    def test_as_its_authors_publish_it(self, tmp_path: Path) -> None:
        texts = celeba_texts()
        top = tmp_path / "celeba"
        fill_folder(top / "Anno", {k: v for k, v in texts.items() if "partition" not in k})
        fill_folder(top / "Eval", {k: v for k, v in texts.items() if "partition" in k})
        (top / "Img").mkdir()
        archive = fill_zip(top / "Img" / "img_align_celeba.zip", celeba_pictures())
        require_celeba(load(archive, tmp_path))
        whole = load(top, tmp_path)
        require_celeba(whole)
        assert "Img/img_align_celeba.zip" in whole.card["notes"][0]
        assert whole.card["side_files"]["used"] == {
            "list_attr_celeba.txt": "labels",
            "identity_CelebA.txt": "identities",
            "list_eval_partition.txt": "split",
        }

    @pytest.mark.parametrize("unpacked", [False, True])
    def test_as_torchvision_keeps_it(self, tmp_path: Path, unpacked: bool) -> None:
        top = fill_folder(tmp_path / "celeba", celeba_texts())
        fill_zip(top / "img_align_celeba.zip", celeba_pictures())
        if unpacked:
            fill_folder(top, celeba_pictures())
        dataset = load(top, tmp_path)
        require_celeba(dataset)
        unused = dataset.card["side_files"]["not_used"]
        assert ("img_align_celeba.zip" in unused) == unpacked

    @pytest.mark.parametrize("zipped", [False, True])
    def test_as_kaggle_has_it(self, tmp_path: Path, zipped: bool) -> None:
        files = celeba_csvs() | celeba_pictures(top="img_align_celeba/img_align_celeba/")
        fill = fill_zip if zipped else fill_folder
        dataset = load(fill(tmp_path / "archive", files), tmp_path)
        require_celeba(dataset, persons=False)
        assert "identity_CelebA.txt was not found" in dataset.card["notes"][0]
        assert set(dataset.card["side_files"]["not_used"]) == {
            "list_bbox_celeba.csv",
            "list_landmarks_align_celeba.csv",
        }
        assert set(dataset.card["side_files"]["used"]) == {
            "list_attr_celeba.csv",
            "list_eval_partition.csv",
        }

    def test_pngs_with_lists_that_name_jpegs(self, tmp_path: Path) -> None:
        top = fill_folder(tmp_path / "celeba", celeba_texts())
        source = fill_zip(top / "img_align_celeba_png.zip", celeba_pictures(kind="png"))
        dataset = load(source, tmp_path)
        require_celeba(dataset)
        assert dataset.card["labels"]["matched_by_another_ending_or_place"] == 10

    def test_some_attributes_alone(self, tmp_path: Path) -> None:
        source = fill_folder(tmp_path / "in", celeba_texts() | celeba_pictures())
        dataset = load(source, tmp_path, columns=["Young", "Smiling"])
        assert dataset.label_names == ("Smiling", "Young")
        with pytest.raises(DataError, match="no column 'Old'"):
            load(source, tmp_path, columns=["Old"])


class TestCelebAHQ:
    # Picture n of CelebA-HQ is picture 10 − n of CelebA.
    def files(self) -> dict[str, bytes]:
        rows = "".join(f"{n}.jpg {' '.join(map(str, attributes(10 - n)))}\n" for n in range(10))
        mapping = "".join(f"{n}\t{9 - n}\t{10 - n:06}.jpg\n" for n in range(10))
        return {
            **{f"CelebA-HQ-img/{n}.jpg": jpeg(n) for n in range(10)},
            "CelebAMask-HQ-mask-anno/0/00000_hair.png": png(1),
            "CelebAMask-HQ-attribute-anno.txt": f"10\n{' '.join(ATTRIBUTES)}\n{rows}".encode(),
            "CelebAMask-HQ-pose-anno.txt": b"10\nYaw\n0.jpg 1\n",
            "CelebA-HQ-to-CelebA-mapping.txt": f"idx orig_idx orig_file\n{mapping}".encode(),
        }

    def test_with_the_lists_of_celeba(self, tmp_path: Path) -> None:
        lists = {k: v for k, v in celeba_texts().items() if "attr" not in k}
        source = fill_folder(tmp_path / "hq", self.files() | lists)
        dataset = load(source, tmp_path)
        assert dataset.card["layout"] == "CelebA-HQ"
        assert len(dataset) == 10
        assert dataset.labels is not None
        for index in range(10):
            n = 10 - number(dataset, index)
            assert dataset.identities[index] == str(person(n))
            assert dataset.splits[index] == ("train" if part(n) == 0 else "holdout")
            assert dataset.labels[index].tolist() == [(v + 1) / 2 for v in attributes(n)]
        unused = dataset.card["side_files"]["not_used"]
        assert unused["CelebAMask-HQ-mask-anno/0/00000_hair.png"] == "a mask, no picture"

    def test_alone(self, tmp_path: Path) -> None:
        dataset = load(fill_zip(tmp_path / "CelebAMask-HQ.zip", self.files()), tmp_path)
        assert dataset.label_names == ATTRIBUTES
        assert len(set(dataset.identities)) == 10
        assert any("identity_CelebA" in note for note in dataset.card["notes"])

    def test_a_mapping_that_is_none_is_named(self, tmp_path: Path) -> None:
        files = self.files() | {"CelebA-HQ-to-CelebA-mapping.txt": b"idx a b\n0 1 nothing\n"}
        with pytest.raises(DataError, match=r"mapping\.txt, line 2"):
            load(fill_folder(tmp_path / "in", files), tmp_path)


class TestFFHQ:
    @pytest.mark.parametrize("arrangement", ["folder", "around", "zip"])
    def test_split_and_licences_come_from_its_json(self, tmp_path: Path, arrangement: str) -> None:
        top = tmp_path / "ffhq-dataset"
        top.mkdir()
        ffhq_json(top / "ffhq-dataset-v2.json")
        fill_folder(top, ffhq_pictures())
        source = {"folder": top / "thumbnails128x128", "around": top}.get(arrangement)
        if source is None:
            source = fill_zip(top / "thumbnails128x128.zip", ffhq_pictures())
        dataset = load(source, tmp_path)
        assert dataset.card["layout"] == "FFHQ"
        assert dataset.card["split"] == "official"
        held = {n for n, s in zip(dataset.names, dataset.splits, strict=True) if s == "holdout"}
        assert held == {"60000.png", "69999.png"}
        assert dataset.card["licences"] == {"Attribution License": 5, "Public Domain Mark": 2}
        assert dataset.card["side_files"]["used"] == {"ffhq-dataset-v2.json": "split and licences"}
        assert dataset.card["dropped"] == {}

    def test_without_its_json_the_numbers_tell(self, tmp_path: Path) -> None:
        dataset = load(fill_folder(tmp_path / "in", ffhq_pictures("")), tmp_path)
        assert dataset.splits.count("holdout") == 2
        assert "ffhq-dataset-v2.json was not found" in dataset.card["notes"][0]

    def test_one_folder_of_all(self, tmp_path: Path) -> None:
        flat = {name[6:]: data for name, data in ffhq_pictures("").items()}
        ffhq_json(tmp_path / "ffhq-dataset-v2.json")
        dataset = load(fill_folder(tmp_path / "in", flat), tmp_path)
        assert dataset.card["layout"] == "FFHQ"
        assert dataset.splits.count("holdout") == 2

    def test_two_sizes_of_the_same_pictures_are_refused(self, tmp_path: Path) -> None:
        files = ffhq_pictures() | ffhq_pictures("images1024x1024/")
        with pytest.raises(DataError, match="several sizes"):
            load(fill_folder(tmp_path / "in", files), tmp_path)

    def test_a_part_that_holds_nobody_out_says_so(self, tmp_path: Path) -> None:
        files = {k: v for k, v in ffhq_pictures().items() if "/6" not in k}
        dataset = load(fill_folder(tmp_path / "in", files), tmp_path)
        assert any("nothing is held out" in note for note in dataset.card["notes"])

    @pytest.mark.parametrize("cut", [1, 100, 5000])
    def test_a_json_that_was_cut_short_is_refused(self, tmp_path: Path, cut: int) -> None:
        path = ffhq_json(tmp_path / "ffhq-dataset-v2.json", 2000)
        path.write_bytes(path.read_bytes()[:-cut])
        with pytest.raises(DataError, match="cut short"):
            load(fill_folder(tmp_path / "in", ffhq_pictures()), tmp_path)

    def test_its_json_is_read_entry_by_entry(self, tmp_path: Path) -> None:
        import json
        import tracemalloc

        path = ffhq_json(tmp_path / "a.json", 250_000)
        with path.open("rb") as file:
            assert dict(entries(file, "a")) == json.loads(path.read_text("utf-8"))
        many = b"{" + b",".join(b'"%d": {"x": "%s"}' % (n, b"y" * 3000) for n in range(9000)) + b"}"
        tracemalloc.start()
        begun = tracemalloc.get_traced_memory()[0]
        assert sum(1 for _ in entries(io.BytesIO(many), "a")) == 9000  # 27 MB
        assert tracemalloc.get_traced_memory()[1] - begun < 8 << 20
        tracemalloc.stop()


class TestFolders:
    FILES: ClassVar = {
        f"afhq/{part}/{kind}/{n:03}.jpg": jpeg(n + 10 * len(kind) + len(part))
        for part in ("train", "val")
        for kind in ("cat", "dog", "wild")
        for n in range(3)
    }

    @pytest.mark.parametrize("kind", ["folder", "zip"])
    def test_train_and_val_are_the_split(self, tmp_path: Path, kind: str) -> None:
        fill = {"folder": fill_folder, "zip": fill_zip}[kind]
        dataset = load(fill(tmp_path / "afhq", self.FILES), tmp_path)
        assert dataset.card["split"] == "official"
        for source, split in zip(dataset.sources, dataset.splits, strict=True):
            assert split == ("train" if "/train/" in source else "holdout")
        assert dataset.labels is None
        assert "can be taken as classes" in dataset.card["notes"][0]

    def test_folders_as_classes(self, tmp_path: Path) -> None:
        dataset = load(fill_folder(tmp_path / "in", self.FILES), tmp_path, labels="folders")
        assert dataset.label_names == ("class=cat", "class=dog", "class=wild")
        assert dataset.labels is not None
        for source, row in zip(dataset.sources, dataset.labels, strict=True):
            assert row.tolist() == [float(f"/{kind}/" in source) for kind in ("cat", "dog", "wild")]
        assert dataset.card["labels"]["classes"]["class"] == {"cat": 6, "dog": 6, "wild": 6}

    def test_spellings_of_a_class_are_one(self, tmp_path: Path) -> None:
        files = {f"{kind}/{n}.png": png(n) for kind in ("Happy", "happy ", "sad") for n in (1, 2)}
        dataset = load(fill_zip(tmp_path / "in.zip", files), tmp_path, labels="folders", holdout=0)
        assert dataset.label_names == ("class=happy", "class=sad")

    def test_one_folder_is_no_class(self, tmp_path: Path) -> None:
        source = fill_folder(tmp_path / "in", {"a/1.png": png(), "a/2.png": png(1)})
        with pytest.raises(DataError, match="lie in no folders"):
            load(source, tmp_path, labels="folders")

    def test_folders_as_persons(self, tmp_path: Path) -> None:
        files = {f"n{k:06}/{i:04}_01.jpg": jpeg(9 * k + i) for k in range(12) for i in range(3)}
        source = fill_folder(tmp_path / "in", files)
        # The pictures are much alike, and people alone shall decide.
        options = {"identities": "folders", "holdout": 0.4, "duplicates": "keep"}
        dataset = load(source, tmp_path, **options)
        assert "notes" not in dataset.card
        assert dataset.card["counts"]["identities"] == 12
        sides = set(zip(dataset.identities, dataset.splits, strict=True))
        assert len(sides) == 12
        assert {split for _, split in sides} == {"train", "holdout"}

    def test_names_as_persons(self, tmp_path: Path) -> None:
        files = {f"face {k:03} ({i}).jpg": jpeg(9 * k + i) for k in range(12) for i in range(1, 4)}
        dataset = load(fill_folder(tmp_path / "in", files), tmp_path, identities="names")
        assert dataset.card["counts"]["identities"] == 12
        assert len(set(zip(dataset.identities, dataset.splits, strict=True))) == 12
        assert "names" in dataset.card["identities_from"]

    def test_a_list_of_persons(self, tmp_path: Path) -> None:
        files = {f"{n:02}.jpg": jpeg(n) for n in range(20)}
        rows = "".join(f"{n:02}.jpg,{n},who{n % 5}\n" for n in range(18))
        (tmp_path / "who.csv").write_text(f"file,age,identity\n{rows}")
        source = fill_folder(tmp_path / "in", files)
        dataset = load(source, tmp_path, identities=tmp_path / "who.csv", holdout=0.3)
        by_name = dict(zip(dataset.names, dataset.identities, strict=True))
        assert by_name["07.jpg"] == "who2"
        assert by_name["18.jpg"] == "18.jpg"  # whom the list lacks, he is a person of his own
        assert dataset.card["counts"]["identities"] == 7
        assert people_known(dataset)

    @pytest.mark.parametrize("said", ["folders", "names", "who.csv"])
    def test_persons_that_nothing_tells_are_refused(self, tmp_path: Path, said: str) -> None:
        source = fill_folder(tmp_path / "in", {f"{c}.jpg": jpeg(n) for n, c in enumerate("abcd")})
        table = tmp_path / "who.csv"
        table.write_text("file,identity\nz.jpg,one\ny.jpg,one\n")
        with pytest.raises(DataError, match=r"nobody is shown twice|none of its 2 rows"):
            load(source, tmp_path, identities=table if said == "who.csv" else said)

    def test_train_alone_is_no_part(self, tmp_path: Path) -> None:
        files = {f"train/{kind}/{n}.png": png(n) for kind in "ab" for n in range(2)}
        assert load(fill_folder(tmp_path / "in", files), tmp_path).card["split"] != "official"


class TestImagefolder:
    def test_metadata_csv_of_each_part(self, tmp_path: Path) -> None:
        files = {f"{part}/{n}.png": png(n) for part in ("train", "test") for n in range(4)}
        for part_, shift in (("train", 0), ("test", 1)):
            rows = "".join(f"{n}.png,{'Cat' if (n + shift) % 2 else 'dog'},{n}\n" for n in range(4))
            files[f"{part_}/metadata.csv"] = f"file_name,kind,age\n{rows}".encode()
        dataset = load(fill_folder(tmp_path / "in", files), tmp_path)
        assert dataset.label_names == ("kind=cat", "kind=dog", "age")
        cats = dict(zip(dataset.sources, by_row(dataset, "kind=cat"), strict=True))
        assert cats["train/1.png"] == 1
        assert cats["test/1.png"] == 0
        assert dataset.splits.count("holdout") == 4
        assert set(dataset.card["side_files"]["used"]) == {
            "train/metadata.csv",
            "test/metadata.csv",
        }

    def test_metadata_jsonl(self, tmp_path: Path) -> None:
        rows = [f'{{"file_name": "{n}.png", "smile": {str(n > 1).lower()}}}' for n in range(4)]
        rows[3] = '{"file_name": "3.png", "boxes": {"a": [1, 2]}}'
        files = {f"{n}.png": png(n) for n in range(4)} | {
            "metadata.jsonl": "\n".join(rows).encode()
        }
        dataset = load(fill_zip(tmp_path / "in.zip", files), tmp_path, holdout=0)
        assert dataset.label_names == ("smile",)
        assert np.array_equal(by_source(dataset, "smile"), [0, 0, 1, np.nan], equal_nan=True)

    def test_captions_alone_are_no_labels(self, tmp_path: Path) -> None:
        rows = "".join(f"{n}.png,a face number {n}\n" for n in range(6))
        files = {f"{n}.png": png(n) for n in range(6)}
        files["metadata.csv"] = f"file_name,text\n{rows}".encode()
        dataset = load(fill_folder(tmp_path / "in", files), tmp_path)
        assert dataset.labels is None
        assert "6 different values" in dataset.card["side_files"]["not_used"]["metadata.csv"]

    def test_numbers_can_be_asked_for_as_classes(self, tmp_path: Path) -> None:
        rows = "".join(f"{n}.png,{n % 3}\n" for n in range(6))
        files = {f"{n}.png": png(n) for n in range(6)}
        files["metadata.csv"] = f"file_name,label\n{rows}".encode()
        source = fill_folder(tmp_path / "in", files)
        assert load(source, tmp_path).label_names == ("label",)
        dataset = load(source, tmp_path, classes=["label"], holdout=0)
        assert dataset.label_names == ("label=0", "label=1", "label=2")


def by_row(dataset: Dataset, column: str) -> np.ndarray:
    assert dataset.labels is not None
    return dataset.labels[:, dataset.label_names.index(column)]


class TestParquet:
    def test_rows_with_named_classes_and_parts(self, tmp_path: Path) -> None:
        pytest.importorskip("pyarrow")
        words = ["female", "male"]
        top = tmp_path / "faces" / "data"
        for name, numbers in (
            ("train-00000-of-00002", range(0, 6)),
            ("train-00001-of-00002", range(6, 9)),
            ("test-00000-of-00001", range(9, 12)),
        ):
            parquet(
                top / f"{name}.parquet",
                numbers,
                gender=(words, [n % 2 for n in numbers]),
                age=[float(n) for n in numbers],
            )
        dataset = load(tmp_path / "faces", tmp_path)
        assert dataset.card["layout"] == "Hugging Face parquet"
        assert dataset.label_names == ("gender=female", "gender=male", "age")
        assert len(dataset) == 12
        for index, source in enumerate(dataset.sources):
            n = int(source.rpartition("-p")[2].split(".")[0])
            assert dataset.labels is not None
            assert dataset.labels[index].tolist() == [float(n % 2 == 0), float(n % 2), n]
            assert dataset.splits[index] == ("holdout" if source.startswith("test") else "train")
        # The pictures are those of their rows.
        from facegan.data.decode import Shape, decode

        first = decode(jpeg(0), Shape(16)).pixels
        assert np.array_equal(dataset.images[dataset.sources.index(min_of(dataset, "-p0."))], first)

    def test_one_file_without_labels(self, tmp_path: Path) -> None:
        pytest.importorskip("pyarrow")
        dataset = load(parquet(tmp_path / "a.parquet", range(5)), tmp_path, holdout=0)
        assert len(dataset) == 5
        assert dataset.labels is None

    def test_damage_and_other_tables_are_named(self, tmp_path: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet as pq

        (tmp_path / "cut.parquet").write_bytes(b"PAR1" + bytes(100))
        with pytest.raises(DataError, match=r"cut\.parquet is damaged"):
            load(tmp_path / "cut.parquet", tmp_path)
        pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "other.parquet")
        with pytest.raises(DataError, match="no column of pictures; its columns are a"):
            load(tmp_path / "other.parquet", tmp_path)

    def test_without_the_extra_it_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "pyarrow", None)
        (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(100))
        with pytest.raises(DataError) as caught:
            load(tmp_path / "a.parquet", tmp_path)
        assert "facegan[parquet]" in caught.value.hint


def min_of(dataset: Dataset, ending: str) -> str:
    return next(source for source in dataset.sources if ending in source)


class TestWebDataset:
    SIDES: ClassVar = {
        "cls": lambda n: str(n % 3),
        "json": lambda n: f'{{"age": {n}, "url": "https://example.org/{n}", "width": 40}}',
        "txt": lambda n: f"a caption number {n}",
    }

    @pytest.mark.parametrize("how", ["folder", "braces"])
    def test_shards_in_order_with_their_labels(self, tmp_path: Path, how: str) -> None:
        top = tmp_path / "shards"
        top.mkdir()
        for place in range(3):
            shard(top / f"faces-{place:06}.tar", 4 * place, 4, self.SIDES)
        source = top if how == "folder" else top / "faces-{000000..000002}.tar"
        dataset = load(source, tmp_path, holdout=0)
        assert dataset.card["layout"] == "WebDataset"
        assert [number(dataset, index) for index in range(12)] == list(range(12))
        assert dataset.label_names == ("class=0", "class=1", "class=2", "age")
        assert dataset.labels is not None
        for n, row in enumerate(dataset.labels):
            assert row.tolist() == [n % 3 == 0, n % 3 == 1, n % 3 == 2, n]
        assert dataset.sources[4] == "faces-000001/000004.jpg"
        used = {"12 × *.cls": "labels", "12 × *.json": "labels"}
        assert dataset.card["side_files"]["used"] == used
        unused = dataset.card["side_files"]["not_used"]
        assert {path[-4:] for path in unused} == {".txt"}
        assert all("different values" in why for why in unused.values())
        assert dataset.card["dropped"] == {"side file, not used": 12}

    def test_one_packed_shard(self, tmp_path: Path) -> None:
        sides = {"cls": lambda n: "cat" if n % 2 else "Dog"}
        dataset = load(shard(tmp_path / "0.tar.gz", 0, 6, sides, "w:gz"), tmp_path, holdout=0)
        assert dataset.label_names == ("class=cat", "class=dog")
        assert dataset.card["dropped"] == {}

    def test_train_and_val_shards_are_the_split(self, tmp_path: Path) -> None:
        top = tmp_path / "shards"
        top.mkdir()
        shard(top / "train-000000.tar", 0, 4, self.SIDES)
        shard(top / "val-000000.tar", 4, 2, self.SIDES)
        dataset = load(top, tmp_path)
        assert dataset.splits == ["train"] * 4 + ["holdout"] * 2

    def test_a_broken_label_is_missing_and_counted(self, tmp_path: Path) -> None:
        sides = {"json": lambda n: '{"age": ' + ("?" if n == 1 else f"{n}}}")}
        dataset = load(shard(tmp_path / "0.tar", 0, 4, sides), tmp_path, holdout=0)
        assert np.array_equal(by_row(dataset, "age"), [0, np.nan, 2, 3], equal_nan=True)
        assert "1 files of labels cannot be read" in dataset.card["notes"][0]


class TestLSUN:
    def test_a_category_in_its_parts(self, tmp_path: Path) -> None:
        pytest.importorskip("lmdb")
        lmdb(tmp_path / "lsun" / "bedroom_train_lmdb", 30)
        lmdb(tmp_path / "lsun" / "bedroom_val_lmdb", 5, seed=100)
        dataset = load(tmp_path / "lsun", tmp_path)
        assert dataset.card["counts"]["train"] == 30
        assert dataset.card["counts"]["holdout"] == 5
        assert dataset.card["split"] == "official"

    @pytest.mark.parametrize("given", ["folder", "file", "around"])
    def test_one_database(self, tmp_path: Path, given: str) -> None:
        pytest.importorskip("lmdb")
        folder = lmdb(tmp_path / "lsun" / "church_outdoor_train_lmdb", 12)
        source = {"folder": folder, "file": folder / "data.mdb"}.get(given, tmp_path / "lsun")
        dataset = load(source, tmp_path, holdout=0)
        assert len(dataset) == 12
        assert all(len(name) == 40 for name in dataset.names)
        assert dataset.card["source_kind"] == "LMDB"

    def test_its_zip_is_named_as_what_must_be_unpacked(self, tmp_path: Path) -> None:
        source = fill_zip(tmp_path / "bedroom_train_lmdb.zip", {"a_lmdb/data.mdb": b"x" * 100})
        with pytest.raises(DataError, match=r"holds a_lmdb/data\.mdb") as caught:
            load(source, tmp_path)
        assert "Unpack" in caught.value.hint

    def test_nothing_is_written_beside_it(self, tmp_path: Path) -> None:
        pytest.importorskip("lmdb")
        folder = lmdb(tmp_path / "a_lmdb", 3)
        (folder / "lock.mdb").unlink()
        load(folder, tmp_path)
        assert [path.name for path in folder.iterdir()] == ["data.mdb"]

    @pytest.mark.parametrize("n", [0, 1, 2, 700])
    def test_every_value_is_what_the_library_gives(self, tmp_path: Path, n: int) -> None:
        library = pytest.importorskip("lmdb")
        dice = np.random.default_rng(n)
        sizes = dice.choice([1, 7, 100, 1900, 2100, 4081, 9000], n)

        folder = lmdb(tmp_path / "a", n, value=lambda k: dice.bytes(int(sizes[k])))
        source = lmdb_file.LmdbSource(folder)
        members = source.members()
        with (
            library.open(str(folder), readonly=True, lock=False) as environment,
            environment.begin() as transaction,
        ):
            wanted = [(k.decode(), v) for k, v in transaction.cursor()]
        assert [member.path for member in members] == [key for key, _ in wanted]
        assert [member.size for member in members] == [len(value) for _, value in wanted]
        assert [value for _, value in source.read(range(n))] == [value for _, value in wanted]

    @pytest.mark.parametrize("keep", [0.2, 0.5, 0.99])
    def test_one_that_was_cut_short_is_refused(self, tmp_path: Path, keep: float) -> None:
        pytest.importorskip("lmdb")
        file = lmdb(tmp_path / "a", 50) / "data.mdb"
        used = file.read_bytes().rstrip(b"\0")
        file.write_bytes(used[: int(keep * len(used))])
        with pytest.raises(DataError, match="damaged or cut short"):
            load(tmp_path / "a", tmp_path)


class TestNames:
    def test_utkface(self, tmp_path: Path) -> None:
        files = {
            "UTKFace/26_0_2_20170104023102422.jpg.chip.jpg": jpeg(1),
            "UTKFace/80_1_0_20170110180000000.jpg.chip.jpg": jpeg(2),
            "UTKFace/61_1_20170109142408075.jpg.chip.jpg": jpeg(3),
            "UTKFace/1_0_4_20161219140623097.jpg": jpeg(4),
        }
        dataset = load(fill_tar(tmp_path / "UTKFace.tar.gz", files), tmp_path, holdout=0)
        assert dataset.card["layout"] == "UTKFace"
        assert dataset.label_names[:3] == ("age", "gender=male", "gender=female")
        rows = dict(zip(dataset.names, dataset.labels.tolist(), strict=True))
        first = rows["26_0_2_20170104023102422.jpg.chip.jpg"]
        assert first == [26, 1, 0, 0, 0, 1, 0, 0]
        assert rows["1_0_4_20161219140623097.jpg"] == [1, 1, 0, 0, 0, 0, 0, 1]
        broken = rows["61_1_20170109142408075.jpg.chip.jpg"]
        assert broken[0] == 61
        assert np.isnan(broken[1:]).all()
        assert "61_1_2017" in dataset.card["notes"][0]

    def test_lfw_as_torchvision_keeps_it(self, tmp_path: Path) -> None:
        pictures = {
            name.replace("lfw-drawn", "lfw-py/lfw_funneled"): data
            for name, data in lfw_files().items()
        }
        lists = {"lfw-py/pairsDevTrain.txt": b"2\n", "lfw-py/people.txt": b"1\n"}
        dataset = load(fill_folder(tmp_path / "in", pictures | lists), tmp_path)
        assert dataset.card["layout"] == "LFW"
        assert dataset.card["counts"]["identities"] == 12
        assert set(dataset.card["side_files"]["not_used"]) == set(lists)

    def test_lfw_aligned_in_two_ways_is_refused(self, tmp_path: Path) -> None:
        files = lfw_files() | {k.replace("drawn", "other"): v for k, v in lfw_files().items()}
        with pytest.raises(DataError, match="several times"):
            load(fill_folder(tmp_path / "in", files), tmp_path)

    def test_lfw_in_one_folder(self, tmp_path: Path) -> None:
        files = {
            f"{'Ann' * (k % 2 + 1)}_B{chr(97 + k)}_{i + 1:04}.png": png(9 * k + i)
            for k in range(20)
            for i in range(1 + k % 3)
        }
        dataset = load(fill_folder(tmp_path / "in", files), tmp_path, holdout=0.4)
        assert dataset.card["layout"] == "LFW"
        assert dataset.card["counts"]["identities"] == 20
        assert len(set(zip(dataset.identities, dataset.splits, strict=True))) == 20

    @pytest.mark.parametrize("names", [["img_0001", "img_0002"], ["my_cat_0001", "my_dog_0003"]])
    def test_other_numbers_are_no_persons(self, tmp_path: Path, names: list[str]) -> None:
        files = {f"{name}.png": png(n) for n, name in enumerate(names)}
        dataset = load(fill_folder(tmp_path / "in", files), tmp_path, holdout=0)
        assert dataset.card["layout"] == "images"


class TestInside:
    def test_a_folder_with_one_archive_is_that_archive(self, tmp_path: Path) -> None:
        top = tmp_path / "download"
        top.mkdir()
        fill_tar(top / "lfw.tgz", lfw_files())
        dataset = load(top, tmp_path)
        assert dataset.card["layout"] == "LFW"
        assert dataset.card["source"] == "lfw.tgz"

    def test_several_archives_are_not_guessed_among(self, tmp_path: Path) -> None:
        top = tmp_path / "download"
        top.mkdir()
        fill_zip(top / "a.zip", {"1.png": png()})
        fill_zip(top / "b.zip", {"1.png": png()})
        with pytest.raises(DataError, match=r"2 archives: a\.zip, b\.zip"):
            load(top, tmp_path)

    @pytest.mark.parametrize("previews", [0, 2])
    def test_an_archive_in_an_archive_is_named(self, tmp_path: Path, previews: int) -> None:
        inner = fill_zip(tmp_path / "inner.zip", {f"{n}.jpg": jpeg(n, 200) for n in range(30)})
        files = {f"preview{n}.jpg": jpeg(n) for n in range(previews)}
        source = fill_zip(tmp_path / "a.zip", files | {"data/images.zip": inner.read_bytes()})
        with pytest.raises(DataError, match=r"an archive, data/images\.zip"):
            load(source, tmp_path)
        assert not (tmp_path / "dataset").exists()

    def test_a_small_one_beside_pictures_is_said(self, tmp_path: Path) -> None:
        files = {f"{n}.jpg": jpeg(n) for n in range(5)} | {"notes.zip": b"PK\5\6" + bytes(18)}
        dataset = load(fill_folder(tmp_path / "in", files), tmp_path)
        assert dataset.card["side_files"]["not_used"] == {"notes.zip": "an archive inside"}


class TestNothingSilent:
    def test_tables_that_were_not_used_are_named_with_all_the_rest(self, tmp_path: Path) -> None:
        files = {f"{n}.png": png(n) for n in range(3)} | {
            "labels.csv": b"file,a\n0.png,1\n",
            "README": b"hello",
            "landmarks.npy": b"x",
        }
        dataset = load(fill_folder(tmp_path / "in", files), tmp_path)
        assert dataset.card["side_files"] == {
            "used": {},
            "not_used": {"README": "text", "labels.csv": "a table", "landmarks.npy": "other data"},
        }
        with (dataset.path / "dropped.csv").open(newline="") as file:
            dropped = {row["name"]: row["reason"] for row in csv.DictReader(file)}
        assert dropped["labels.csv"] == "a table, not used"

    @pytest.mark.parametrize(
        ("files", "said"),
        [
            ({"a.txt": b"x"}, "1 × text, not used"),
            ({"b.png": b"broken"}, "1 × not an image"),
            ({"tiny.png": png(side=8)}, "1 × too small"),
        ],
    )
    def test_strictly_nothing_may_be_left_out(
        self, tmp_path: Path, files: dict[str, bytes], said: str
    ) -> None:
        source = fill_folder(tmp_path / "in", {"a.png": png(1)} | files)
        with pytest.raises(DataError, match=said):
            load(source, tmp_path, holdout=0, strict=True)
        assert not (tmp_path / "dataset").exists()
        assert len(load(source, tmp_path, holdout=0)) == 1

    def test_strictly_nothing_is_guessed_or_left_unused(self, tmp_path: Path) -> None:
        classes = {f"{word}/{n}.png": png(n) for n, word in enumerate("abcabc")}
        source = fill_folder(tmp_path / "in", classes)
        with pytest.raises(DataError, match="can be taken as classes"):
            load(source, tmp_path, holdout=0, strict=True)
        assert len(load(source, tmp_path, holdout=0, labels="folders", strict=True)) == 6
        source = fill_folder(tmp_path / "flat", {f"{n}.png": png(n) for n in range(3)})
        table = tmp_path / "l.csv"
        table.write_text("file,a,b\n0.png,1,\n1.png,0,\n2.png,1,\n")
        with pytest.raises(DataError, match="b is not used"):
            load(source, tmp_path, labels=table, holdout=0, strict=True)
        found = load(source, tmp_path, labels=table, columns=["a"], holdout=0, strict=True)
        assert found.label_names == ("a",)

    def test_a_split_that_holds_nobody_out_is_told(self, tmp_path: Path) -> None:
        source = fill_folder(tmp_path / "in", {f"{n}.png": png(n) for n in range(3)})
        with pytest.raises(DataError, match="nobody is"):
            load(source, tmp_path, holdout=1e-6, strict=True)
        (note,) = load(source, tmp_path, holdout=1e-6).card["notes"]
        assert "nobody is" in note
        assert "notes" not in load(source, tmp_path, holdout=0).card

    def test_strictly_every_row_and_picture_meet(self, tmp_path: Path) -> None:
        source = fill_folder(tmp_path / "in", {"a.png": png(1), "b.png": png(2)})
        (tmp_path / "l.csv").write_text("file,a\na.png,1\nc.png,2\n")
        with pytest.raises(DataError, match="1 pictures have no row, and 1 rows fit no picture"):
            load(source, tmp_path, labels=tmp_path / "l.csv", strict=True)
        (tmp_path / "l.csv").write_text("file,a\na.png,1\nb.png,2\n")
        assert len(load(source, tmp_path, labels=tmp_path / "l.csv", strict=True, holdout=0)) == 2
