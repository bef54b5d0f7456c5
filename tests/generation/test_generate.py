"""`generate`: labels that all pictures share, and datasets made by a generator."""

from __future__ import annotations

import contextlib
import csv
import errno
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from facegan.apps import generate as application
from facegan.apps.data import show
from facegan.apps.generate import generate
from facegan.apps.train import train
from facegan.data.append import GrowingArray
from facegan.data.dataset import Dataset
from facegan.data.spec import ImageSpec, Label
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError, FaceganError, StorageError
from facegan.files import sha256
from facegan.generation import generator as generators
from facegan.generation import samples
from facegan.models.file import GeneratorFile
from facegan.report.pages import report
from facegan.training.batch_source import value_range_of

Make = Callable[..., Any]
LABELS = (Label("Smiling", binary=True), Label("age", binary=False, mean=40.0, std=10.0))
FACES = {"name": "faces", "source": "a shop", "licence": "CC-BY", "fingerprint": "ab" * 32}


def file_of(tiny: Make, path: Path, labels: tuple[Label, ...], rows: list[list[float]]) -> Path:
    """A generator that was never trained, whose training labels alternate between `rows`."""
    recipe = tiny("gan", "data.labels=all") if labels else tiny("gan")
    torch.manual_seed(0)
    generator = recipe.generator.build(ImageSpec(32, 3, labels), recipe.data.range)
    if labels:
        at = torch.arange(len(generator.label_rows)) % len(rows)
        generator.label_rows.copy_(torch.tensor(rows)[at])
    dataset = FACES | {"mixed": [{"name": "drawn", "licence": None}]}
    file = GeneratorFile(generator.eval(), recipe, value_range_of(recipe, {}), 12_000, dataset)
    file.save(path)
    return path


def test_pictures_of_another_model_in_the_folder_are_told(
    plain: Path, conditional: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever measures the folder would take them for pictures of one model."""
    out = tmp_path / "out"
    for n in (3, 5):
        generate(plain, out, n=n)
        assert capsys.readouterr().err == ""
    generate(conditional, out, n=3)
    assert "also holds 2 pictures of another model" in capsys.readouterr().err
    # Of the same recipe, trained as far on the same data: other weights.
    file = GeneratorFile.load(conditional)
    with torch.no_grad():
        next(file.generator.parameters()).add_(1.0)
    file.save(tmp_path / "other.safetensors")
    generate(tmp_path / "other.safetensors", out, n=4)
    assert "also holds a picture of another model" in capsys.readouterr().err
    # What another program wrote, or what is no picture, is not ours to judge.
    (out / "seed999999.png").write_bytes(b"damaged")
    Image.new("RGB", (8, 8)).save(out / "seed999998.png")
    generate(tmp_path / "other.safetensors", out, n=5)
    assert capsys.readouterr().err == ""


@pytest.fixture
def conditional(tiny: Make, tmp_path: Path) -> Path:
    """Of smiling people of 60 and others of unknown age who do not smile."""
    rows = [[1.0, 2.0], [-1.0, torch.nan]]
    return file_of(tiny, tmp_path / "conditional.safetensors", LABELS, rows)


@pytest.fixture
def plain(tiny: Make, tmp_path: Path) -> Path:
    """Without labels."""
    return file_of(tiny, tmp_path / "plain.safetensors", (), [])


def pictures(source: Path, out: Path, **options: Any) -> np.ndarray:
    """The generated files, uint8 [n, H, W, 3]."""
    return np.stack([np.asarray(Image.open(path)) for path in generate(source, out, **options)])


# --- labels --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wanted", "row"),
    [
        ({"Smiling": 1, "age": 25}, [1.0, -1.5]),
        ({"AGE": 25, "smiling": 0.75}, [0.5, -1.5]),
        ({"smiling": 0, "age": 40}, [-1.0, 0.0]),
    ],
)
def test_labels_that_are_asked_for_are_those_of_every_picture(
    tiny: Make, conditional: Path, tmp_path: Path, wanted: dict[str, float], row: list[float]
) -> None:
    """The same pictures as from a generator that knows no other training labels."""
    only = file_of(tiny, tmp_path / "only.safetensors", LABELS, [row])
    expected = pictures(only, tmp_path / "expected", n=9, seed=3)
    found = pictures(conditional, tmp_path / "found", n=9, seed=3, labels=wanted)
    assert np.array_equal(found, expected)
    assert not np.array_equal(found, pictures(conditional, tmp_path / "without", n=9, seed=3))


def test_labels_that_are_not_asked_for_stay_as_the_seed_chose(
    tiny: Make, conditional: Path, tmp_path: Path
) -> None:
    rows = [[1.0, 2.0], [1.0, torch.nan]]
    others = file_of(tiny, tmp_path / "others.safetensors", LABELS, rows)
    expected = pictures(others, tmp_path / "expected", n=9)
    found = pictures(conditional, tmp_path / "found", n=9, labels={"Smiling": 1})
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("grid", [False, True])
def test_the_png_says_which_labels_were_asked_for(
    conditional: Path, tmp_path: Path, grid: bool
) -> None:
    wanted = {"smiling": 1, "AGE": 62.5}
    (path,) = generate(conditional, tmp_path / "a", n=1, grid=grid, labels=wanted)
    assert Image.open(path).text["facegan.model"].endswith("labels: Smiling=1, age=62.5")
    (path,) = generate(conditional, tmp_path / "b", n=1, grid=grid)
    assert "labels" not in Image.open(path).text["facegan.model"]


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ({"smilling": 1}, "no label 'smilling'", "Allowed: Smiling, age"),
        ({"Smiling": 1.5}, "Smiling=1.5", "0 (no) to 1 (yes)"),
        ({"age": float("nan")}, "age=nan", "number"),
        ({"age": 1e12}, "age=1e+12", "about 40, give or take 10"),
        ({"age": 20, "Age": 30}, "age is given twice", "once"),
    ],
)
@pytest.mark.parametrize("dataset", [False, True])
def test_labels_that_cannot_be_asked_for(
    conditional: Path,
    tmp_path: Path,
    wanted: dict[str, float],
    message: str,
    hint: str,
    dataset: bool,
) -> None:
    with pytest.raises(FaceganError) as caught:
        generate(conditional, tmp_path / "out", n=1, labels=wanted, dataset=dataset)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_generator_without_labels_says_so(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(FaceganError, match="no label 'Smiling'") as caught:
        generate(plain, tmp_path / "out", n=1, labels={"Smiling": 1})
    assert "without labels" in caught.value.hint


# --- datasets ------------------------------------------------------------------------------
def test_a_pack_holds_the_pictures_of_the_seeds(conditional: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"n": 40, "seed": 999_990, "truncation": 0.5, "labels": {"age": 25}}
    (out,) = generate(conditional, tmp_path / "made", dataset=True, holdout=0.125, **options)
    dataset = Dataset.open(out, verify=True)
    assert np.array_equal(dataset.images, pictures(conditional, tmp_path / "files", **options))
    names = [f"seed{seed:06}" for seed in range(999_990, 1_000_030)]
    assert dataset.names == dataset.identities == names
    assert dataset.splits == ["train"] * 35 + ["holdout"] * 5
    assert set(dataset.sources) == {"generator"}
    assert dataset.card["counts"]["identities"] == 40


def test_the_labels_of_a_pack_are_in_the_units_of_the_dataset(
    conditional: Path, tmp_path: Path
) -> None:
    generate(conditional, tmp_path / "made", n=60, dataset=True)
    dataset = Dataset.open(tmp_path / "made")
    assert dataset.label_names == ("Smiling", "age")
    assert dataset.labels is not None
    smiling, age = np.asarray(dataset.labels).T
    assert 15 < smiling.sum() < 45
    assert set(smiling.tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(age[smiling == 1], 60.0, rtol=1e-6)
    assert np.isnan(age[smiling == 0]).all()
    assert "asked for" in dataset.card["labels"]["note"]
    # And they are those that the pictures were made with.
    generate(conditional, tmp_path / "old", n=60, dataset=True, labels={"age": 60, "smiling": 1})
    old = Dataset.open(tmp_path / "old")
    same = [np.array_equal(a, b) for a, b in zip(dataset.images, old.images, strict=True)]
    assert same == (smiling == 1).tolist()
    assert old.labels is not None
    np.testing.assert_allclose(old.labels, [[1, 60]] * 60, rtol=1e-6)


def test_the_card_says_that_it_is_generated_and_from_what(
    conditional: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = {"truncation": 0.7, "labels": {"smiling": 1}}
    generate(conditional, tmp_path / "made", n=4, seed=6, dataset=True, **options)
    card = json.loads((tmp_path / "made/dataset.json").read_text("utf-8"))
    assert card["generated"] == {
        "recipe": "gan",
        "kimg": 12.0,
        "sha256": sha256(conditional),
        "seeds": {"first": 6, "last": 9},
        "truncation": 0.7,
        "labels": {"Smiling": 1},
        "training_data": FACES | {"mixed": [{"name": "drawn", "licence": None}]},
    }
    assert card["name"] == "generated-by-gan"
    assert "not photographs" in card["source"]
    assert "seeds 6 to 9" in card["source"]
    assert "faces (licence: CC-BY) and drawn (licence: not stated)" in card["licence"]
    assert "derived from a model" in card["licence"]
    assert card["holdout"].startswith("none")
    monkeypatch.setenv("COLUMNS", "200")
    show(tmp_path / "made")
    said = " ".join(capsys.readouterr().out.split())
    for fragment in (
        "generated: recipe gan",
        f"generated: sha256 {sha256(conditional)}",
        "generated: labels: Smiling 1",
        "generated: training data: licence CC-BY",
        "generated: training data: mixed: 1: name drawn",
    ):
        assert fragment in said


def test_a_pack_without_labels(plain: Path, tmp_path: Path) -> None:
    generate(plain, tmp_path / "made", n=3, dataset=True)
    dataset = Dataset.open(tmp_path / "made")
    assert (dataset.label_names, dataset.labels) == ((), None)
    assert "labels" not in dataset.card
    with (tmp_path / "made/items.csv").open(encoding="utf-8") as file:
        assert list(csv.reader(file))[1] == ["seed000000", "seed000000", "train", "generator"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": True}, "`dataset` and `grid`"),
        ({"columns": 3}, "`dataset` and `grid`"),
        ({"holdout": 1.0}, "`holdout` 1 "),
        ({"holdout": -0.1}, "`holdout` -0.1"),
        ({"holdout": float("nan")}, "`holdout` nan"),
        ({"dataset": False, "holdout": 0.1}, "`holdout`"),
        ({"dataset": False, "overwrite": True}, "`overwrite`"),
    ],
)
def test_options_that_make_no_pack(
    plain: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(FaceganError, match=message) as caught:
        generate(plain, tmp_path / "out", n=2, **{"dataset": True} | options)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_share_that_keeps_back_all_but_one(plain: Path, tmp_path: Path) -> None:
    generate(plain, tmp_path / "made", n=2, dataset=True, holdout=0.999)
    assert Dataset.open(tmp_path / "made").splits == ["train", "holdout"]


# --- a few at a time, and nothing half done ------------------------------------------------
@pytest.mark.parametrize("dataset", [False, True])
def test_pictures_go_to_the_disk_a_few_at_a_time(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: bool
) -> None:
    """Where the disk is slower than the network, the network waits."""
    made, written, most = 0, 0, 0
    add, save, make = DatasetWriter.add, application.save_png, generators.labelled_pictures
    lock = threading.Lock()

    def count(n: int) -> None:
        nonlocal written
        with lock:
            written += n

    def slow_add(self: DatasetWriter, images: np.ndarray, **more: Any) -> None:
        time.sleep(0.02)
        add(self, images, **more)
        count(len(images))

    def slow_save(*about: Any) -> None:
        time.sleep(0.002)
        save(*about)
        count(1)

    def watched(*about: Any) -> Iterator[Any]:
        nonlocal made, most
        for group in make(*about):
            with lock:
                made += len(group[0])
                most = max(most, made - written)
            yield group

    monkeypatch.setattr(DatasetWriter, "add", slow_add)
    monkeypatch.setattr(application, "save_png", slow_save)
    monkeypatch.setattr(generators, "labelled_pictures", watched)
    paths = generate(plain, tmp_path / "made", n=420, dataset=dataset)
    assert made == written == 420
    assert len(paths) == (1 if dataset else 420)
    assert 32 < most <= 6 * 32, "it waited for every group, or kept all of them"


def test_many_pictures_are_files_in_the_order_of_their_seeds(plain: Path, tmp_path: Path) -> None:
    written = generate(plain, tmp_path / "made", n=100, seed=7)
    assert [path.name for path in written] == [f"seed{seed:06}.png" for seed in range(7, 107)]
    assert sorted((tmp_path / "made").iterdir()) == written
    for seed, path in zip(range(7, 107), written, strict=True):
        with Image.open(path) as image:
            assert image.text["facegan.seed"] == str(seed)


def test_a_full_disk_leaves_whole_files_alone(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync
    calls = itertools.count()

    def full(descriptor: int) -> None:
        if next(calls) >= 40:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No room left while writing") as caught:
            generate(plain, tmp_path / "made", n=2000)
    assert "Free some space" in caught.value.hint
    left = sorted(path.name for path in (tmp_path / "made").iterdir())
    assert len(left) == 40
    assert next(calls) < 300, "it went on for long"
    assert all(name.startswith("seed") and name.endswith(".png") for name in left)
    for name in left:
        with Image.open(tmp_path / "made" / name) as image:
            image.load()


def test_a_full_disk_leaves_no_pack(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = GrowingArray.append
    calls = itertools.count()

    def full(self: GrowingArray, rows: np.ndarray) -> None:
        if next(calls) >= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, rows)

    monkeypatch.setattr(GrowingArray, "append", full)
    with pytest.raises(StorageError, match="No room left while writing"):
        generate(plain, tmp_path / "datasets/made", n=2000, dataset=True)
    assert list((tmp_path / "datasets").iterdir()) == []


@pytest.mark.parametrize("dataset", [False, True])
def test_ctrl_c_while_files_are_written(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: bool
) -> None:
    make = generators.labelled_pictures

    def cut_off(*about: Any) -> Iterator[Any]:
        groups = make(*about)
        for _ in range(3):
            yield next(groups)
        raise KeyboardInterrupt

    monkeypatch.setattr(generators, "labelled_pictures", cut_off)
    with pytest.raises(KeyboardInterrupt):
        generate(plain, tmp_path / "made/it", n=2000, dataset=dataset)
    left = [path.name for path in (tmp_path / "made").rglob("*") if path.is_file()]
    assert not [name for name in left if name.startswith(".")]
    assert not (dataset and left)
    time.sleep(0.05)
    assert len([p for p in (tmp_path / "made").rglob("*") if p.is_file()]) == len(left)


def test_labels_are_drawn_once(
    conditional: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    draw = samples.image_inputs

    def watched(generator: Any, seed: int, labels: Any) -> Any:
        seeds.append(seed)
        return draw(generator, seed, labels)

    monkeypatch.setattr(samples, "image_inputs", watched)
    generate(conditional, tmp_path / "made", n=40, dataset=True)
    assert sorted(seeds) == list(range(40))


@pytest.mark.parametrize(("n", "shown"), [(64, False), (520, True)])
@pytest.mark.parametrize("options", [{}, {"grid": True}])
def test_progress_is_shown_where_there_are_many(
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n: int,
    shown: bool,
    options: dict[str, Any],
) -> None:
    formatted: list[tuple[int, int]] = []

    @contextlib.contextmanager
    def bar(what: str) -> Iterator[Any]:
        yield lambda done, total: formatted.append((done, total))

    monkeypatch.setattr(application, "progress_bar", bar)
    generate(plain, tmp_path / "made", n=n, **options)
    assert formatted == ([(min(32 * i, n), n) for i in range(1, 18)] if shown else [])


# --- in bfloat16 ---------------------------------------------------------------------------
def test_bf16_is_nearly_the_same_and_says_so(conditional: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"n": 40, "labels": {"smiling": 1}}
    exact = pictures(conditional, tmp_path / "exact", **options).astype(int)
    fast = pictures(conditional, tmp_path / "fast", precision="bf16", **options).astype(int)
    assert 0 < np.abs(fast - exact).mean() < 1
    (path,) = generate(
        conditional, tmp_path / "one", n=1, seed=33, precision="bf16", **{"labels": {"smiling": 1}}
    )
    assert np.array_equal(np.asarray(Image.open(path)), fast[33])
    assert "precision: bf16" in Image.open(path).text["facegan.model"]
    (path,) = generate(conditional, tmp_path / "other", n=1)
    assert "precision" not in Image.open(path).text["facegan.model"]
    generate(conditional, tmp_path / "dataset", dataset=True, precision="bf16", **options)
    dataset = Dataset.open(tmp_path / "dataset")
    assert np.array_equal(dataset.images, fast)
    assert dataset.card["generated"]["precision"] == "bf16"


def test_an_unknown_precision(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(FaceganError, match="`precision` fp16") as caught:
        generate(plain, tmp_path / "out", n=1, precision="fp16")  # type: ignore[arg-type]
    assert "fp32 or bf16" in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("before", [False, True])
def test_nothing_stands_there_until_all_of_it_does(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    target = tmp_path / "datasets" / "made"
    if before:
        generate(plain, target, n=2, seed=50, dataset=True)
    make = generators.labelled_pictures

    def cut_off(*about: Any) -> Iterator[Any]:
        groups = make(*about)
        yield next(groups)
        assert target.exists() == before
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(generators, "labelled_pictures", cut_off)
        with pytest.raises(KeyboardInterrupt):
            generate(plain, target, n=40, dataset=True, overwrite=True)
    assert [path.name for path in target.parent.iterdir()] == (["made"] if before else [])
    if before:
        assert Dataset.open(target, verify=True).names == ["seed000050", "seed000051"]
    generate(plain, target, n=40, dataset=True, overwrite=True)
    assert len(Dataset.open(target, verify=True)) == 40


def test_what_stands_there_is_refused_before_anything_is_made(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(plain, tmp_path / "made", n=2, dataset=True)

    def never(*about: Any) -> Iterator[Any]:
        raise AssertionError("pictures were made for nothing")
        yield

    monkeypatch.setattr(generators, "labelled_pictures", never)
    with pytest.raises(DataError, match="already holds a dataset") as caught:
        generate(plain, tmp_path / "made", n=3, dataset=True)
    assert "`overwrite`" in caught.value.hint


# --- a dataset like any other --------------------------------------------------------------
def test_a_generated_pack_is_trained_on_and_mixed_in(
    tiny: Make, watcher: Any, plain: Path, tmp_path: Path
) -> None:
    rows = [[1.0, 2.0], [-1.0, torch.nan], [-1.0, 0.5]]
    conditional = file_of(tiny, tmp_path / "conditional.safetensors", LABELS, rows)
    generate(conditional, tmp_path / "made", n=24, dataset=True)
    generate(plain, tmp_path / "unlabelled", n=10, dataset=True)
    recipe = tiny("gan", "data.labels=all", "data.mix=[{kind='linear', start=1.0, end=0.0}]")
    run = tmp_path / "run"
    options: dict[str, Any] = {"mix": [tmp_path / "unlabelled"], "reporter": watcher()}
    outcome = train(recipe, tmp_path / "made", run, start_from=conditional, **options)
    assert outcome.finished
    about = json.loads((run / "provenance.json").read_text("utf-8"))["dataset"]
    assert about["fingerprint"] == Dataset.open(tmp_path / "made").fingerprint
    (mixed,) = about["mixed"]
    assert mixed["fingerprint"] == Dataset.open(tmp_path / "unlabelled").fingerprint
    assert "derived from a model" in mixed["licence"]
    generate(run, tmp_path / "next", n=2, dataset=True)
    learned = Dataset.open(tmp_path / "next").card["generated"]["training_data"]
    assert learned == about
    page = report(run).read_text("utf-8")
    for fragment in ("--mix MIXED-1", f"--from {conditional}", mixed["fingerprint"], "Mixed in 1"):
        assert fragment in page


def test_labels_given_are_those_the_network_sees(
    conditional: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What labels.npy says, scaled again, is what went into the generator."""
    seen: list[Tensor] = []
    forward = torch.nn.Module.__call__

    def watched(module: Any, *inputs: Any, **more: Any) -> Any:
        if hasattr(module, "label_rows"):
            seen.append(inputs[1].clone())
        return forward(module, *inputs, **more)

    monkeypatch.setattr(torch.nn.Module, "__call__", watched)
    generate(conditional, tmp_path / "made", n=32, dataset=True, labels={"age": 33})
    stored = torch.from_numpy(np.array(Dataset.open(tmp_path / "made").labels))
    scaled = (stored - torch.tensor([0.5, 40.0])) / torch.tensor([0.5, 10.0])
    torch.testing.assert_close(torch.cat(seen), scaled, equal_nan=True)
