"""The page that compares runs: only what may be compared stands side by side."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from run_pages import (
    HELD_OUT_NAME,
    REAL_NAME,
    Page,
    add_evaluation,
    evaluation,
    measure,
    space,
)

from facegan.cli import cli
from facegan.errors import FaceganError, RunError
from facegan.evaluation.results import Evaluation
from facegan.recipe import Recipe, leaves
from facegan.report.charts import overlays, seconds_at
from facegan.report.comparable import apart, groups, labels_of
from facegan.report.differences import differing
from facegan.report.filmstrip import filmstrip
from facegan.report.pages import compare
from facegan.report.plots import style
from facegan.runs.reading import Reading, read


@pytest.fixture
def copies(finished: Path, tmp_path: Path) -> Callable[..., list[Path]]:
    """`copies(*names)`: runs that differ in their folder."""

    def make(*names: str) -> list[Path]:
        return [Path(shutil.copytree(finished, tmp_path / name)) for name in names]

    return make


def page_of(runs: list[Path], **options: Any) -> Page:
    return Page(compare(runs, runs[0].parent / "page.html", **options).read_text("utf-8"))


def change_recipe(run: Path, *settings: str) -> None:
    file = run / "recipe.toml"
    file.write_text(Recipe.load(file).override(*settings).to_toml())


def readings(runs: list[Path], *found: Evaluation) -> list[Reading]:
    for run, one in zip(runs, found, strict=True):
        add_evaluation(run, 192, one)
    return [read(run) for run in runs]


def test_runs_and_scores_stand_side_by_side(copies: Callable[..., list[Path]]) -> None:
    runs = copies("first", "second", "third")
    for run, fd in zip(runs, (61.0, 58.0, 200.0), strict=True):
        measure(run, fd)
    change_recipe(runs[1], "method.loss=hinge")
    page = page_of(runs)
    assert list(page.tables["runs"]) == ["first", "second", "third"]
    first = page.tables["runs"]["first"]
    seen = [first[column] for column in ("recipe", "dataset", "pixels", "kimg")]
    assert seen == ["dcgan-staged", "blobs", "32", "0.192"]
    scores = page.tables["scores efflite0"]
    assert list(scores) == ["floor", "first", "second", "third"]
    assert scores["floor"]["fd"] == "3.00 2.85 – 3.15"
    assert scores["first"]["fd"] == "61 58 – 64 20.3 × at n 500"
    assert scores["third"]["fd"] == "200 190 – 210 66.7 × at n 500"
    # In the unit that the title names.
    assert scores["first"]["kid"] == "30.5 29.0 – 32.0"
    assert page.codes("differs") == ["method.loss"]
    assert re.search(r"\bnon_saturating first, third hinge second$", page.said("differs")[0])
    assert "facegan report first second third --out comparison.html" in page.said("command")
    assert any(line.startswith("facegan train dcgan-staged") for line in page.said("command"))
    assert "seeds" in page.codes("limit")
    assert (page.codes("apart"), page.codes("missing")) == ([], [])
    floors = [table for table in page.tables.values() if "floor" in table]
    assert len(floors) == 6  # two spaces, faces, modes, two embeddings
    assert page.snapshots == ["0", "0.064", "0.128", "0.192"] * 3
    assert page.values("input", "value")[1:] == ["kimg", "seconds", "share"]


def test_loads_nothing_and_ids_are_unique(copies: Callable[..., list[Path]]) -> None:
    runs = copies("first", "second")
    for run in runs:
        measure(run)
    page = page_of(runs)
    for tag, name, value in page.attributes:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        if name in ("src", "href"):
            assert value.startswith(("data:image/", "#")), value[:80]
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 10
    assert str(runs[0].parent) not in page.source
    assert compare(runs, runs[0].parent / "again.html").read_text("utf-8") == page.source


def test_without_real_nothing_of_real_people_is_in_the_page(
    copies: Callable[..., list[Path]],
) -> None:
    runs = copies("first", "second")
    for run in runs:
        measure(run)
    assert REAL_NAME in page_of(runs).source
    public = page_of(runs, real=False)
    assert REAL_NAME not in public.source
    assert HELD_OUT_NAME not in public.source
    assert public.pictures == 2 * 3 * 3
    assert public.said("command")[-1].endswith("--out comparison.html --without-real")


def test_the_best_and_its_equals_are_marked(copies: Callable[..., list[Path]]) -> None:
    runs = copies("a", "b", "c")
    found = readings(runs, *(evaluation(space(fd=fd)) for fd in (60.0, 63.0, 90.0)))
    (group,) = groups(found, ["a", "b", "c"], "scores")
    _, *rows = group.table.rows
    assert [row.cells[0].leads for row in rows if row.cells[0]] == [True, True, False]
    # All have the same precision.
    assert all(row.cells[2].leads for row in rows if row.cells[2])


@pytest.mark.parametrize(
    ("changes", "codes", "numbers"),
    [
        ({"n_fake": 600}, ("n_fake",), ["600", "500"]),
        ({"n_real": 999}, ("n_real",), ["999", "1,000"]),
        ({"seed": 3}, ("seed",), ["3", "0"]),
        ({"resolution": 64}, ("resolution",), ["64", "32"]),
        ({"reference": "holdout"}, ("reference",), []),
        ({"dataset_fingerprint": "0f" * 32}, ("dataset",), ["0f0f0f0f0f0f"]),
        ({"features": (space(fingerprint="99" * 32),)}, ("extractor",), []),
        ({"n_fake": 600, "seed": 3}, ("n_fake", "seed"), ["600", "500", "3", "0"]),
    ],
)
def test_other_conditions_are_kept_apart_and_told(
    copies: Callable[..., list[Path]],
    changes: dict[str, Any],
    codes: tuple[str, ...],
    numbers: list[str],
) -> None:
    labels = ["a", "b", "c"]
    other = evaluation().model_copy(update=changes)
    found = groups(readings(copies(*labels), evaluation(), other, evaluation()), labels, "scores")
    assert sorted(group.labels for group in found) == [["a", "c"], ["b"]]
    (alone,) = apart(found, labels)
    assert (alone.label, alone.codes) == ("b", codes)
    said = alone.said.replace("efflite0", "")
    assert re.findall(r"\b[0-9][0-9a-f,]*\b", said) == numbers


def test_the_reason_is_the_smallest_difference(copies: Callable[..., list[Path]]) -> None:
    runs = copies("a", "b")
    for run, n in zip(runs, (500, 600), strict=True):
        add_evaluation(run, 192, evaluation(training=True, n_fake=100, n_real=100))
        add_evaluation(run, 192, evaluation(n_fake=n))
    found = groups([read(run) for run in runs], ["a", "b"], "scores")
    assert [group.labels for group in found] == [["a", "b"], ["b"], ["a"]]
    assert [(one.label, one.codes) for one in apart(found, ["a", "b"])] == [
        ("b", ("n_fake",)),
        ("a", ("n_fake",)),
    ]


def test_scores_of_another_space_and_none_at_all(copies: Callable[..., list[Path]]) -> None:
    runs = copies("a", "b", "c")
    add_evaluation(runs[0], 192, evaluation(space("efflite0")))
    add_evaluation(runs[1], 192, evaluation(space("mine")))
    page = page_of(runs)
    reasons = dict(zip(page.codes("apart"), page.codes("why"), strict=True))
    assert reasons == {"a": "only", "b": "only", "c": "unmeasured"}
    assert page.codes("missing") == ["b", "c", "a", "c"]


def test_nothing_measured(copies: Callable[..., list[Path]]) -> None:
    page = page_of(copies("a", "b"))
    assert page.codes("why") == ["unmeasured"] * 2
    assert page.codes("differs") == []


def test_floors_that_differ_stand_above_their_runs(copies: Callable[..., list[Path]]) -> None:
    labels = ["a", "b", "c"]
    other = json.loads(evaluation().model_dump_json(exclude_none=True))
    other["features"][0]["scores"]["fd"]["real"] = {"value": 4.0, "low": 3.9, "high": 4.1}
    found = readings(
        copies(*labels),
        evaluation(),
        Evaluation.model_validate_json(json.dumps(other)),
        evaluation(),
    )
    (group,) = groups(found, labels, "scores")
    assert [row.code or row.name for row in group.table.rows] == [
        *("floor", "a", "c"),
        *("floor", "b"),
    ]


def test_floors_that_differ_by_rounding_are_one(copies: Callable[..., list[Path]]) -> None:
    other = json.loads(evaluation().model_dump_json(exclude_none=True))
    other["features"][0]["scores"]["fd"]["real"] = {"value": 3.0003, "low": 2.84, "high": 3.16}
    found = readings(
        copies("a", "b"), evaluation(), Evaluation.model_validate_json(json.dumps(other))
    )
    (group,) = groups(found, ["a", "b"], "scores")
    assert [row.floor for row in group.table.rows] == [True, False, False]


def test_many_runs(copies: Callable[..., list[Path]]) -> None:
    runs = copies(*(f"run {i}" for i in range(12)))
    random = np.random.default_rng(0)
    for i, run in enumerate(runs):
        measure(run, 50.0 + i)
        for sample in (run / "samples").iterdir():
            noise = random.integers(0, 256, (8 * 34 - 2, 8 * 34 - 2, 3), dtype=np.uint8)
            Image.fromarray(noise).save(sample)
    page = page_of(runs)
    assert len(page.source) < 5_000_000
    heights = {int(v) for v in page.values("img", "height")}
    assert 2 * 34 - 2 in heights
    assert len({style(i) for i in range(24)}) == 24
    assert page.pictures == 12 * 3


def test_large_grids_are_made_small_enough(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8 * 258 - 2, 8 * 258 - 2, 3), dtype=np.uint8)
    for kimg in (0, 1, 2):
        Image.fromarray(noise).save(tmp_path / f"{kimg:06}.000k.png", compress_level=0)
    frames = filmstrip(tmp_path, room=120_000, rows=2, widest=1056)
    assert [(frame.width, frame.height) for frame in frames] == [(1056, 263)] * 3
    assert sum(len(frame.uri) for frame in frames) < 170_000


def test_curves_lie_over_each_other(copies: Callable[..., list[Path]]) -> None:
    runs = copies("a", "b")
    labels = ["a", "b"]
    for run, fd in zip(runs, (60.0, 90.0), strict=True):
        for seen in (96, 192):
            add_evaluation(run, seen, evaluation(space(fd=fd * 192 / seen)))
    found = [read(run) for run in runs]
    (group,) = groups(found, labels, "scores")
    images, time, *_ = plots = overlays(group, found)
    assert [plot.name for plot in plots] == [
        *("fd images", "fd time"),
        *("recall images", "recall time"),
    ]
    assert [line.label for line in images.lines][:2] == ["a", "b"]
    assert [line.thin for line in images.lines] == [False, False, True]
    assert images.lines[0].points == [(0.096, 120.0), (0.192, 60.0)]
    assert [x for x, _ in time.lines[0].points] == [
        pytest.approx(seconds_at(found[0].timing, seen)) for seen in (96, 192)
    ]
    (runs[1] / "timing.jsonl").unlink()
    untimed = [read(run) for run in runs]
    assert len(overlays(group, untimed)) == 2
    assert page_of(runs).values("input", "value")[1:] == ["kimg", "share"]


def test_seconds_between_lines() -> None:
    timing = [{"images_seen": 10, "seconds": 5.0}, {"images_seen": 20, "seconds": 6.0}]
    assert [seconds_at(timing, n) for n in (0, 5, 10, 15, 20, 99)] == [0, 2.5, 5.0, 5.5, 6.0, 6.0]
    assert seconds_at([], 5) == 0


def test_runs_of_the_same_name_are_told_apart(finished: Path, tmp_path: Path) -> None:
    runs = [tmp_path / folder / "run" for folder in ("x/a", "x/b", "y/a")]
    for run in runs:
        shutil.copytree(finished, run)
    assert labels_of([read(run) for run in runs]) == ["x/a/run", "b/run", "y/a/run"]


def test_differing() -> None:
    first = dict(leaves({"a": {"b": [1, 2]}, "s": [{"lr": 0.1}, {"lr": 0.2}]}))
    assert first == {"a.b": [1, 2], "s.0.lr": 0.1, "s.1.lr": 0.2}
    found = differing([first, dict(leaves({"a": {"b": [1, 2]}, "s": [{"lr": 0.3}]}))], "xy")
    assert found.common == [("a.b", "1, 2")]
    assert [(setting.name, setting.values) for setting in found.different] == [
        ("s.0.lr", [("0.1", ["x"]), ("0.3", ["y"])]),
        ("s.1.lr", [("0.2", ["x"]), ("–", ["y"])]),
    ]


def test_recipes_that_differ_in_much_are_told_section_by_section(
    copies: Callable[..., list[Path]],
) -> None:
    runs = copies("a", "b")
    (runs[1] / "recipe.toml").write_text(Recipe.load("gan").to_toml())
    page = page_of(runs)
    assert {"generator", "stage 3"} <= set(page.codes("differs"))
    first = page.said("differs", "generator")[0]
    assert "dcgan" in first
    assert "channels 4" in first
    assert "stages.0" not in page.text


def test_refuses_what_is_no_comparison(copies: Callable[..., list[Path]], tmp_path: Path) -> None:
    (run,) = copies("a")
    out = tmp_path / "page.html"
    with pytest.raises(FaceganError, match="1 run to compare"):
        compare([run], out)
    with pytest.raises(FaceganError, match="given twice"):
        compare([run, tmp_path / "." / "a"], out)
    with pytest.raises(RunError, match="is not a run"):
        compare([run, tmp_path / "nothing"], out)
    assert not out.exists()


def test_the_command_takes_one_run_or_several(copies: Callable[..., list[Path]]) -> None:
    runs = copies("a", "b")
    for run in runs:
        measure(run)
    out = runs[0].parent / "out.html"
    for given in (runs[:1], runs):
        words = ["report", *map(str, given), "--out", str(out), "--without-real"]
        ended = CliRunner().invoke(cli, words)
        assert ended.output.splitlines()[-1] == f"Wrote {out}."
        text = out.read_text("utf-8")
        assert ("runs" in Page(text).tables) == (len(given) > 1)
        assert REAL_NAME not in text


def test_hostile_names_stay_words(copies: Callable[..., list[Path]]) -> None:
    runs = copies("<i>'a' & \"b\" $(c)", "plain")
    for run in runs:
        measure(run)
    page = page_of(runs)
    assert "<i>'a' & \"b\" $(c)" in page.text
    assert "<i>'a'" not in page.source
