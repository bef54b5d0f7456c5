"""Generators that learned against a frozen network are measured with another one too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegan.apps import evaluate as app
from facegan.apps.train import train
from facegan.apps.trained_space import caveat, flattering
from facegan.evaluation.extractors import open_extractor
from facegan.recipe import Recipe
from facegan.report.pages import report

SPACES = ["efflite0", "efflite0@64", "faces", "inception", "mine.toml"]


def test_which_spaces_flatter() -> None:
    projected = Recipe.load("projected")
    assert flattering(projected, SPACES) == ["efflite0", "efflite0@64"]
    assert flattering(Recipe.load("dcgan"), SPACES) == []


def test_what_is_said_of_them() -> None:
    projected = Recipe.load("projected")
    assert "selfsup" in str(caveat(projected, ["efflite0"]))
    both = str(caveat(projected, ["efflite0", "inception"]))
    assert "Go by inception." in both
    assert "--extractor" not in both
    assert caveat(projected, ["faces"]) is None
    assert caveat(Recipe.load("dcgan"), SPACES) is None


@pytest.fixture(scope="module")
def dataset(make_dataset: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("datasets") / "enough", n=160)


@pytest.fixture(scope="module")
def run(
    dataset: Path, tiny: Callable[..., Any], watcher: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """A tiny run, measured once on its way, and what it said."""
    recipe = tiny(
        "projected",
        *("training.budget=16img", "training.snapshots=1", "training.ticks=1"),
        *("evaluation.times=1", "evaluation.extractor=efflite0@32", "evaluation.n=50"),
    )
    path, reporter = tmp_path_factory.mktemp("runs") / "run", watcher()
    train(recipe, dataset, path, reporter=reporter)
    return path, reporter.said


def test_training_says_so_once(run: tuple[Path, list[str]]) -> None:
    path, said = run
    assert sum("flatter" in line for line in said) == 1
    assert "flatter" in (path / "metrics.jsonl").read_text("utf-8")
    assert "flatter" in report(path).read_text("utf-8")


@pytest.mark.parametrize(
    ("asked", "measured"),
    [
        (["efflite0@32"], ["efflite0@32", "selfsup"]),
        (["efflite0@32", "inception"], ["efflite0@32", "inception"]),
        (["inception"], ["inception"]),
    ],
)
def test_another_extractor_is_added(
    run: tuple[Path, list[str]],
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[str],
    measured: list[str],
) -> None:
    opened: list[str] = []

    def stand_in(name: str, device: Any, *, own: bool = False) -> Any:
        """Every other network is replaced by a small one that needs no extra."""
        opened.append(name)
        return open_extractor("efflite0@32", device)

    monkeypatch.setattr(app, "open_extractor", stand_in)
    found = app.evaluate(run[0], dataset, n=50, extractors=asked, faces=False, copying=False)
    assert opened == measured
    if asked == ["inception"]:
        assert found.caveat is None
    else:
        assert found.caveat is not None
        assert ("Go by" in found.caveat) == (len(measured) == 2)


def test_pictures_without_a_recipe_are_measured_as_asked(dataset: Path) -> None:
    found = app.evaluate(
        dataset, dataset, n=50, extractors=["efflite0@32"], faces=False, copying=False
    )
    assert [space.extractor for space in found.features] == ["efflite0@32"]
    assert found.caveat is None
