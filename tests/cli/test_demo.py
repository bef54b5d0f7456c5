"""The demo: everything it promises, made by the real function in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan.cli.demonstration import RECIPE, demo
from facegan.errors import RunError
from facegan.recipe import Recipe

_MADE = ("faces.png", "drawn.png", "run/report.html", "faces-from-the-box.png")


@pytest.fixture
def small(tiny: Callable[..., Recipe]) -> Recipe:
    """The demo's own recipe, made small."""
    return tiny(RECIPE)


def test_makes_what_it_promises(
    small: Recipe, tmp_path: Path, watcher: type, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "demo"
    outcome = demo(out, budget="64img", n=80, recipe=small, reporter=watcher())
    assert outcome.finished
    assert outcome.images_seen == 64
    said = capsys.readouterr().out
    for name in _MADE:
        assert (out / name).stat().st_size > 0
        assert str(out / name) in said
    assert f"facegan generate {out / 'run'}" in said
    faces, drawn = (Image.open(out / name) for name in _MADE[:2])
    boxed = Image.open(out / _MADE[3])
    assert "model: lfw-64" in boxed.info["facegan.model"]
    assert boxed.size == faces.size == drawn.size
    assert faces.size == (8 * 66 - 2, 8 * 66 - 2)
    assert "Generated" in faces.info["Comment"]
    assert "Comment" not in drawn.info
    assert np.asarray(drawn).std() > 20
    page = (out / "run/report.html").read_text("utf-8")
    assert "data-unfinished" not in page
    assert 'data-kimg="0.064"' in page


def test_again_shows_the_same(small: Recipe, tmp_path: Path, watcher: type) -> None:
    demo(tmp_path, budget="16img", n=70, recipe=small, reporter=watcher())
    before = {name: (tmp_path / name).read_bytes() for name in _MADE}
    (tmp_path / "faces.png").unlink()
    again = watcher()
    outcome = demo(tmp_path, budget="16img", n=70, recipe=small, reporter=again)
    assert outcome.finished
    assert again.steps == []
    assert {name: (tmp_path / name).read_bytes() for name in _MADE} == before


def test_interrupted_and_continued(
    small: Recipe, tmp_path: Path, watcher: type, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = demo(tmp_path, budget="64img", n=70, recipe=small, reporter=watcher(stop_at=24))
    assert not outcome.finished
    assert outcome.images_seen == 24
    assert not (tmp_path / "faces.png").exists()
    assert "To try next" not in capsys.readouterr().out
    outcome = demo(tmp_path, budget="64img", n=70, recipe=small, reporter=watcher())
    assert outcome.finished
    assert outcome.images_seen == 64
    assert (tmp_path / "faces.png").exists()


def test_another_budget_is_refused_with_the_way_out(
    small: Recipe, tmp_path: Path, watcher: type
) -> None:
    demo(tmp_path, budget="8img", n=70, recipe=small, reporter=watcher())
    with pytest.raises(RunError, match=r"training\.budget: 8img → 16img") as caught:
        demo(tmp_path, budget="16img", n=70, recipe=small, reporter=watcher())
    assert "--out" in caught.value.hint


def test_its_recipe_takes_any_budget() -> None:
    assert Recipe.load(RECIPE).with_budget("3min").training.budget == "3min"
